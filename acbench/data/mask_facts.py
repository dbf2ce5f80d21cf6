"""Measures what a mask marks: how many places, how large, how long, over which arc of a round product.

A mask may be a little off, so the figures are too. On the bottles of MVTec-AD, 20 of 20 images of `broken_large` and
18 of 22 of `broken_small` lie on their side of an arc of 95 degrees; of the other four (108, 120, 156 and 176
degrees), one is known to be in the wrong folder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from acbench.data.foreground import Product, find_product
from acbench.data.regions import MAX_COMPONENTS, Mask, components, longest_extent

CORE = 0.2
"""Within this share of a round product's radius, directions from its centre mean nothing."""
IN_CORE = 0.05
"""A place with more than this share of its pixels in the core has no arc."""
SPECK = 3e-6
"""A place smaller than this share of the image is none: 3 pixels of 1024 × 1024. A spot three pixels wide counts."""
_STEPS = 720
"""Directions around the centre that are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFacts:
    """What a mask tells in figures."""

    places: int
    """Separate places, as `regions.components` counts them, specks aside."""
    many: bool
    """Whether there may be more places than were counted."""
    share: float
    """Share of the image that is marked."""
    share_of_product: float | None
    """Marked area as a share of the product's; None if the product cannot be told from the background."""
    longest: float
    """Longest extent of the largest place, pixels."""
    longest_of_image: float
    """The same as a share of the longer edge of the image."""
    longest_of_product: float | None
    """The same as a share of the product's longest extent."""
    arc: float | None
    """Degrees that the largest place takes of a circle around the product's centre; None if the product is not round
    (`foreground.Product.is_round`), or if the place reaches its middle."""
    at_edge: bool
    """Whether a marked pixel lies on the edge of the image."""


def measure(image: Image.Image, mask: Mask) -> MaskFacts:
    """Measure a mask, bool[H, W], that marks something on its image. Raises ValueError if it marks nothing."""
    places = components(mask, least=SPECK)
    if not places:
        raise ValueError("nothing is marked")
    product = find_product(image)
    longest = longest_extent(places[0])
    return MaskFacts(
        places=len(places),
        many=len(places) == MAX_COMPONENTS,
        share=float(np.count_nonzero(mask)) / mask.size,
        share_of_product=float(np.count_nonzero(mask)) / product.pixels if product else None,
        longest=longest,
        longest_of_image=longest / max(mask.shape),
        longest_of_product=longest / product.extent if product else None,
        arc=arc(places[0], product) if product and product.is_round else None,
        at_edge=bool(mask[[0, -1]].any() or mask[:, [0, -1]].any()),
    )


def arc(place: Mask, product: Product) -> float | None:
    """The degrees of a circle around the product's centre that a place takes; None if it reaches the middle."""
    rows, columns = np.nonzero(place)
    x, y = product.centre
    right, down = columns + 0.5 - x, rows + 0.5 - y
    outside = np.hypot(right, down) >= CORE * product.radius
    if outside.mean() < 1 - IN_CORE:
        return None
    directions = np.arctan2(down[outside], right[outside]) % (2 * np.pi) * _STEPS / (2 * np.pi)
    taken = np.unique(directions.astype(np.int64) % _STEPS)
    widest_gap = int(np.diff(np.append(taken, taken[0] + _STEPS)).max())
    return (_STEPS - widest_gap + 1) * 360 / _STEPS
