"""Ingests a dataset: its files become items, and a list of everything that is wrong with it."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from acbench._util.garbage import uncollected
from acbench._util.plural import counted
from acbench.data.checks import SeenImages, duplicates
from acbench.data.findings import FindingClass, by_weight, condense
from acbench.data.hashing import FileHasher
from acbench.data.images import ImageReader
from acbench.data.items import item_of
from acbench.data.listing import Listing, Part, files_of, list_images, masks_of
from acbench.data.sources import FoundImage, Source
from acbench.records import Finding, Item
from acbench.storage.build import RecordsKey
from acbench.storage.digests import digest
from acbench.storage.folder_state import settled_states
from acbench.storage.roots import Root
from acbench.storage.stored_rows import by_item_id, grouped


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
    """What was seen of the folders of a part of a dataset just before its files were read."""

    folders: tuple[str, ...]
    """Paths of all folders that were looked into."""
    state: str
    """As long as `folder_state` of these gives this digest, the part is what it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPart:
    """What was found of a part of a dataset, besides its items."""

    category: str
    """As the source calls it; empty if this is all of the dataset."""
    items: int
    """How many."""
    images: Mapping[str, int]
    """Category → number of its images."""
    keys: Mapping[str, str]
    """As in `Dataset`."""
    bits: Mapping[str, int]
    """As in `Dataset`."""
    anomalous: int
    masked: int
    """Anomalous images with masks."""
    boxed: int
    """Anomalous images with boxes."""
    unusable: int
    findings: tuple[Finding, ...]
    """What is wrong with it, by itself."""
    is_read: bool
    """Whether the bytes of all files could be read: what could not be may be next time."""


@dataclass(frozen=True, kw_only=True)
class Former:
    """What is known of a dataset from before."""

    common: str
    """As in `Listing`."""
    parts: Sequence[ReadPart]
    """In the order in which their items are in the table."""
    unchanged: Collection[str]
    """The categories whose files are what they were."""
    seen: Mapping[str, Seen]
    """As in `Dataset`."""


@dataclass(frozen=True, slots=True)
class FormerRows:
    """Items that are as before: rows of the table of before."""

    begin: int
    end: int


Write = Callable[[Iterable[Sequence[Item] | FormerRows], bool], Sequence[Item]]
"""Puts the items of a dataset away, as they come, and gives all of them back; whether any of them may have boxes."""


def in_memory(groups: Iterable[Sequence[Item] | FormerRows], _boxed: bool) -> list[Item]:
    """Keep items as a list."""
    return [item for group in groups if not isinstance(group, FormerRows) for item in group]


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
    parts: Sequence[ReadPart] = ()
    """What was read together: a category each, where they can be read one by one."""
    common: str | None = None
    """As in `Listing`."""
    seen: Mapping[str, Seen] = field(default_factory=dict)
    """The first folder of paths → what tells that nothing below it has changed; without a name, that of all else. A
    folder of which only reading again would tell is not there."""

    @cached_property
    def keys(self) -> Mapping[str, str]:
        """Category → a hash of its items, and of how their images are read, 16 hex."""
        return {category: key for part in self.parts for category, key in part.keys.items()}

    @cached_property
    def bits(self) -> Mapping[str, int]:
        """Category → how many of 16 bits its grey images use, where these are fewer than 16."""
        return {category: bits for part in self.parts for category, bits in part.bits.items()}

    @cached_property
    def images(self) -> ImageReader:
        """Reads the images and masks."""
        bits = self.bits and {item.image: self.bits[item.category] for item in self.items if item.category in self.bits}
        return ImageReader(self.root, bits, boxed=any(part.boxed for part in self.parts))

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
        return digest(self.keys)

    @cached_property
    def image_counts(self) -> Mapping[str, int]:
        """Category → number of its images."""
        return {category: count for part in self.parts for category, count in part.images.items()}


def ingest(
    source: Source,
    root: Root,
    *,
    categories: Collection[str] = (),
    limit: int | None = None,
    hasher: FileHasher | None = None,
    naming: Naming | None = None,
    write: Write = in_memory,
    former: Former | None = None,
) -> Dataset:
    """Read a dataset: hash every image, read its header, pair it with its mask. Raises SourceError for a wrong root.

    `root`, `categories` and `limit` choose a part of the dataset: see `acbench.data.listing.list_images`.
    `naming`: None for the source's own names and licence. `write` takes the items as they are read. Categories that are
    unchanged since `former` are not read again.
    """
    naming = naming or Naming(prefix=source.name, licence=source.licence)

    def known(common: str) -> Collection[str]:
        return former.unchanged if former and former.common == common else ()

    listing = list_images(source, root, categories=categories, limit=limit, without=known)
    boxed = any(part.boxed for part in listing.parts.values())
    is_mixed = boxed and len(listing.parts) < len(listing.categories)  # the table of before may have no boxes
    if is_mixed or len(set(map(naming.key_of, listing.categories))) < len(listing.categories):  # two folders of one
        listing = list_images(source, root, categories=categories, limit=limit, as_one=True)
    seen = _seen(listing, former)  # before files are read: whatever is written from now on shows later
    reader = _Reader(source, listing, hasher or FileHasher(), naming, former)
    items = write(reader.items(), boxed)
    findings = [*listing.others, *(finding for part in reader.parts for finding in part.findings), *duplicates(items)]
    return Dataset(
        root=listing.location.root,
        items=items,
        findings=condense(findings),
        finding_classes=by_weight(findings),
        limit=limit,
        parts=reader.parts,
        common=listing.common,
        seen=seen,
    )


class _Reader:
    """Makes the items of a dataset, a group at a time."""

    def __init__(
        self, source: Source, listing: Listing, hasher: FileHasher, naming: Naming, former: Former | None
    ) -> None:
        self.parts: list[ReadPart] = []
        """What was found, once all items were given."""
        self._source = source
        self._listing = listing
        self._hasher = hasher
        self._naming = naming
        self._former = former
        self._done = 0
        self._total = sum(part.count for part in listing.parts.values())

    def items(self) -> Iterator[list[Item] | FormerRows]:
        """The items, sorted by path."""
        before = self._former.parts if self._former else ()
        begins = itertools.accumulate((part.items for part in before), initial=0)
        known = {part.category: (part, begin) for part, begin in zip(before, begins, strict=False)}
        for category in self._listing.categories:
            if category in self._listing.parts:
                yield from self._read(self._listing.parts[category])
            else:
                part, begin = known[category]
                self.parts.append(part)
                yield FormerRows(begin, begin + part.items)

    def _read(self, part: Part) -> Iterator[list[Item]]:
        sums = _Sums()
        for images in part.images.groups():
            with uncollected():
                items = self._items(images, sums)
            yield items
        self.parts.append(sums.part(part))

    def _items(self, images: Sequence[FoundImage], sums: _Sums) -> list[Item]:
        tree, files, masks = self._listing.location.tree, files_of(images), masks_of(images)
        facts = self._hasher.facts_of(tree, files, masks, before=self._done, total=self._total)
        self._done += len(facts)
        sums.is_read = sums.is_read and all(each.sha256 for each in facts.values())
        items = []
        for image in images:
            item, faults = item_of(self._source, image, facts, self._naming)
            sums.add(item, faults, facts[image.image].peak if image.image in facts else None)
            items.append(item)
        return items


class _Sums:
    """What the items of a part are together."""

    def __init__(self) -> None:
        self.is_read = True
        self._counts: Counter[str] = Counter()
        self._images: Counter[str] = Counter()
        self._keys: defaultdict[str, RecordsKey] = defaultdict(RecordsKey)
        self._usable: defaultdict[str, SeenImages] = defaultdict(SeenImages)
        self._findings: list[Finding] = []

    def add(self, item: Item, faults: Iterable[Finding], peak: int | None) -> None:
        """Take in the next item, what is wrong with it, and `FileFacts.peak`."""
        self._images[item.category] += 1
        self._keys[item.category].add(item)
        self._findings += faults
        if item.problem:
            self._counts["unusable"] += 1
        else:
            self._usable[item.category].add(item, peak)
        if item.anomalous:
            self._counts["anomalous"] += 1
            self._counts[item.marking] += 1

    def part(self, listed: Part) -> ReadPart:
        """All of it."""
        bits = {category: seen.bits for category, seen in self._usable.items() if seen.bits is not None}
        keys = {category: key.value for category, key in self._keys.items()}
        together = (finding for category, seen in self._usable.items() for finding in seen.findings(category))
        return ReadPart(
            category=listed.category,
            items=self._images.total(),
            images=dict(self._images),
            keys={category: digest(key, bits[category]) if category in bits else key for category, key in keys.items()},
            bits=bits,
            anomalous=self._counts["anomalous"],
            masked=self._counts["mask"],
            boxed=self._counts["boxes"],
            unusable=self._counts["unusable"],
            findings=(*listed.findings, *self._findings, *together),
            is_read=self.is_read,
        )


def _seen(listing: Listing, former: Former | None) -> dict[str, Seen]:
    """What was seen of the folders below each folder of the root, or of all together."""
    tree = listing.location.tree
    folders = tree.looked_into(f"{folder}/" for part in listing.parts.values() for folder in part.folders)
    if not folders:
        return {}
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in folders:
        first = "" if listing.common is None else path.removeprefix(tree.root).strip("/").partition("/")[0]
        if first in listing.parts or first not in listing.categories:
            places[first].append(path)
    states = settled_states(places)
    as_before = former.seen if former else {}
    known = {name: as_before[name] for name in listing.categories if name not in listing.parts}
    return known | {name: Seen(tuple(places[name]), state) for name, state in states.items()}


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
    if unusable := sum(part.unusable for part in dataset.parts):
        line += f"; {counted(unusable, 'image')} cannot be used"
    return line


def _marked(dataset: Dataset) -> str:
    """How many anomalous images have masks, and how many boxes."""
    anomalous, masked, boxed = (
        sum(getattr(part, name) for part in dataset.parts) for name in ("anomalous", "masked", "boxed")
    )
    total = f"of {anomalous:,} anomalous images"
    if not boxed:
        return f"masks for {masked:,} {total}"
    return f"boxes for {boxed:,} {total}" + (f", masks for {masked:,}" if masked else "")


def _known_counts(source: Source, dataset: Dataset) -> dict[str, int]:
    """Category → number of its images, of the categories that the complete dataset has."""
    return {category: count for category, count in dataset.image_counts.items() if category in source.image_counts}
