"""Checks the boxes that a dataset draws around anomalies, and rounds them to pixels of their image."""

from __future__ import annotations

import math
from collections import Counter

from acbench.data.sources import FoundImage
from acbench.records import Box, Finding

MOST = 1000
"""Boxes of one image that are kept."""
BEYOND = 0.02
"""A box may pass the border by this share of the image's longer edge: annotators' tools do that."""


def checked_boxes(found: FoundImage, size: tuple[int, int]) -> tuple[tuple[Box, ...], list[Finding]]:
    """The boxes of an image of that (width, height) in whole pixels, and what is wrong with them.

    A box is rounded to the pixels that it touches, and cut at the border. One that holds no pixel is not used, and
    neither are the boxes of a normal image. Of an image without a size there are none.
    """
    if not found.boxes or 0 in size:
        return (), []
    count = f"{len(found.boxes):,} box{'es' if len(found.boxes) > 1 else ''}"
    if found.anomalous is False:
        detail = f"the image is called normal, and it has {count}: not used"
        hint = "one of the two is wrong: give the image the label of its defect, or take the boxes away"
        return (), [Finding(path=found.image, kind="marked_normal", detail=detail, hint=hint)]
    faults: Counter[str] = Counter()
    boxes: dict[Box, None] = {}
    scale = size if found.box_unit == "image" else (1, 1)
    for box in found.boxes:
        if not all(map(math.isfinite, box)):
            faults["hold no pixel of the image"] += 1
            continue
        left, top, right, bottom = (value * scale[number % 2] for number, value in enumerate(box))
        inside = (max(math.floor(left + _SLACK), 0), max(math.floor(top + _SLACK), 0),
                  min(math.ceil(right - _SLACK), size[0]), min(math.ceil(bottom - _SLACK), size[1]))  # fmt: skip
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            faults["hold no pixel of the image"] += 1
            continue
        if max(-left, -top, right - size[0], bottom - size[1]) > max(BEYOND * max(size), 1):
            faults["pass its border and are cut there"] += 1
        boxes[inside] = None
    if len(boxes) > MOST:
        faults[f"are more than the {MOST:,} that are kept"] = len(boxes) - MOST
    hint = "see that boxes and image belong together, and that the boxes are written as they are read"
    findings = [
        Finding(path=found.image, kind="bad_box", detail=f"{number:,} of its {count} {fault}", hint=hint)
        for fault, number in faults.items()
    ]
    return tuple(boxes)[:MOST], findings


_SLACK = 0.05
"""A box that reaches less far into a pixel does not touch it: shares of an image are written with few digits."""
