"""Draws marks on the pixels of an image: an outline around an anomaly, frames and corners around places.

Pixels are uint8[H, W, 3] and are changed in place; masks are bool[H, W], True where anomalous.
"""

from __future__ import annotations

from collections.abc import Iterator

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
    for (outer, inner), colour in (((0, -1), _WHITE), ((-1, -2), _GREY)):
        for side in _sides(box, outer, inner):
            pixels[side][~mask[side]] = colour


def draw_corners(pixels: Pixels, box: Box) -> None:
    """Draw four corners, white with dark edges, a little outside a box."""
    rows, columns = (np.ones(length, dtype=np.bool_) for length in pixels.shape[:2])
    rows[_gap(box.top, box.bottom)] = False
    columns[_gap(box.left, box.right)] = False
    for (outer, inner), colour in (((11, 8), _BLACK), ((10, 9), _WHITE)):
        for side in _sides(box, outer, inner):
            pixels[side][np.outer(rows[side[0]], columns[side[1]])] = colour


def _grown(mask: Mask, reach: int) -> Mask:
    grown: Mask = ndimage.maximum_filter(mask, size=2 * reach + 1, mode="constant")
    return grown


def _gap(start: int, end: int) -> slice:
    """The part of a side between its two corners, at least a third of the side."""
    arm = min((end - start) // 3, 10)
    return slice(max(start + arm, 0), max(end - arm, 0))


def _sides(box: Box, outer: int, inner: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the four sides of what lies between the box grown by `outer` and that by `inner` pixels."""
    rows, columns = (box.top - outer, box.bottom + outer), (box.left - outer, box.right + outer)
    for start, end in _ends(rows, outer - inner):
        yield _part(start, end), _part(*columns)
    for start, end in _ends(columns, outer - inner):
        yield _part(*rows), _part(start, end)


def _ends(stretch: tuple[int, int], width: int) -> Iterator[tuple[int, int]]:
    """The first and the last `width` pixels of a stretch, or all of it if it is shorter."""
    start, end = stretch
    yield start, min(start + width, end)
    yield max(end - width, start), end


def _part(start: int, end: int) -> slice:
    """The part of a stretch that lies on an image."""
    return slice(max(start, 0), max(end, 0))
