"""Draws what is marked as lines around it: a red fill would hide the defect that a person is to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acbench.data.regions import Box, Mask, bounds, components

if TYPE_CHECKING:
    import fiftyone as fo

ANOMALY = "anomaly"
"""What a mask marks, a box holds, and a line goes around."""
BESIDE = 2
"""Pixels between the marked place and the line. A mark of one pixel gets a line too."""


TINY = 0.05
"""An anomaly whose longer side is less than this share of the image's is framed, since nobody would see its outline."""
FRAME = 0.12
"""The edge of that frame, as a share of the image's longer edge."""


def around(mask: Mask | None) -> fo.Polylines | None:
    """Closed lines around all that a mask marks, bool[H, W], and frames around tiny places; None if that is nothing."""
    import fiftyone as fo
    import numpy as np
    from scipy.ndimage import binary_dilation

    if mask is None or not mask.any():
        return None
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    margin = BESIDE + 2
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    part = mask[top : rows[-1] + margin + 1, left : columns[-1] + margin + 1]  # the rest of a large image takes long
    wide = binary_dilation(part, iterations=BESIDE).astype(np.uint8)
    lines = fo.Segmentation(mask=wide).to_polylines(mask_targets={1: ANOMALY}, tolerance=1)
    high, broad = part.shape
    for line in lines.polylines:
        line.closed, line.filled = True, False
        line.label = None  # a word beside the line would hide what is within
        line.points = [
            [(float((left + x * broad) / width), float((top + y * high) / height)) for x, y in shape]
            for shape in line.points
        ]
    lines.polylines += [
        fo.Polyline(points=[_corners(box, width, height)], closed=True, filled=False) for box in frames(mask)
    ]
    return lines


def frames(mask: Mask) -> list[Box]:
    """Squares that lead the eye to the tiny places of a mask: one if all of them lie within it."""
    longest = max(mask.shape)
    edge = round(FRAME * longest)
    everything = bounds(mask)
    if everything is None or min(mask.shape) < 2 * edge:
        return []
    if max(everything.width, everything.height) < TINY * longest:
        return [_square(everything, edge)]
    places = [box for place in components(mask) if (box := bounds(place)) is not None]
    return [_square(box, edge) for box in places if max(box.width, box.height) < TINY * longest]


def _square(box: Box, edge: int) -> Box:
    left, top = (box.left + box.right - edge) // 2, (box.top + box.bottom - edge) // 2
    return Box(left, top, left + edge, top + edge)


def _corners(box: Box, width: int, height: int) -> list[tuple[float, float]]:
    """The corners of a box that lie on the image, as shares of its size."""
    left, right = (min(max(x / width, 0.0), 1.0) for x in (box.left, box.right))
    top, bottom = (min(max(y / height, 0.0), 1.0) for y in (box.top, box.bottom))
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
