"""The layers that make a part, and the shapes and noise that draw them. Planes are in fine pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rng = np.random.Generator

SIZE = 320
"""Width and height of an image, in pixels."""
FINE = 2 * SIZE
"""Width and height of the drawing, in fine pixels."""
Y, X = np.mgrid[0:FINE, 0:FINE].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Layer:
    """One material. All planes are (FINE, FINE), the colour is (3, FINE, FINE)."""

    height: Plane
    colour: Plane
    gloss: Plane
    """Share of light that is mirrored, 0 to 1."""
    there: Mask
    """Where the material is."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A part before it is lit. At each pixel the highest layer is visible."""

    layers: tuple[Layer, ...]
    """The background first."""
    p: Plane
    """Washer: distance from the centre. Fabric: number of the warp thread, counted with fractions."""
    q: Plane
    """Washer: angle around the centre, radians. Fabric: number of the weft thread."""
    centre: tuple[float, float] = (FINE / 2, FINE / 2)


Defect = Callable[[Rng, Canvas], tuple[Canvas, Mask]]
"""Returns the canvas with the defect, and the defect's mask (FINE, FINE)."""


def cloud(rng: Rng, cell: float) -> Plane:
    """Smooth noise (FINE, FINE) with mean 0, spread about 1, and bumps about `cell` wide."""
    count = int(FINE / cell) + 4
    coarse = Image.fromarray(rng.standard_normal((count, count), dtype=np.float32))
    part = (1.5, 1.5, 1.5 + FINE / cell, 1.5 + FINE / cell)
    return np.asarray(coarse.resize((FINE, FINE), Image.Resampling.BICUBIC, box=part)) * np.float32(1.35)


def blob(rng: Rng, x: float, y: float, radius: float, *, rough: float) -> Plane:
    """An irregular patch: about the distance (FINE, FINE) from its edge, positive inside."""
    angle, long, turn = np.arctan2(Y - y, X - x), rng.uniform(0, 0.22), rng.uniform(0, np.pi)
    outline = 1 + long * np.cos(2 * (angle - turn))
    for wave in range(3, 8):
        outline += rough * rng.normal(0, 1.2) / wave * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(radius * outline - np.hypot(X - x, Y - y))


def curve(rng: Rng, x: float, y: float, heading: float, length: float, *, wander: float) -> NDArray[np.float64]:
    """Points (n, 2) of a smooth line centred on (x, y), one every 4 px; `wander` is its curvature, 1/px."""
    count = int(length / 4)
    bend = ndimage.gaussian_filter1d(rng.standard_normal(count + 40), 8)[20:-20] * 5.3 * wander
    course = heading + np.cumsum(bend * 4)
    steps = 4 * np.stack([np.cos(course), np.sin(course)], axis=1)
    points = np.cumsum(steps, axis=0)
    return np.asarray(points - points.mean(axis=0) + (x, y))


def distance(lines: Sequence[NDArray[np.float64]]) -> Plane:
    """Distance (FINE, FINE) from the nearest of these lines."""
    ink = Image.new("L", (FINE, FINE), 255)
    for line in lines:
        ImageDraw.Draw(ink).line([(float(x), float(y)) for x, y in line], fill=0)
    return np.asarray(ndimage.distance_transform_edt(np.asarray(ink)), dtype=np.float32)


def cords(lines: Sequence[NDArray[np.float64]], width: float, height: float, colour: Plane) -> Layer:
    """Round cords that lie along some lines at `height`; `width` is half of theirs."""
    away = distance(lines)
    round_: Plane = np.sqrt(np.clip(1 - (away / width) ** 2, 0, 1))
    return Layer(height + 1.6 * width * round_, colour, np.zeros_like(X), away < width)


def in_frame(rng: Rng, margin: float) -> tuple[float, float]:
    """A point at least `margin` away from the image's border."""
    x, y = rng.uniform(margin, FINE - margin, 2)
    return float(x), float(y)


def ramp(low: float, high: float, value: Plane) -> Plane:
    """0 at `low`, 1 at `high`, smooth between; `low` may be the greater."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def rgb(red: float, green: float, blue: float) -> Plane:
    """A colour (3, 1, 1)."""
    return np.array([red, green, blue], dtype=np.float32).reshape(3, 1, 1)


def paint(colour: tuple[float, float, float], shade: Plane) -> Plane:
    """A colour, lighter and darker: (3, FINE, FINE)."""
    return np.asarray(rgb(*colour) * shade)


def mix(under: Plane, over: Plane, share: Plane) -> Plane:
    """Two planes mixed: `under` where `share` is 0, `over` where it is 1."""
    return np.asarray(under + (over - under) * share)


def halve(plane: Plane) -> Plane:
    """The mean of each 2 × 2 pixels."""
    rows = plane[..., ::2, :] + plane[..., 1::2, :]
    return np.asarray((rows[..., ::2] + rows[..., 1::2]) / 4)


def double(plane: Plane) -> Plane:
    """Each pixel as 2 × 2 pixels."""
    return np.repeat(np.repeat(plane, 2, axis=0), 2, axis=1)
