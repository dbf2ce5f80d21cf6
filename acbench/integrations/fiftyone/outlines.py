"""Draws what is marked as lines around it: a red fill would hide the defect that a person is to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acbench.data.regions import Mask

if TYPE_CHECKING:
    import fiftyone as fo

ANOMALY = "anomaly"
"""What a mask marks, a box holds, and a line goes around."""
BESIDE = 2
"""Pixels between the marked place and the line. A mark of one pixel gets a line too."""


def around(mask: Mask | None) -> fo.Polylines | None:
    """Closed lines around all that a mask marks, bool[H, W]; None if that is nothing."""
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
    return lines
