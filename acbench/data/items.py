"""Makes the record of an image from what is known of its files, and says what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from acbench.data import mask_content
from acbench.data.boxes import checked_boxes
from acbench.data.checks import marked_normal
from acbench.data.hashing import FileFacts
from acbench.data.images import JPEG_MASK
from acbench.data.sources import FoundImage, Source
from acbench.records import GOOD, Finding, Item, item_id, mask_files, mask_hash, united

if TYPE_CHECKING:
    from acbench.data.ingest import Naming


def item_of(
    source: Source, found: FoundImage, facts: Mapping[str, FileFacts], naming: Naming
) -> tuple[Item, list[Finding]]:
    """The record of one image, without a mask that cannot be used, and what is wrong with the image and its mask."""
    image = facts.get(found.image, FileFacts())
    image_fault = found.problem or _image_fault(found.image, image)
    files = mask_files(found.mask) if found.mask is not None else ()
    is_anomalous = found.anomalous
    if is_anomalous is None:
        is_anomalous = any(_marks(facts[path]) for path in files)
    faults = {path: _mask_fault(path, facts[path], image, is_anomalous=is_anomalous) for path in files}
    used = [path for path in files if is_anomalous and not ((fault := faults[path]) and fault.failed)]
    if used:  # of several masks, some may mark nothing: what the others mark is what counts
        faults = {path: fault for path, fault in faults.items() if not (fault and fault.kind == "empty_mask")}
    boxes, box_faults = checked_boxes(found, (image.width, image.height))
    category = naming.key_of(found.category)
    item = Item(
        item_id=item_id(naming.prefix, found.category if naming.by_folder else category, found.image),
        dataset=source.name,
        category=category,
        split=found.split,
        image=found.image,
        sha256=image.sha256,
        width=image.width,
        height=image.height,
        mode=image.mode,
        mask=united(used) or None,
        mask_sha256=mask_hash([facts[path].sha256 for path in used]) if used else None,
        anomalous=is_anomalous,
        source_labels=(GOOD,) if found.anomalous is None and not is_anomalous else found.source_labels,
        licence=naming.licence,
        problem=image_fault.detail if image_fault else "",
        boxes=boxes,
    )
    more = _first_frame(found.image, image)
    return item, [fault for fault in (image_fault, *more, *faults.values(), *box_faults) if fault]


def _marks(mask: FileFacts) -> bool:
    """Whether a mask marks anything, or cannot tell because it cannot be read."""
    return mask.mask is None or mask.mask.marked > 0


def _first_frame(path: str, image: FileFacts) -> list[Finding]:
    if not image.more:
        return []
    detail = "it holds several pictures: the first is read"
    return [Finding(path=path, kind="first_frame", detail=detail, hint="save others as files of their own to use them")]


def _image_fault(path: str, image: FileFacts) -> Finding | None:
    return _fault(path, "unreadable_image", image.problem, image.hint) if image.problem else None


def _mask_fault(path: str, mask: FileFacts, image: FileFacts, *, is_anomalous: bool) -> Finding | None:
    """What is wrong with the mask of an image; one that `failed` is not used."""
    if mask.problem:
        return _fault(path, "unreadable_mask", f"the mask: {mask.problem}", mask.hint)
    if mask.format == "JPEG":
        return _fault(path, "unreadable_mask", JPEG_MASK, "a mask that was never a JPEG, as PNG, would do")
    if image.width and (mask.width, mask.height) != (image.width, image.height):
        detail = f"the mask is {mask.width}×{mask.height}, its image {image.width}×{image.height}"
        return _fault(
            path, "mask_size", detail, "one of them was resized, or they are of two versions: see where they came from"
        )
    assert mask.mask is not None, "whatever can be decoded was looked at"
    pixels = mask.width * mask.height
    if not is_anomalous:
        return marked_normal(path, mask.mask, pixels)
    fault = mask_content.fault(mask.mask, pixels)
    if fault is None:
        return None
    return Finding(path=path, kind=fault.kind, detail=fault.detail, hint=fault.hint, failed=not fault.usable)


def _fault(path: str, kind: str, detail: str, hint: str) -> Finding:
    return Finding(path=path, kind=kind, detail=detail, hint=hint, failed=True)
