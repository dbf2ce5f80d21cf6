"""Decides whether two images show their product in the same place and pose, so that equal pixels are equal parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

from acbench.data.regions import Mask

ALIKE = 0.85
"""Correlation of the edges of two images from which on they count as aligned.

Chosen on MVTec-AD, where a wrong "same place" would mislead. Screws lie in any direction: none of 160 is aligned with
the normal one that questions show, and 1.2 % of 3,000 pairs of normal ones are, all within a few pixels; below 0.84 the
tip may be beside the other's. Bottles look alike from all sides: 81 of 83 are aligned. So are all images at hand of
capsule, pill and toothbrush (at least 0.95) and one of four zippers, whose teeth are shifted; none of cable, hazelnut,
metal_nut and transistor (at most 0.65), and none of the textures (at most 0.07).
"""
EDGE = 96
"""Width and height of the pictures that are compared, pixels: a shift of a hundredth of the image counts little."""
_BLUR = 1.0
"""Standard deviation, in pixels of those pictures."""

Edges = NDArray[np.float64]


def edges(image: Image.Image) -> Edges:
    """The strength of the grey edges of an image, float64[EDGE, EDGE]."""
    small = image.convert("L").resize((EDGE, EDGE), Image.Resampling.BOX)
    strength: Edges = ndimage.gaussian_gradient_magnitude(np.asarray(small, dtype=np.float64), _BLUR)
    return strength


def correlation(one: Edges, other: Edges, mask: Mask) -> float:
    """The normalised cross-correlation, -1 to 1, of two images' edges beside what `mask`, bool[H, W], marks on one.

    0 if nothing is left to compare.
    """
    marked = Image.fromarray(mask.astype(np.float32)).resize((EDGE, EDGE), Image.Resampling.BOX)
    # Edges of the defect reach beyond its mask.
    beside = ~ndimage.binary_dilation(np.asarray(marked) > 0, structure=np.ones((3, 3)), iterations=3)
    left, right = one[beside], other[beside]
    if not left.size:
        return 0.0
    left, right = left - left.mean(), right - right.mean()
    norm = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / norm if norm > 0 else 0.0


def is_aligned(image: Image.Image, mask: Mask, reference: Image.Image) -> bool:
    """Whether an image and a normal one, of the same size, show the product alike beside what the mask marks."""
    return image.size == reference.size and correlation(edges(image), edges(reference), mask) >= ALIKE
