"""The first stage: a data set on disk becomes items, and a list of whatever is wrong with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from acbench._util.console import Progress
from acbench._util.execution import Engine
from acbench.data.checks import duplicates, fold, mixed
from acbench.data.hashing import FileFacts, FileFactsCache, MemoryCache, measure
from acbench.data.sources import DatasetLocation, FoundImage, Source, locate
from acbench.records import Finding, Item, item_id
from acbench.storage.build import records_key
from acbench.storage.roots import Root

__all__ = ["Dataset", "FileFactsCache", "MemoryCache", "describe", "ingest"]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A dataset as it is on disk."""

    root: Root
    """What `Item.image` and `Item.mask` are relative to: the folder above the categories."""
    items: list[Item]
    """Sorted by path; those that cannot be used have a `problem`."""
    findings: list[Finding]
    """Sorted by path."""
    limit: int | None = None
    """At most this many images of a category were taken."""

    @cached_property
    def by_id(self) -> dict[str, Item]:
        """item_id → item."""
        return {item.item_id: item for item in self.items}

    @cached_property
    def key(self) -> str:
        """A hash of all items, 16 hex."""
        return records_key(self.items)


def ingest(
    source: Source,
    root: Root,
    *,
    categories: Collection[str] | None = None,
    limit: int | None = None,
    cache: FileFactsCache | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
) -> Dataset:
    """Read a data set: every image is hashed, its header read, its mask paired. Raises SourceError for a
    wrong root.

    With an `engine` its workers read the files, else threads of this process do.

    `root` may also hold a part of the data set, or be one category's folder. `limit` takes at most so many
    images of each category: the first of each class of each split in turn, then the second of each, and so
    on, so that every class and the training images stay represented, and a larger limit only adds images.
    """
    place, chosen, findings = _chosen(source, root, categories, limit)
    paths = _files(chosen)
    facts = measure(place.tree, paths, MemoryCache() if cache is None else cache, progress, workers, engine)
    items = []
    for each in sorted(chosen, key=lambda one: one.image):
        item, wrong = _item(source, each, facts)
        items.append(item)
        findings += wrong
    findings += duplicates(items)
    findings += mixed(items)
    return Dataset(root=place.root, items=items, findings=fold(findings), limit=limit)


def measure_part(
    source: Source,
    root: Root,
    takes: Callable[[str], bool],
    cache: FileFactsCache,
    *,
    categories: Collection[str] | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> dict[str, FileFacts]:
    """Read those files of a data set whose paths are taken, for a later `ingest` to find in the cache: path → facts.

    Raises SourceError for a wrong root.
    """
    place, chosen, _ = _chosen(source, root, categories, limit)
    return measure(place.tree, [path for path in _files(chosen) if takes(path)], cache, progress)


def _chosen(
    source: Source, root: Root, categories: Collection[str] | None, limit: int | None
) -> tuple[DatasetLocation, list[FoundImage], list[Finding]]:
    """Where the data set is, what is to be read of it, and what is wrong so far."""
    place = locate(source, root, categories)
    found: list[FoundImage] = []
    findings = list(place.findings)
    for each in source.scan(place.tree, place.categories):
        if isinstance(each, FoundImage):
            found.append(each)
        else:
            findings.append(each)
    return place, _spread(found, limit), list(_maskless(findings, found))


def _files(found: Sequence[FoundImage]) -> list[str]:
    """Paths of all images and masks."""
    paths = [each.image for each in found if each.problem is None]
    return paths + sorted({each.mask for each in found if each.mask is not None})


def describe(source: Source, ingested: Dataset) -> str:
    """One line: whether the folder is the whole data set or which part of it, and what cannot be used."""
    items = ingested.items
    counts = Counter(item.category for item in items)
    known = {category: count for category, count in counts.items() if category in source.WHOLE}
    anomalous = [item for item in items if item.anomalous]
    unusable = sum(bool(item.problem) for item in items)
    masks = f"masks for {sum(item.mask is not None for item in anomalous):,} of {len(anomalous):,} anomalous images"
    if not source.WHOLE:
        line = f"{source.TITLE}: {len(items):,} images, {len(counts):,} categories, {masks}"
        return _limits(line, ingested.limit, unusable)
    images = f"{sum(known.values()):,} of {sum(source.WHOLE.values()):,} images"
    categories = f"{len(known)} of {len(source.WHOLE)} categories"
    what = "all" if known == source.WHOLE else "a part"
    line = f"{what} of {source.NAME}: {images}, {categories}, {masks}"
    if more := sorted(set(counts) - set(known)):
        strangers = sum(counts[each] for each in more)
        line += f"; besides, {strangers:,} images of categories that it does not have: {', '.join(more)}"
    return _limits(line, ingested.limit, unusable)


def _limits(line: str, limit: int | None, unusable: int) -> str:
    if limit is not None:
        line += f"; at most {limit:,} images of a category were asked for"
    return line + (f"; {unusable:,} image{'s' if unusable > 1 else ''} cannot be used" if unusable else "")


def _maskless(findings: Iterable[Finding], found: Sequence[FoundImage]) -> Iterator[Finding]:
    """Where all masks of a category are missing, say it once."""
    category_of = {each.image: each.category for each in found}
    anomalous = Counter(each.category for each in found if each.anomalous)
    missing: defaultdict[str, list[Finding]] = defaultdict(list)
    for each in findings:
        if each.kind == "missing_mask" and each.path in category_of:
            missing[category_of[each.path]].append(each)
        else:
            yield each
    for category, those in missing.items():
        if len(those) == anomalous[category]:
            detail = f"no mask of its {len(those):,} anomalous images is there"
            yield Finding(path=category, kind="missing_mask", detail=detail, hint=those[0].hint)
        else:
            yield from those


def _spread(found: Sequence[FoundImage], limit: int | None) -> list[FoundImage]:
    """At most `limit` images a category, dealt out to its classes in turn: see `ingest`."""
    if limit is None:
        return list(found)
    classes: defaultdict[tuple[str, str, tuple[str, ...]], list[FoundImage]] = defaultdict(list)
    for each in sorted(found, key=lambda one: one.image):
        classes[each.category, each.split, each.source_labels].append(each)
    turns: defaultdict[str, list[tuple[int, bool, str, FoundImage]]] = defaultdict(list)
    for (category, split, _), members in classes.items():
        for turn, each in enumerate(members):
            turns[category].append((turn, split != "train", each.image, each))
    return [each for dealt in turns.values() for *_, each in sorted(dealt, key=lambda one: one[:3])[: max(limit, 0)]]


def _item(source: Source, found: FoundImage, facts: Mapping[str, FileFacts]) -> tuple[Item, list[Finding]]:
    """The record of one image, and what is wrong with it or its mask. A mask that cannot be used is left
    out."""
    findings = []
    image = facts.get(found.image, FileFacts())
    problem = image.problem
    if found.problem is not None:
        problem = found.problem.detail
        findings.append(found.problem)
    elif problem:
        findings.append(_failure(found.image, "unreadable_image", problem, image.hint))
    mask = facts[found.mask] if found.mask is not None else None
    if mask is not None and found.mask is not None:
        wrong = _wrong_mask(found.mask, mask, image)
        if wrong is not None:
            findings.append(wrong)
            mask = None
    item = Item(
        item_id=item_id(source.NAME, found.category, found.image),
        dataset=source.NAME,
        category=found.category,
        split=found.split,
        image=found.image,
        sha256=image.sha256,
        width=image.width,
        height=image.height,
        mode=image.mode,
        mask=None if mask is None else found.mask,
        mask_sha256=None if mask is None else mask.sha256,
        anomalous=found.anomalous,
        source_labels=found.source_labels,
        licence=source.LICENCE,
        problem=problem,
    )
    return item, findings


def _wrong_mask(path: str, mask: FileFacts, image: FileFacts) -> Finding | None:
    if mask.problem:
        return _failure(path, "unreadable_mask", f"the mask: {mask.problem}", mask.hint)
    if mask.format == "JPEG":
        detail = "a JPEG cannot be a mask: its compression blurs the edge"
        return _failure(path, "unreadable_mask", detail, "save the original mask as PNG")
    if image.width and (mask.width, mask.height) != (image.width, image.height):
        detail = f"the mask is {mask.width}×{mask.height}, its image {image.width}×{image.height}"
        return _failure(path, "mask_size", detail, "copy both again from the original data set")
    return None


def _failure(path: str, kind: str, detail: str, hint: str) -> Finding:
    return Finding(path=path, kind=kind, detail=detail, hint=hint, failed=True)
