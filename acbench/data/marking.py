"""Draws marks on the pixels of an image: an outline around an anomaly, frames and corners around places.

Pixels are uint8[H, W, 3] and are changed in place; masks are bool[H, W], True where anomalous.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

from acbench.data.regions import Box, Mask, bounds

Pixels = NDArray[np.uint8]

_RED, _BLACK, _GREY, _WHITE = (255, 24, 24), (16, 0, 0), (100, 100, 104), (255, 255, 255)


def outline(mask: Mask, width: int, gap: int = 0) -> Mask:
    """The band, bool[H, W], `width` pixels wide, that leaves `gap` pixels free around the anomaly."""
    inside = _grown(mask, gap) if gap else mask
    return _grown(mask, gap + width) & ~inside


def draw_outline(pixels: Pixels, mask: Mask, width: int, gap: int = 0) -> None:
    """Draw a red line with a dark edge around the anomaly; `gap` pixels around it stay as they are."""
    box = bounds(mask)
    if box is None:
        return
    reach = gap + width + 1  # nothing beyond it changes, and filters take long
    window = np.s_[max(box.top - reach, 0) : box.bottom + reach, max(box.left - reach, 0) : box.right + reach]
    pixels[window][outline(mask[window], width + 1, gap)] = _BLACK
    pixels[window][outline(mask[window], width, gap)] = _RED


def draw_frame(pixels: Pixels, mask: Mask, box: Box) -> None:
    """Draw a thin white frame with a grey edge just inside a box, but not over the anomaly."""
    pixels[_ring(mask.shape, box, 0, -1) & ~mask] = _WHITE
    pixels[_ring(mask.shape, box, -1, -2) & ~mask] = _GREY


def draw_corners(pixels: Pixels, box: Box) -> None:
    """Draw four corners, white with dark edges, a little outside a box."""
    corners = np.ones(pixels.shape[:2], dtype=np.bool_)
    corners[_gap(box.top, box.bottom), :] = False
    corners[:, _gap(box.left, box.right)] = False
    pixels[_ring(corners.shape, box, 11, 8) & corners] = _BLACK
    pixels[_ring(corners.shape, box, 10, 9) & corners] = _WHITE


def _grown(mask: Mask, reach: int) -> Mask:
    grown: Mask = ndimage.maximum_filter(mask, size=2 * reach + 1, mode="constant")
    return grown


def _gap(start: int, end: int) -> slice:
    """The part of a side between its two corners, at least a third of the side."""
    arm = min((end - start) // 3, 10)
    return slice(max(start + arm, 0), max(end - arm, 0))


def _ring(shape: tuple[int, ...], box: Box, outer: int, inner: int) -> Mask:
    """The pixels, bool[H, W], between the box grown by `outer` and the box grown by `inner` pixels."""
    ring = np.zeros(shape, dtype=np.bool_)
    for grow, value in ((outer, True), (inner, False)):
        rows = np.s_[max(box.top - grow, 0) : max(box.bottom + grow, 0)]
        columns = np.s_[max(box.left - grow, 0) : max(box.right + grow, 0)]
        ring[rows, columns] = value
    return ring
