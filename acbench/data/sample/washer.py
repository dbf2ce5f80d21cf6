"""Draws a washer of brushed steel and its defects."""

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
    curve,
    distance,
    mix,
    paint,
    ramp,
    rgb,
)

INNER, OUTER = 104.0, 236.0
"""Radii of the ring, in fine pixels."""


def washer(rng: Rng) -> Canvas:
    """A flat ring of brushed steel with rounded edges, lying on a rubber belt."""
    cx, cy = (float(value) for value in FINE / 2 + rng.uniform(-16, 16, 2))
    radius, angle = np.hypot(X - cx, Y - cy), np.arctan2(Y - cy, X - cx)
    rim = np.minimum(radius - INNER, OUTER - radius)
    brush = _polar_noise(rng, radius, angle)
    slope = np.clip(rim / 14, 0, 1)
    steel = Layer(
        height=30 + 7 * np.sqrt(slope * (2 - slope)) + 0.18 * brush,
        colour=paint((0.098, 0.100, 0.106), 1 + 0.07 * brush + 0.04 * cloud(rng, 90)),
        gloss=np.clip(0.5 + 0.045 * brush + 0.03 * cloud(rng, 60), 0, 1),
        there=rim > 0,
    )
    a, b = (X + Y) * 0.42 + rng.uniform(0, 6.3), (X - Y) * 0.42 + rng.uniform(0, 6.3)
    belt = Layer(
        height=0.9 * np.sin(a) * np.sin(b) + 0.35 * cloud(rng, 3),
        colour=paint((0.034, 0.036, 0.040), 1 + 0.10 * cloud(rng, 120) + 0.15 * cloud(rng, 2.5)),
        gloss=np.zeros_like(X),
        there=np.ones_like(X, dtype=bool),
    )
    return Canvas((belt, steel), radius, angle, (cx, cy))


def chip(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """A piece broken out of the outer or the inner edge: the belt shows, and the fracture is rough and dull."""
    belt, steel = canvas.layers
    x, y = _on_ring(rng, canvas, (OUTER + 4) if rng.random() < 0.6 else (INNER - 4))
    bite = blob(rng, x, y, rng.uniform(26, 50), rough=0.24) + 2.0 * cloud(rng, 7)
    face = np.clip(1 + bite / rng.uniform(9, 14), 0, 1) * steel.there
    grain = cloud(rng, 3.5)
    steel = replace(
        steel,
        height=steel.height - 16 * face + 1.3 * grain * (face > 0),
        colour=mix(steel.colour, paint((0.27, 0.265, 0.255), 1 + 0.22 * grain), np.minimum(1, 3 * face)),
        gloss=steel.gloss * (1 - np.minimum(1, 3 * face)),
        there=steel.there & (bite < 0),
    )
    return replace(canvas, layers=(belt, steel)), (face > 0.1) & canvas.layers[1].there


def dent(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """A smooth depression left by a blow: no material is lost, only the light falls differently."""
    belt, steel = canvas.layers
    x, y = _on_ring(rng, canvas, rng.uniform(INNER + 46, OUTER - 46))
    size, turn, long = rng.uniform(21, 36), rng.uniform(0, np.pi), rng.uniform(1.0, 1.35)
    a = ((X - x) * math.cos(turn) + (Y - y) * math.sin(turn)) / (size * long)
    b = ((Y - y) * math.cos(turn) - (X - x) * math.sin(turn)) / (size / long)
    d = a * a + b * b
    depth = size * rng.uniform(0.26, 0.42)
    bowl = depth * (0.10 * np.exp(-((np.sqrt(d) - 1.2) ** 2) * 12) - np.exp(-d * 1.7))
    steel = replace(steel, height=steel.height + bowl)
    return replace(canvas, layers=(belt, steel)), (d < 1.35**2) & steel.there


def rust(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """Brown, irregular, matt blotches that eat into the brushing."""
    belt, steel = canvas.layers
    x, y = _on_ring(rng, canvas, rng.uniform(INNER + 25, OUTER - 25))
    near = blob(rng, x, y, rng.uniform(32, 66), rough=0.3) / 26
    spread = near + 0.55 * cloud(rng, 22) + 0.35 * cloud(rng, 9)
    for _ in range(rng.integers(0, 3)):
        spot = blob(rng, x + rng.normal(0, 55), y + rng.normal(0, 55), rng.uniform(6, 14), rough=0.3)
        spread = np.maximum(spread, spot / 8 + 0.3 * cloud(rng, 6))
    eaten = ramp(0.0, 0.7, spread) * rng.uniform(0.8, 1.0)
    ripe = ramp(-0.8, 1.4, cloud(rng, 14) + 0.7 * cloud(rng, 4))
    brown = mix(rgb(0.075, 0.034, 0.018), rgb(0.270, 0.105, 0.035), ripe)
    steel = replace(
        steel,
        height=steel.height + 0.9 * eaten * cloud(rng, 3),
        colour=mix(steel.colour, brown, eaten),
        gloss=steel.gloss * (1 - eaten) ** 2,
    )
    return replace(canvas, layers=(belt, steel)), (eaten > 0.3) & steel.there


def scratch(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """One or two thin bright lines that ignore the brushing, dull along their flanks."""
    belt, steel = canvas.layers
    x, y = _on_ring(rng, canvas, rng.uniform(INNER + 40, OUTER - 40))
    heading, length = rng.uniform(0, 2 * np.pi), rng.uniform(110, 210)
    lines = [curve(rng, x, y, heading, length, wander=0.004)]
    if rng.random() < 0.5:
        apart, veer = rng.uniform(12, 22), rng.normal(0, 0.08)
        x, y = x - apart * math.sin(heading), y + apart * math.cos(heading)
        lines.append(curve(rng, x, y, heading + veer, 0.7 * length, wander=0.004))
    width = rng.uniform(1.9, 2.8)
    away = distance(lines)
    cut = ramp(width, 0.3 * width, away) * ramp(-3.4, 0.4, cloud(rng, 26))
    steel = replace(
        steel,
        height=steel.height - 0.5 * cut,
        colour=mix(steel.colour, rgb(0.72, 0.72, 0.73), cut),
        gloss=steel.gloss * (1 - 0.5 * ramp(2.2 * width, width, away)),
    )
    return replace(canvas, layers=(belt, steel)), (away < width + 1.5) & steel.there


def _polar_noise(rng: Rng, radius: Plane, angle: Plane) -> Plane:
    """Fine arcs around the centre, as a turning brush leaves them."""
    arcs = ndimage.gaussian_filter1d(rng.standard_normal((340, 24), dtype=np.float32), 0.8, axis=0)
    arcs += 0.7 * ndimage.gaussian_filter1d(rng.standard_normal((340, 24), dtype=np.float32), 2.5, axis=0)
    where = np.stack([radius, (angle + math.pi) * (24 / (2 * math.pi))])
    return np.asarray(ndimage.map_coordinates(arcs / arcs.std(), where, order=1, mode="grid-wrap"))


def _on_ring(rng: Rng, canvas: Canvas, radius: float) -> tuple[float, float]:
    """A point of the washer at this distance from its centre."""
    angle = rng.uniform(0, 2 * np.pi)
    return canvas.centre[0] + radius * float(np.cos(angle)), canvas.centre[1] + radius * float(np.sin(angle))
