"""Tells the product in an image from an even background, where that can be done, and whether its outline is a circle.

The background is the colour of the image's border. What differs from it by more than half of Otsu's threshold, and
hangs together, is the product. That fails where the product fills the image, as textures do, so a result is only given
if it passes the tests of `find_product`. On MVTec-AD they hold for bottle, capsule, hazelnut, metal_nut, pill, screw
and toothbrush, and for no image at hand of cable, transistor, zipper and the five textures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

from acbench.data.regions import Mask, longest_extent

EDGE = 256
"""The longer edge of the image on which the product is sought, pixels."""
BORDER = 0.02
"""Width of the border that shows background only, as a share of the longer edge."""
SEPARATION = 0.75
"""Least share of the variance of the distance to the background that Otsu's threshold explains. On MVTec-AD products on
an even background have 0.77 to 0.98, textures at most 0.75."""
CONNECTED = 0.95
"""Least share of what differs from the background that hangs together: a texture falls into many parts."""
ROUND = 0.93
"""Least share of the circle around the product's centre that it fills, to be called round. Bottles seen from above have
0.96 to 0.98, the next (metal_nut) 0.83."""


@dataclass(frozen=True)
class Product:
    """Where the product is in an image."""

    area: Mask
    """bool[h, w] on a smaller image, holes filled."""
    scale: float
    """Pixels of the image for one of `area`."""

    @cached_property
    def pixels(self) -> float:
        """How many pixels of the image it covers."""
        return float(np.count_nonzero(self.area)) * self.scale**2

    @cached_property
    def extent(self) -> float:
        """Its longest extent, in pixels of the image."""
        return longest_extent(self.area) * self.scale

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Its centre of mass, as (x, y) in pixels of the image."""
        rows, columns = np.nonzero(self.area)
        return (float(columns.mean()) + 0.5) * self.scale, (float(rows.mean()) + 0.5) * self.scale

    @cached_property
    def radius(self) -> float:
        """The radius of a disc of the same area, in pixels of the image."""
        return math.sqrt(self.pixels / math.pi)

    @cached_property
    def is_round(self) -> bool:
        """Whether it is a disc or a ring: it fills ROUND of the circle around its centre."""
        rows, columns = np.nonzero(self.area)
        farthest = float(np.hypot(rows - rows.mean(), columns - columns.mean()).max()) + 0.5
        return len(rows) >= ROUND * math.pi * farthest**2


def find_product(image: Image.Image) -> Product | None:
    """The product in an RGB image; None if it cannot be told from the background."""
    scale = max(1.0, max(image.size) / EDGE)
    width, height = (max(1, round(side / scale)) for side in image.size)
    small = image.resize((width, height), Image.Resampling.BOX)
    pixels = ndimage.gaussian_filter(np.asarray(small, dtype=np.float32), (1, 1, 0))
    border = np.ones((height, width), dtype=np.bool_)
    thick = max(1, round(BORDER * EDGE))
    border[thick:-thick, thick:-thick] = False
    background = np.median(pixels[border], axis=0)
    distance = np.abs(pixels - background).max(axis=2)
    if float(np.ptp(distance)) < 1:  # less than a grey level: nothing to tell apart
        return None
    threshold, separation = _otsu(distance)
    # A tenth of the border may be something else: a shadow, or a product that reaches out of the image.
    noise = float(np.quantile(distance[border], 0.9))
    if separation < SEPARATION or noise > threshold / 2:
        return None
    parts, count = ndimage.label(distance > threshold / 2)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    if not count or sizes.max() < CONNECTED * sizes.sum():
        return None
    return Product(np.asarray(ndimage.binary_fill_holes(parts == sizes.argmax() + 1), dtype=np.bool_), scale)


def _otsu(values: NDArray[np.float32]) -> tuple[float, float]:
    """Otsu's threshold of some values, and the share of their variance between the two parts (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=128)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts) / values.size
    mean = np.cumsum(counts * centres) / values.size
    apart = below * (1 - below)
    between = np.where(apart > 0, (mean[-1] * below - mean) ** 2 / np.where(apart > 0, apart, 1), 0)
    best, variance = int(between.argmax()), float(values.var())
    return float(centres[best]), float(between[best]) / variance if variance else 0.0
