"""Evidence pictures of the review queue, as JPEG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from acbench import evidence, imaging
from acbench.errors import AcbenchError
from acbench.records import Item

QUALITY = 88


def picture(item: Item, reference: Item | None, root: Path, lines: Sequence[str]) -> bytes:
    """The picture that a person decides by. What cannot be opened is said in the picture instead of shown."""
    image = mask = normal = None
    notes = list(lines)
    try:
        image = imaging.open_image(root / item.image, root)
        if item.mask is not None:
            mask = imaging.open_mask(root / item.mask, root, image.size)
    except AcbenchError as error:
        notes.append(error.message)
    if reference is not None:
        try:
            normal = imaging.open_image(root / reference.image, root)
        except AcbenchError as error:
            notes.append(error.message)
    drawn = evidence.picture(image, mask, normal, title=item.image, lines=notes)
    sink = io.BytesIO()
    drawn.save(sink, "JPEG", quality=QUALITY)
    return sink.getvalue()
