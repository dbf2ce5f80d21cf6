"""Ingests a dataset: its files become items, and a list of everything that is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from acbench._util.plural import counted
from acbench.data import mask_content
from acbench.data.boxes import checked_boxes
from acbench.data.checks import duplicates, marked_normal, mixed, used_bits
from acbench.data.findings import FindingClass, by_weight, condense
from acbench.data.hashing import FileFacts, FileHasher
from acbench.data.images import JPEG_MASK, ImageReader
from acbench.data.listing import Listing, list_images
from acbench.data.sources import FoundImage, Source
from acbench.records import GOOD, Finding, Item, item_id, mask_files, mask_hash, united
from acbench.storage.build import records_key
from acbench.storage.digests import digest
from acbench.storage.folder_state import settled_state
from acbench.storage.roots import Root
from acbench.storage.stored_rows import by_item_id, grouped

TOGETHER = 20_000
"""Images whose files are read together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What the items of a dataset are called, and under which licence their images are."""

    prefix: str
    """What their ids begin with."""
    licence: str
    """SPDX id."""
    key_of: Callable[[str], str] = str
    """The source's name of a category → the category of its items."""
    by_folder: bool = False
    """Whether ids hold the source's name of the category, even where the items have another."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a dataset's folders just before its files were read."""

    folders: tuple[str, ...]
    """Paths of all folders that were looked into."""
    state: str
    """As long as `folder_state` of these gives this digest, the dataset is what it was."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A dataset, or a part of it, as it is on disk."""

    root: Root
    """What `Item.image` and `Item.mask` are relative to: the folder above the categories."""
    items: Sequence[Item]
    """Sorted by path; those that cannot be used have a `problem`."""
    findings: Sequence[Finding]
    """Sorted by path; many of a kind in one folder are one."""
    finding_classes: list[FindingClass] = field(default_factory=list)
    """All findings by kind, the weightiest first."""
    limit: int | None = None
    """At most this many images of a category were taken; None if all were."""
    bits: Mapping[str, int] = field(default_factory=dict)
    """Category → how many of 16 bits its grey images use, where these are fewer than 16."""
    boxed: bool = False
    """Whether boxes mark places of some images."""
    seen: Seen | None = None
    """What tells that nothing has changed; None where only reading again would tell."""
    items_key: str = ""
    """`records_key` of the items, if that is known without them."""

    @cached_property
    def images(self) -> ImageReader:
        """Reads the images and masks."""
        bits = self.bits and {item.image: self.bits[item.category] for item in self.items if item.category in self.bits}
        return ImageReader(self.root, bits, boxed=self.boxed)

    @cached_property
    def by_id(self) -> Mapping[str, Item]:
        """item_id → item."""
        return by_item_id(self.items)

    @cached_property
    def by_category(self) -> Mapping[str, Sequence[Item]]:
        """Category → its items, sorted by path; the categories in the order in which they come."""
        return grouped(self.items, "category")

    @cached_property
    def key(self) -> str:
        """A hash of all items, and of how their images are read, 16 hex."""
        return digest(self.key_of_items, *self.images.key) if self.bits else self.key_of_items

    @cached_property
    def key_of_items(self) -> str:
        """`records_key` of the items."""
        return self.items_key or records_key(self.items)

    @cached_property
    def image_counts(self) -> Mapping[str, int]:
        """Category → number of its images."""
        return Counter({category: len(items) for category, items in self.by_category.items()})


def ingest(
    source: Source,
    root: Root,
    *,
    categories: Collection[str] = (),
    limit: int | None = None,
    hasher: FileHasher | None = None,
    naming: Naming | None = None,
) -> Dataset:
    """Read a dataset: hash every image, read its header, pair it with its mask. Raises SourceError for a wrong root.

    `root`, `categories` and `limit` choose a part of the dataset: see `acbench.data.listing.list_images`.
    `naming`: None for the source's own names and licence.
    """
    naming = naming or Naming(prefix=source.name, licence=source.licence)
    listing = list_images(source, root, categories=categories, limit=limit)
    seen = _seen(listing)  # before files are read: whatever is written from now on shows later
    hasher = hasher or FileHasher()
    items: list[Item] = []
    findings = list(listing.findings)
    peaks: dict[str, tuple[Item, int | None]] = {}
    is_read = True  # what could not be read may be next time
    done, total = 0, len(listing.files)
    images = sorted(listing.images, key=lambda image: image.image)
    for begin in range(0, len(images), TOGETHER):  # the facts of all files at once would fill memory
        part = replace(listing, images=images[begin : begin + TOGETHER])
        masks = part.masks
        facts = hasher.facts_of(listing.location.tree, part.files, masks, before=done, total=total)
        done += len(facts)
        is_read = is_read and all(each.sha256 for each in facts.values())
        for image in part.images:
            item, faults = _item(source, image, facts, naming)
            items.append(item)
            findings += faults
            if image.image in facts and facts[image.image].peak is not None:
                peaks[image.image] = item, facts[image.image].peak
    findings += duplicates(items)
    findings += mixed(items)
    bits, faults = used_bits(peaks)
    findings += faults
    return Dataset(
        root=listing.location.root,
        items=items,
        findings=condense(findings),
        finding_classes=by_weight(findings),
        limit=limit,
        bits=bits,
        boxed=any(item.marking == "boxes" for item in items),
        seen=seen if is_read else None,
    )


def _seen(listing: Listing) -> Seen | None:
    folders = listing.location.tree.looked_into(listing.files)
    state = settled_state(folders) if folders else None
    return Seen(tuple(folders or ()), state.digest) if state else None


def is_complete(source: Source, dataset: Dataset) -> bool:
    """Whether every image of the source's dataset is there; True if the source does not know how many there are."""
    return not source.image_counts or _known_counts(source, dataset) == source.image_counts


def describe(source: Source, dataset: Dataset) -> str:
    """One line: whether it is the complete dataset or which part of it, and what cannot be used."""
    counts, known = dataset.image_counts, _known_counts(source, dataset)
    masks = _marked(dataset)
    if source.image_counts:
        share = "all" if is_complete(source, dataset) else "a part"
        images = f"{sum(known.values()):,} of {sum(source.image_counts.values()):,} images"
        line = f"{share} of {source.name}: {images}, {len(known)} of {len(source.image_counts)} categories, {masks}"
        if unknown := sorted(set(counts) - set(known)):
            others = sum(counts[category] for category in unknown)
            line += f"; besides, {others:,} images of categories that it does not have: {', '.join(unknown)}"
    else:
        images = f"{counted(len(dataset.items), 'image')}, {counted(len(counts), 'category', 'categories')}"
        line = f"{source.title}: {images}, {masks}"
    if dataset.limit is not None:
        line += f"; at most {dataset.limit:,} images of a category were asked for"
    if unusable := sum(bool(item.problem) for item in dataset.items):
        line += f"; {counted(unusable, 'image')} cannot be used"
    return line


def _marked(dataset: Dataset) -> str:
    """How many anomalous images have masks, and how many boxes."""
    anomalous = [item for item in dataset.items if item.anomalous]
    masked, boxed = (sum(item.marking == kind for item in anomalous) for kind in ("mask", "boxes"))
    total = f"of {len(anomalous):,} anomalous images"
    if not boxed:
        return f"masks for {masked:,} {total}"
    return f"boxes for {boxed:,} {total}" + (f", masks for {masked:,}" if masked else "")


def _known_counts(source: Source, dataset: Dataset) -> dict[str, int]:
    """Category → number of its images, of the categories that the complete dataset has."""
    return {category: count for category, count in dataset.image_counts.items() if category in source.image_counts}


def _item(
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
