"""Draws a woven fabric and its defects."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

from acbench.data.sample.layers import (  # fmt: skip
    FINE,
    Canvas,
    Layer,
    Mask,
    Plane,
    Rng,
    X,
    Y,
    blob,
    cloud,
    cords,
    curve,
    distance,
    in_frame,
    paint,
    ramp,
    rgb,
)

PITCH = 13.0
"""Distance from one thread to the next, in fine pixels."""


def fabric(rng: Rng) -> Canvas:
    """A plain weave of blue warp and pale weft over a dark table."""
    tilt = rng.uniform(-0.05, 0.05)
    warp = (X + Y * tilt) / PITCH + 0.16 * cloud(rng, 150) + rng.uniform(8, 10)
    weft = (Y - X * tilt) / PITCH + 0.16 * cloud(rng, 150) + rng.uniform(8, 10)
    table = Layer(
        height=np.full_like(X, -16) + 0.3 * cloud(rng, 4),
        colour=paint((0.012, 0.012, 0.013), 1 + 0.1 * cloud(rng, 8)),
        gloss=np.zeros_like(X),
        there=np.ones_like(X, dtype=bool),
    )
    tone = 1 + 0.05 * cloud(rng, 200)
    blue = _threads(rng, warp, weft, +1, (0.060, 0.110, 0.190), tone)
    pale = _threads(rng, weft, warp, -1, (0.205, 0.225, 0.240), tone)
    return Canvas((table, blue, pale), warp, weft)


def _threads(
    rng: Rng, across: Plane, along: Plane, phase: int, colour: tuple[float, float, float], tone: Plane
) -> Layer:
    """Parallel threads that pass over and under the threads of the other direction."""
    number = np.floor(across)
    off = 2 * (across - number) - 1
    width = 0.90 + 0.05 * _per_thread(rng, number)
    round_ = np.sqrt(np.clip(1 - (off / width) ** 2, 0, 1))
    wave = phase * np.sin(math.pi * along) * (1 - 2 * (number % 2))
    twist = np.sin(2 * math.pi * (2.2 * along + 0.55 * off))
    shade = tone * (1 + 0.05 * _per_thread(rng, number) + 0.10 * twist + 0.07 * cloud(rng, 2.5))
    return Layer(
        height=4.5 * round_ + 3.2 * wave,
        colour=paint(colour, shade),
        gloss=np.zeros_like(X),
        there=np.abs(off) < width,
    )


def fold(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """A straight crease across the image: a bright edge with a shadow behind it."""
    turn, off = rng.uniform(-0.3, 1.9), rng.uniform(-130, 130)
    nx, ny = math.sin(turn), math.cos(turn)
    side = (X - FINE / 2) * nx + (Y - FINE / 2) * ny - off + 5 * cloud(rng, 200)
    width, rise = rng.uniform(28, 44), rng.uniform(20, 30)
    slope = np.where(side < 0, np.exp(-((side / width) ** 2)), np.clip(1 - side / 7, 0, 1))
    ridge = np.asarray(rise * slope, dtype=np.float32)
    table, *cloth = canvas.layers
    creased = (replace(layer, height=layer.height + ridge) for layer in cloth)
    return replace(canvas, layers=(table, *creased)), (side > -1.4 * width) & (side < 20)


def hole(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """Torn threads: the dark table shows, each thread ends elsewhere, and fibres stick out of the edge."""
    table, warp, weft = canvas.layers
    x, y = in_frame(rng, 110)
    inside = blob(rng, x, y, rng.uniform(36, 60), rough=0.2)
    torn = []
    for layer, number in ((warp, canvas.p), (weft, canvas.q)):
        end = inside - 5 * _per_thread(rng, np.floor(number)) ** 2 - 2 * cloud(rng, 4)
        fray = ramp(-16, 0, end)
        torn.append(
            replace(
                layer,
                height=layer.height + 4 * fray - 9 * ramp(2, 26, inside),
                colour=layer.colour * (1 + 0.25 * fray),
                there=layer.there & (end < 0),
            )
        )
    gone = ~(torn[0].there | torn[1].there) & (inside > 0)
    ends = np.argwhere((np.abs(inside) < 5) & ~gone)
    hairs = []
    for hy, hx in rng.choice(ends, 12).tolist():
        inwards = math.atan2(y - hy, x - hx)
        hairs.append(curve(rng, hx, hy, inwards + rng.normal(0, 0.7), 34, wander=0.05))
    lint = cords(hairs, 1.3, 5.0, paint((0.32, 0.36, 0.40), np.ones_like(X)))
    mask = ndimage.binary_fill_holes(ndimage.binary_closing(gone | lint.there, iterations=7))
    return replace(canvas, layers=(table, *torn, lint)), mask


def loose_thread(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """A foreign thread that lies on the cloth in a curve and casts a thin shadow."""
    x, y = in_frame(rng, 190)
    line = curve(rng, x, y, rng.uniform(0, 2 * np.pi), rng.uniform(240, 460), wander=0.015)
    dyes = ((0.62, 0.58, 0.50), (0.45, 0.045, 0.04), (0.55, 0.33, 0.05), (0.016, 0.016, 0.018))
    width = rng.uniform(3.6, 5.0)
    ply = 1 + 0.2 * np.sin(0.9 * X + 0.55 * Y) + 0.08 * cloud(rng, 3)
    thread = cords([line], width, 9.0, paint(dyes[rng.integers(len(dyes))], ply))
    return replace(canvas, layers=(*canvas.layers, thread)), distance([line]) < width + 1


def stain(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """Spilt liquid: it changes the colour but not the weave; its edge is soft, often with a darker line inside."""
    x, y = in_frame(rng, 130)
    size, soft = rng.uniform(42, 92), rng.uniform(8, 17)
    edge = blob(rng, x, y, size, rough=0.10) + 5 * cloud(rng, 60) + 2 * cloud(rng, 16)
    wet = ramp(-soft, soft, edge) * (1 + 0.09 * cloud(rng, 34))
    wet *= 1 + rng.uniform(0, 0.3) * np.exp(-(((edge - soft) / 8) ** 2))
    dyes = ((0.58, 0.34, 0.16), (0.62, 0.22, 0.22), (0.33, 0.32, 0.29), (0.80, 0.60, 0.20))
    dye = rgb(*dyes[rng.integers(len(dyes))])
    full = np.clip(rng.uniform(0.85, 1.0) * wet, 0, 1.2)
    table, *cloth = canvas.layers
    dyed = (replace(layer, colour=layer.colour * (1 - full * (1 - dye)).clip(0.02)) for layer in cloth)
    return replace(canvas, layers=(table, *dyed)), edge > -0.3 * soft


def _per_thread(rng: Rng, number: Plane) -> Plane:
    """One random value (spread 1) for each thread."""
    return rng.standard_normal(256, dtype=np.float32)[number.astype(np.uint8)]
