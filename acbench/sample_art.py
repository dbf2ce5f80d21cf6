"""How the sample's pictures are made: a part is a stack of layers, a defect edits them, light comes last.

No defect is painted onto a picture. Each changes what the part *is* — its height, its colour, its gloss,
where it has material at all — and one lamp and one camera, the same for every picture, make an image of that.
So a dent is bright where it faces the lamp, a loose thread casts a shadow, and a chip lets the belt show.

Lengths are in fine pixels: everything is drawn at twice the size of the image and averaged down. Colours are
linear RGB.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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

INNER, OUTER = 104.0, 236.0
"""Radii of the washer."""
PITCH = 13.0
"""From one thread of the fabric to the next."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One material. All planes are (FINE, FINE), the colour is (3, FINE, FINE)."""

    height: Plane
    colour: Plane
    gloss: Plane
    """Share of light that is mirrored, 0 to 1."""
    there: Mask


@dataclass(frozen=True, slots=True)
class Canvas:
    """A part before it is lit. The layer that is highest at a pixel is the one seen there."""

    layers: tuple[Layer, ...]
    """The background first."""
    p: Plane
    """Washer: distance from the centre. Fabric: number of the warp thread, counted with fractions."""
    q: Plane
    """Washer: angle around the centre, radians. Fabric: number of the weft thread."""
    centre: tuple[float, float] = (FINE / 2, FINE / 2)


Defect = Callable[[Rng, Canvas], tuple[Canvas, Mask]]
"""Gives the canvas with the defect, and where it is (FINE, FINE)."""


# The two parts


def washer(rng: Rng) -> Canvas:
    """A flat ring of brushed steel with rounded edges, lying on a rubber belt."""
    cx, cy = (float(value) for value in FINE / 2 + rng.uniform(-16, 16, 2))
    radius, angle = np.hypot(X - cx, Y - cy), np.arctan2(Y - cy, X - cx)
    rim = np.minimum(radius - INNER, OUTER - radius)
    brush = _polar_noise(rng, radius, angle)
    slope = np.clip(rim / 14, 0, 1)
    steel = Layer(
        height=30 + 7 * np.sqrt(slope * (2 - slope)) + 0.18 * brush,
        colour=_paint((0.098, 0.100, 0.106), 1 + 0.07 * brush + 0.04 * _cloud(rng, 90)),
        gloss=np.clip(0.5 + 0.045 * brush + 0.03 * _cloud(rng, 60), 0, 1),
        there=rim > 0,
    )
    a, b = (X + Y) * 0.42 + rng.uniform(0, 6.3), (X - Y) * 0.42 + rng.uniform(0, 6.3)
    belt = Layer(
        height=0.9 * np.sin(a) * np.sin(b) + 0.35 * _cloud(rng, 3),
        colour=_paint((0.034, 0.036, 0.040), 1 + 0.10 * _cloud(rng, 120) + 0.15 * _cloud(rng, 2.5)),
        gloss=np.zeros_like(X),
        there=np.ones_like(X, dtype=bool),
    )
    return Canvas((belt, steel), radius, angle, (cx, cy))


def fabric(rng: Rng) -> Canvas:
    """A plain weave of blue warp and pale weft over a dark table."""
    tilt = rng.uniform(-0.05, 0.05)
    warp = (X + Y * tilt) / PITCH + 0.16 * _cloud(rng, 150) + rng.uniform(8, 10)
    weft = (Y - X * tilt) / PITCH + 0.16 * _cloud(rng, 150) + rng.uniform(8, 10)
    table = Layer(
        height=np.full_like(X, -16) + 0.3 * _cloud(rng, 4),
        colour=_paint((0.012, 0.012, 0.013), 1 + 0.1 * _cloud(rng, 8)),
        gloss=np.zeros_like(X),
        there=np.ones_like(X, dtype=bool),
    )
    tone = 1 + 0.05 * _cloud(rng, 200)
    blue = _threads(rng, warp, weft, +1, (0.060, 0.110, 0.190), tone)
    pale = _threads(rng, weft, warp, -1, (0.205, 0.225, 0.240), tone)
    return Canvas((table, blue, pale), warp, weft)


def _threads(
    rng: Rng, across: Plane, along: Plane, phase: int, colour: tuple[float, float, float], tone: Plane
) -> Layer:
    """Parallel threads that go over and under those of the other direction."""
    number = np.floor(across)
    off = 2 * (across - number) - 1
    width = 0.90 + 0.05 * _each(rng, number)
    round_ = np.sqrt(np.clip(1 - (off / width) ** 2, 0, 1))
    wave = phase * np.sin(math.pi * along) * (1 - 2 * (number % 2))
    twist = np.sin(2 * math.pi * (2.2 * along + 0.55 * off))
    shade = tone * (1 + 0.05 * _each(rng, number) + 0.10 * twist + 0.07 * _cloud(rng, 2.5))
    return Layer(
        height=4.5 * round_ + 3.2 * wave,
        colour=_paint(colour, shade),
        gloss=np.zeros_like(X),
        there=np.abs(off) < width,
    )


# Defects of the washer


def chip(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """A piece broken out of the outer or the inner edge: the belt shows, the fracture is rough and dull."""
    belt, steel = canvas.layers
    x, y = _on_ring(rng, canvas, (OUTER + 4) if rng.random() < 0.6 else (INNER - 4))
    bite = _blob(rng, x, y, rng.uniform(26, 50), rough=0.24) + 2.0 * _cloud(rng, 7)
    face = np.clip(1 + bite / rng.uniform(9, 14), 0, 1) * steel.there
    grain = _cloud(rng, 3.5)
    steel = replace(
        steel,
        height=steel.height - 16 * face + 1.3 * grain * (face > 0),
        colour=_mix(steel.colour, _paint((0.27, 0.265, 0.255), 1 + 0.22 * grain), np.minimum(1, 3 * face)),
        gloss=steel.gloss * (1 - np.minimum(1, 3 * face)),
        there=steel.there & (bite < 0),
    )
    return replace(canvas, layers=(belt, steel)), (face > 0.1) & canvas.layers[1].there


def dent(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """A smooth depression where something struck: no material lost, only the light runs differently."""
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
    near = _blob(rng, x, y, rng.uniform(32, 66), rough=0.3) / 26
    spread = near + 0.55 * _cloud(rng, 22) + 0.35 * _cloud(rng, 9)
    for _ in range(rng.integers(0, 3)):
        spot = _blob(rng, x + rng.normal(0, 55), y + rng.normal(0, 55), rng.uniform(6, 14), rough=0.3)
        spread = np.maximum(spread, spot / 8 + 0.3 * _cloud(rng, 6))
    eaten = _ramp(0.0, 0.7, spread) * rng.uniform(0.8, 1.0)
    ripe = _ramp(-0.8, 1.4, _cloud(rng, 14) + 0.7 * _cloud(rng, 4))
    brown = _mix(_rgb(0.075, 0.034, 0.018), _rgb(0.270, 0.105, 0.035), ripe)
    steel = replace(
        steel,
        height=steel.height + 0.9 * eaten * _cloud(rng, 3),
        colour=_mix(steel.colour, brown, eaten),
        gloss=steel.gloss * (1 - eaten) ** 2,
    )
    return replace(canvas, layers=(belt, steel)), (eaten > 0.3) & steel.there


def scratch(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """One or two thin bright lines that ignore the brushing, dull along their flanks."""
    belt, steel = canvas.layers
    x, y = _on_ring(rng, canvas, rng.uniform(INNER + 40, OUTER - 40))
    heading, length = rng.uniform(0, 2 * np.pi), rng.uniform(110, 210)
    lines = [_curve(rng, x, y, heading, length, wander=0.004)]
    if rng.random() < 0.5:
        apart, veer = rng.uniform(12, 22), rng.normal(0, 0.08)
        x, y = x - apart * math.sin(heading), y + apart * math.cos(heading)
        lines.append(_curve(rng, x, y, heading + veer, 0.7 * length, wander=0.004))
    width = rng.uniform(1.9, 2.8)
    away = _distance(lines)
    cut = _ramp(width, 0.3 * width, away) * _ramp(-3.4, 0.4, _cloud(rng, 26))
    steel = replace(
        steel,
        height=steel.height - 0.5 * cut,
        colour=_mix(steel.colour, _rgb(0.72, 0.72, 0.73), cut),
        gloss=steel.gloss * (1 - 0.5 * _ramp(2.2 * width, width, away)),
    )
    return replace(canvas, layers=(belt, steel)), (away < width + 1.5) & steel.there


# Defects of the fabric


def fold(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """A straight crease across the picture: a bright edge, and a shadow behind it."""
    turn, off = rng.uniform(-0.3, 1.9), rng.uniform(-130, 130)
    nx, ny = math.sin(turn), math.cos(turn)
    side = (X - FINE / 2) * nx + (Y - FINE / 2) * ny - off + 5 * _cloud(rng, 200)
    width, rise = rng.uniform(28, 44), rng.uniform(20, 30)
    slope = np.where(side < 0, np.exp(-((side / width) ** 2)), np.clip(1 - side / 7, 0, 1))
    ridge = np.asarray(rise * slope, dtype=np.float32)
    table, *cloth = canvas.layers
    creased = (replace(layer, height=layer.height + ridge) for layer in cloth)
    return replace(canvas, layers=(table, *creased)), (side > -1.4 * width) & (side < 20)


def hole(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """Torn threads: the dark table shows, each thread ends where it will, fibres stick out of the edge."""
    table, warp, weft = canvas.layers
    x, y = _in_frame(rng, 110)
    inside = _blob(rng, x, y, rng.uniform(36, 60), rough=0.2)
    torn = []
    for layer, number in ((warp, canvas.p), (weft, canvas.q)):
        end = inside - 5 * _each(rng, np.floor(number)) ** 2 - 2 * _cloud(rng, 4)
        fray = _ramp(-16, 0, end)
        torn.append(
            replace(
                layer,
                height=layer.height + 4 * fray - 9 * _ramp(2, 26, inside),
                colour=layer.colour * (1 + 0.25 * fray),
                there=layer.there & (end < 0),
            )
        )
    gone = ~(torn[0].there | torn[1].there) & (inside > 0)
    ends = np.argwhere((np.abs(inside) < 5) & ~gone)
    hairs = []
    for hy, hx in rng.choice(ends, 12).tolist():
        inwards = math.atan2(y - hy, x - hx)
        hairs.append(_curve(rng, hx, hy, inwards + rng.normal(0, 0.7), 34, wander=0.05))
    lint = _string(hairs, 1.3, 5.0, _paint((0.32, 0.36, 0.40), np.ones_like(X)))
    mask = ndimage.binary_fill_holes(ndimage.binary_closing(gone | lint.there, iterations=7))
    return replace(canvas, layers=(table, *torn, lint)), mask


def loose_thread(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """A foreign thread that lies on the cloth in a curve and casts a thin shadow."""
    x, y = _in_frame(rng, 190)
    line = _curve(rng, x, y, rng.uniform(0, 2 * np.pi), rng.uniform(240, 460), wander=0.015)
    dyes = ((0.62, 0.58, 0.50), (0.45, 0.045, 0.04), (0.55, 0.33, 0.05), (0.016, 0.016, 0.018))
    width = rng.uniform(3.6, 5.0)
    ply = 1 + 0.2 * np.sin(0.9 * X + 0.55 * Y) + 0.08 * _cloud(rng, 3)
    string = _string([line], width, 9.0, _paint(dyes[rng.integers(len(dyes))], ply))
    return replace(canvas, layers=(*canvas.layers, string)), _distance([line]) < width + 1


def stain(rng: Rng, canvas: Canvas) -> tuple[Canvas, Mask]:
    """Something spilt: the weave goes on, its colour does not; soft outside, often a darker tide line."""
    x, y = _in_frame(rng, 130)
    size, soft = rng.uniform(42, 92), rng.uniform(8, 17)
    edge = _blob(rng, x, y, size, rough=0.10) + 5 * _cloud(rng, 60) + 2 * _cloud(rng, 16)
    wet = _ramp(-soft, soft, edge) * (1 + 0.09 * _cloud(rng, 34))
    wet *= 1 + rng.uniform(0, 0.3) * np.exp(-(((edge - soft) / 8) ** 2))
    dyes = ((0.58, 0.34, 0.16), (0.62, 0.22, 0.22), (0.33, 0.32, 0.29), (0.80, 0.60, 0.20))
    dye = _rgb(*dyes[rng.integers(len(dyes))])
    full = np.clip(rng.uniform(0.85, 1.0) * wet, 0, 1.2)
    table, *cloth = canvas.layers
    dyed = (replace(layer, colour=layer.colour * (1 - full * (1 - dye)).clip(0.02)) for layer in cloth)
    return replace(canvas, layers=(table, *dyed)), edge > -0.3 * soft


PARTS: dict[str, tuple[Callable[[Rng], Canvas], dict[str, Defect]]] = {
    "fabric": (fabric, {"fold": fold, "hole": hole, "loose_thread": loose_thread, "stain": stain}),
    "washer": (washer, {"chip": chip, "dent": dent, "rust": rust, "scratch": scratch}),
}
"""Category → how its part is made, and what can befall it."""


# From a part to a picture


def draw(rng: Rng, category: str, defects: Sequence[str]) -> tuple[NDArray[np.uint8], Mask]:
    """A photograph (SIZE, SIZE, 3) of a part with these defects, each in its own place, and their mask."""
    make, kinds = PARTS[category]
    canvas = make(rng)
    mask: Mask = np.zeros((FINE, FINE), dtype=bool)
    for defect in defects:
        taken = ndimage.binary_dilation(mask, iterations=12) if mask.any() else mask
        for _ in range(40):
            marred, where = kinds[defect](rng, canvas)
            if not (where & taken).any():
                break
        canvas, mask = marred, mask | where
    return photograph(rng, canvas), _halve(mask.astype(np.float32)) >= 0.5


def photograph(rng: Rng, canvas: Canvas) -> NDArray[np.uint8]:
    """Light the part from the upper left and take its picture (SIZE, SIZE, 3)."""
    height, colour, gloss = _seen(canvas.layers)
    bearing, tilt = rng.normal(-2.3, 0.05), rng.normal(0.86, 0.02)
    lx, ly, lz = math.cos(bearing) * math.cos(tilt), math.sin(bearing) * math.cos(tilt), math.sin(tilt)
    gy, gx = (np.clip(slope, -2.5, 2.5) for slope in np.gradient(height))
    diffuse = np.clip((lz - gx * lx - gy * ly) / np.sqrt(1 + gx * gx + gy * gy), 0, None)
    lit, open_ = _shadow(height, lx, ly, lz)
    fall = 1 - 0.30 * ((X - 0.3 * FINE) * 0.6 + (Y - 0.3 * FINE) * 0.8) / FINE
    image = colour * (0.42 * open_ + 1.15 * lit * fall * diffuse)
    if gloss.any():
        image += gloss * _sheen(canvas, gx, gy, lx, ly, lz) * (0.25 + 0.75 * lit) * fall
    if rng.random() < 0.3:  # a harmless reflection of a window
        x, y, reach = rng.uniform(0, FINE), rng.uniform(0, FINE), rng.uniform(70, 150)
        glare = np.exp(-((X - x) ** 2 + (Y - y) ** 2) / reach**2)
        image += rng.uniform(0.01, 0.04) * glare * _rgb(1.0, 0.98, 0.92)
    return _expose(rng, image)


def _seen(layers: Sequence[Layer]) -> tuple[Plane, Plane, Plane]:
    """Height, colour and gloss of whatever lies on top."""
    height, colour, gloss = layers[0].height, layers[0].colour, layers[0].gloss
    for layer in layers[1:]:
        top = layer.there & (layer.height > height)
        height = np.where(top, layer.height, height)
        colour = np.where(top, layer.colour, colour)
        gloss = np.where(top, layer.gloss, gloss)
    return height, colour, gloss


def _shadow(height: Plane, lx: float, ly: float, lz: float) -> tuple[Plane, Plane]:
    """How much of the lamp, and of the room, each pixel sees: 0 to 1. Worked out on half the grid."""
    low = _halve(height)
    flat = math.hypot(lx, ly)
    above, around = np.zeros_like(low), np.pad(low, 40, mode="edge")
    for reach in range(2, 40, 3):
        dx, dy = 40 + round(reach * lx / flat), 40 + round(reach * ly / flat)
        blocked = around[dy : dy + SIZE, dx : dx + SIZE] - low - 2 * reach * lz / flat
        above = np.maximum(above, blocked)
    lit = 1 - ndimage.gaussian_filter(np.clip(above / 5, 0, 1), 1.6)
    pit = np.clip(ndimage.gaussian_filter(low, 5) - low, 0, None)
    return _double(lit), _double(np.exp(-0.06 * pit))


def _sheen(canvas: Canvas, gx: Plane, gy: Plane, lx: float, ly: float, lz: float) -> Plane:
    """The bow tie of light on a turned surface: it mirrors the lamp where the brushing runs across it."""
    tx, ty = -np.sin(canvas.q), np.cos(canvas.q)
    tz = tx * gx + ty * gy
    length = math.sqrt(2 + 2 * lz)
    hx, hy, hz = lx / length, ly / length, (lz + 1) / length
    along = (tx * hx + ty * hy + tz * hz) / np.sqrt(1 + tz * tz)
    facing = (hz - gx * hx - gy * hy) / np.sqrt(1 + gx * gx + gy * gy)
    band = np.exp(-24 * along * along)
    return np.asarray((0.95 * band + 0.12) * np.clip(facing, 0.2, 1) ** 2)


def _expose(rng: Rng, image: Plane) -> NDArray[np.uint8]:
    """Lens blur, vignette, exposure, white balance, shot and read noise, and the usual curve."""
    small = ndimage.gaussian_filter(_halve(image), (0, 0.4, 0.4))
    half = _halve((X / FINE - 0.5) ** 2 + (Y / FINE - 0.5) ** 2)
    small *= rng.normal(1.45, 0.05) * (1 - 0.45 * half) * _rgb(*rng.normal(1, 0.012, 3))
    noise = np.sqrt(3e-5 + 6e-4 * np.clip(small, 0, None))
    small += noise * rng.standard_normal(small.shape, dtype=np.float32)
    curve = 1.06 * np.clip(small, 0, None) ** (1 / 2.2)
    soft = np.where(curve > 0.8, 0.8 + 0.2 * np.tanh((curve - 0.8) / 0.2), curve)
    return np.clip(soft * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)


# Shapes and noise


def _cloud(rng: Rng, cell: float) -> Plane:
    """Smooth noise (FINE, FINE) with mean 0, spread about 1, and bumps about `cell` wide."""
    count = int(FINE / cell) + 4
    coarse = Image.fromarray(rng.standard_normal((count, count), dtype=np.float32))
    part = (1.5, 1.5, 1.5 + FINE / cell, 1.5 + FINE / cell)
    return np.asarray(coarse.resize((FINE, FINE), Image.Resampling.BICUBIC, box=part)) * np.float32(1.35)


def _polar_noise(rng: Rng, radius: Plane, angle: Plane) -> Plane:
    """Fine arcs around the centre, as left by a turning brush."""
    arcs = ndimage.gaussian_filter1d(rng.standard_normal((340, 24), dtype=np.float32), 0.8, axis=0)
    arcs += 0.7 * ndimage.gaussian_filter1d(rng.standard_normal((340, 24), dtype=np.float32), 2.5, axis=0)
    where = np.stack([radius, (angle + math.pi) * (24 / (2 * math.pi))])
    return np.asarray(ndimage.map_coordinates(arcs / arcs.std(), where, order=1, mode="grid-wrap"))


def _each(rng: Rng, number: Plane) -> Plane:
    """One random value (spread 1) for each thread."""
    return rng.standard_normal(256, dtype=np.float32)[number.astype(np.uint8)]


def _blob(rng: Rng, x: float, y: float, radius: float, *, rough: float) -> Plane:
    """An irregular patch: about the distance (FINE, FINE) from its edge, positive inside."""
    angle, long, turn = np.arctan2(Y - y, X - x), rng.uniform(0, 0.22), rng.uniform(0, np.pi)
    outline = 1 + long * np.cos(2 * (angle - turn))
    for wave in range(3, 8):
        outline += rough * rng.normal(0, 1.2) / wave * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(radius * outline - np.hypot(X - x, Y - y))


def _curve(rng: Rng, x: float, y: float, heading: float, length: float, *, wander: float) -> NDArray[np.float64]:
    """Points (n, 2) of a smooth line centred on (x, y), one every 4 px; `wander` is its curvature, 1/px."""
    count = int(length / 4)
    bend = ndimage.gaussian_filter1d(rng.standard_normal(count + 40), 8)[20:-20] * 5.3 * wander
    course = heading + np.cumsum(bend * 4)
    steps = 4 * np.stack([np.cos(course), np.sin(course)], axis=1)
    points = np.cumsum(steps, axis=0)
    return np.asarray(points - points.mean(axis=0) + (x, y))


def _distance(lines: Sequence[NDArray[np.float64]]) -> Plane:
    """Distance (FINE, FINE) from the nearest of these lines."""
    ink = Image.new("L", (FINE, FINE), 255)
    for line in lines:
        ImageDraw.Draw(ink).line([(float(x), float(y)) for x, y in line], fill=0)
    return np.asarray(ndimage.distance_transform_edt(np.asarray(ink)), dtype=np.float32)


def _string(lines: Sequence[NDArray[np.float64]], width: float, height: float, colour: Plane) -> Layer:
    """Round threads of this half width along these lines, their middle this high."""
    away = _distance(lines)
    round_: Plane = np.sqrt(np.clip(1 - (away / width) ** 2, 0, 1))
    return Layer(height + 1.6 * width * round_, colour, np.zeros_like(X), away < width)


def _on_ring(rng: Rng, canvas: Canvas, radius: float) -> tuple[float, float]:
    """A point of the washer at this distance from its centre."""
    angle = rng.uniform(0, 2 * np.pi)
    return canvas.centre[0] + radius * float(np.cos(angle)), canvas.centre[1] + radius * float(np.sin(angle))


def _in_frame(rng: Rng, margin: float) -> tuple[float, float]:
    """A point at least `margin` away from the picture's border."""
    x, y = rng.uniform(margin, FINE - margin, 2)
    return float(x), float(y)


def _ramp(low: float, high: float, value: Plane) -> Plane:
    """0 at `low`, 1 at `high`, smooth between; `low` may be the greater."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _rgb(red: float, green: float, blue: float) -> Plane:
    """A colour (3, 1, 1)."""
    return np.array([red, green, blue], dtype=np.float32).reshape(3, 1, 1)


def _paint(colour: tuple[float, float, float], shade: Plane) -> Plane:
    """A colour, lighter and darker: (3, FINE, FINE)."""
    return np.asarray(_rgb(*colour) * shade)


def _mix(under: Plane, over: Plane, share: Plane) -> Plane:
    return np.asarray(under + (over - under) * share)


def _halve(plane: Plane) -> Plane:
    """The mean of each 2 × 2 pixels."""
    rows = plane[..., ::2, :] + plane[..., 1::2, :]
    return np.asarray((rows[..., ::2] + rows[..., 1::2]) / 4)


def _double(plane: Plane) -> Plane:
    return np.repeat(np.repeat(plane, 2, axis=0), 2, axis=1)
