"""Lights a part and photographs it: one lamp and one camera, the same for every image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

from acbench.data.sample.layers import FINE, SIZE, Canvas, Layer, Plane, Rng, X, Y, double, halve, rgb


def photograph(rng: Rng, canvas: Canvas) -> NDArray[np.uint8]:
    """Light a part from the upper left and photograph it, as uint8 (SIZE, SIZE, 3)."""
    height, colour, gloss = _top(canvas.layers)
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
        image += rng.uniform(0.01, 0.04) * glare * rgb(1.0, 0.98, 0.92)
    return _expose(rng, image)


def _top(layers: Sequence[Layer]) -> tuple[Plane, Plane, Plane]:
    """Height, colour and gloss of the layer that lies on top at each pixel."""
    height, colour, gloss = layers[0].height, layers[0].colour, layers[0].gloss
    for layer in layers[1:]:
        visible = layer.there & (layer.height > height)
        height = np.where(visible, layer.height, height)
        colour = np.where(visible, layer.colour, colour)
        gloss = np.where(visible, layer.gloss, gloss)
    return height, colour, gloss


def _shadow(height: Plane, lx: float, ly: float, lz: float) -> tuple[Plane, Plane]:
    """How much of the lamp, and of the room, each pixel sees, 0 to 1; computed at half the resolution."""
    low = halve(height)
    flat = math.hypot(lx, ly)
    above, around = np.zeros_like(low), np.pad(low, 40, mode="edge")
    for reach in range(2, 40, 3):
        dx, dy = 40 + round(reach * lx / flat), 40 + round(reach * ly / flat)
        blocked = around[dy : dy + SIZE, dx : dx + SIZE] - low - 2 * reach * lz / flat
        above = np.maximum(above, blocked)
    lit = 1 - ndimage.gaussian_filter(np.clip(above / 5, 0, 1), 1.6)
    pit = np.clip(ndimage.gaussian_filter(low, 5) - low, 0, None)
    return double(lit), double(np.exp(-0.06 * pit))


def _sheen(canvas: Canvas, gx: Plane, gy: Plane, lx: float, ly: float, lz: float) -> Plane:
    """The bow-tie reflection of a turned surface, which mirrors the lamp where the brushing runs across the light."""
    tx, ty = -np.sin(canvas.q), np.cos(canvas.q)
    tz = tx * gx + ty * gy
    length = math.sqrt(2 + 2 * lz)
    hx, hy, hz = lx / length, ly / length, (lz + 1) / length
    along = (tx * hx + ty * hy + tz * hz) / np.sqrt(1 + tz * tz)
    facing = (hz - gx * hx - gy * hy) / np.sqrt(1 + gx * gx + gy * gy)
    band = np.exp(-24 * along * along)
    return np.asarray((0.95 * band + 0.12) * np.clip(facing, 0.2, 1) ** 2)


def _expose(rng: Rng, image: Plane) -> NDArray[np.uint8]:
    """Apply lens blur, vignette, exposure, white balance, shot and read noise, and a tone curve."""
    small = ndimage.gaussian_filter(halve(image), (0, 0.4, 0.4))
    half = halve((X / FINE - 0.5) ** 2 + (Y / FINE - 0.5) ** 2)
    small *= rng.normal(1.45, 0.05) * (1 - 0.45 * half) * rgb(*rng.normal(1, 0.012, 3))
    noise = np.sqrt(3e-5 + 6e-4 * np.clip(small, 0, None))
    small += noise * rng.standard_normal(small.shape, dtype=np.float32)
    curve = 1.06 * np.clip(small, 0, None) ** (1 / 2.2)
    soft = np.where(curve > 0.8, 0.8 + 0.2 * np.tanh((curve - 0.8) / 0.2), curve)
    return np.clip(soft * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
