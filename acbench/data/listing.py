"""Lists the images of a dataset, or of a part of it, by their paths alone: category by category, where that can be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from typing import Any

from acbench._util.garbage import uncollected
from acbench._util.packed import Packed, in_order
from acbench.data.sources import ByCategory, DatasetLocation, FoundImage, Source, locate
from acbench.records import Finding, mask_files
from acbench.storage.roots import Root

_FIELDS = tuple(field.name for field in fields(FoundImage))
_VALUES = attrgetter(*_FIELDS)


@dataclass(frozen=True, kw_only=True)
class Part:
    """The images of a category; or of all categories, where they are not read one by one."""

    category: str
    """As the source calls it; empty if this is all of the dataset."""
    images: Packed[FoundImage]
    """Sorted by path."""
    count: int
    """Files of images and masks that are read."""
    folders: frozenset[str]
    """The folders in which these files lie."""
    of_images: frozenset[str]
    """Those in which images lie."""
    boxed: bool
    """Whether any image has boxes."""
    findings: Sequence[Finding]
    """What is wrong with them, as far as paths tell."""

    @property
    def is_apart(self) -> bool:
        """Whether all its images lie in the folder of its category."""
        return all(folder == self.category or folder.startswith(f"{self.category}/") for folder in self.of_images)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The images of a dataset that are to be read."""

    location: DatasetLocation
    parts: Mapping[str, Part]
    """Category → its images, in the order of their paths; those of `without` are not here."""
    categories: Sequence[str]
    """All categories, those of `without` too, in the order of their images' paths; one without a name stands for all.
    """
    others: Sequence[Finding]
    """What is wrong with the dataset outside of the parts."""
    common: str | None = None
    """What decides how a part is listed, besides what lies in its own folder; None if that is all of the dataset."""

    @cached_property
    def images(self) -> Sequence[FoundImage]:
        """All images, sorted by path."""
        return [image for part in self.parts.values() for image in part.images]

    @property
    def files(self) -> list[str]:
        """Paths of all images and masks."""
        return files_of(self.images)

    @property
    def masks(self) -> frozenset[str]:
        """Paths of all masks."""
        return masks_of(self.images)


def files_of(images: Sequence[FoundImage]) -> list[str]:
    """Paths of some images, and of their masks."""
    return [image.image for image in images if image.problem is None] + sorted(masks_of(images))


def masks_of(images: Iterable[FoundImage]) -> frozenset[str]:
    """Paths of the masks of some images."""
    return frozenset(path for image in images if image.mask is not None for path in mask_files(image.mask))


def list_images(
    source: Source,
    root: Root,
    *,
    categories: Collection[str] = (),
    limit: int | None = None,
    without: Callable[[str], Collection[str]] = lambda common: (),
    as_one: bool = False,
) -> Listing:
    """List the images of a dataset at `root`, or of only these categories. Raises SourceError for a wrong root.

    `root` may also hold a part of the dataset, or be the folder of one category. `limit` takes at most that many images
    of each category: the first of each class of each split, then the second of each, and so on. So every class and the
    training images are represented, and a larger limit only adds images. `without`: the categories that are known
    already, if they are read one by one, and what `Listing.common` says decides it. `as_one`: they are not.
    """
    with uncollected():
        return _listed(source, locate(source, root, categories), limit, without, as_one=as_one)


def _listed(
    source: Source,
    location: DatasetLocation,
    limit: int | None,
    without: Callable[[str], Collection[str]],
    *,
    as_one: bool,
) -> Listing:
    if (way := None if as_one else _by_category(source, location)) is not None:
        names = sorted(location.categories, key=lambda name: f"{name}/")  # so their images come in the order of paths
        known = without(way.common)
        parts = {name: _part(name, way.scan(name), limit) for name in names if name not in known}
        if all(part.is_apart for part in parts.values()):
            others = [*location.findings, *way.others()]
            return Listing(location=location, parts=parts, categories=names, others=others, common=way.common)
    whole = _part("", source.scan(location.tree, location.categories), limit)
    return Listing(location=location, parts={"": whole}, categories=[""], others=location.findings)


def _by_category(source: Source, location: DatasetLocation) -> ByCategory | None:
    """How the categories are read one by one; None if they cannot be, or if there is but one."""
    if len(location.categories) < 2:
        return None
    if source.categories is not None:
        return source.by_category(location.tree) if source.by_category else None
    return ByCategory(common="", scan=lambda name: source.scan(location.tree, [name]), others=lambda: iter(()))


def _part(category: str, results: Iterable[FoundImage | Finding], limit: int | None) -> Part:
    findings: list[Finding] = []

    def images() -> Iterator[FoundImage]:
        for result in results:
            if isinstance(result, FoundImage):
                yield result
            else:
                findings.append(result)

    every = _in_order(images())
    chosen = every if limit is None else _in_order(_limited(every, limit))
    count, boxed = 0, False
    folders, of_images = set[str](), set[str]()
    for group in chosen.groups():
        files = files_of(group)
        count += len(files)
        folders.update(path.rpartition("/")[0] for path in files)
        of_images.update(image.image.rpartition("/")[0] for image in group)
        boxed = boxed or any(image.boxes for image in group)
    return Part(
        category=category,
        images=chosen,
        count=count,
        folders=frozenset(folders),
        of_images=frozenset(of_images),
        boxed=boxed,
        findings=list(_without_masks(findings, every)),
    )


def _in_order(images: Iterable[FoundImage]) -> Packed[FoundImage]:
    return in_order(images, attrgetter("image"), lambda: Packed(_VALUES, _found))


def _found(values: tuple[Any, ...]) -> FoundImage:
    return FoundImage(**dict(zip(_FIELDS, values, strict=True)))


def _limited(images: Iterable[FoundImage], limit: int) -> list[FoundImage]:
    """At most `limit` images of each category, taken from its classes in turn, the training images first.

    `images` are sorted by path.
    """
    counts: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    turns: defaultdict[str, list[tuple[tuple[int, bool, str], FoundImage]]] = defaultdict(list)
    for image in images:
        of_class = image.category, image.split, image.source_labels
        turn = counts[of_class]
        counts[of_class] += 1
        if turn < limit:
            turns[image.category].append(((turn, image.split != "train", image.image), image))
    return [
        image
        for in_category in turns.values()
        for _, image in sorted(in_category, key=lambda pair: pair[0])[: max(limit, 0)]
    ]


def _without_masks(findings: Sequence[Finding], images: Iterable[FoundImage]) -> Iterator[Finding]:
    """The findings, with one about the category if all its masks are missing."""
    lacking = {finding.path for finding in findings if finding.kind == "missing_mask"}
    if not lacking:
        yield from findings
        return
    category_of: dict[str, str] = {}
    anomalous: Counter[str] = Counter()
    for image in images:
        anomalous[image.category] += bool(image.anomalous)
        if image.image in lacking:
            category_of[image.image] = image.category
    missing: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.kind == "missing_mask" and finding.path in category_of:
            missing[category_of[finding.path]].append(finding)
        else:
            yield finding
    for category, members in missing.items():
        if len(members) == anomalous[category]:
            detail = f"no mask of its {len(members):,} anomalous images is there"
            yield Finding(path=category, kind="missing_mask", detail=detail, hint=members[0].hint)
        else:
            yield from members
