"""Lists the images of a dataset, or of a part of it, by their paths alone: category by category, where that can be."""

from __future__ import annotations

import pickle
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter

from acbench._util.garbage import uncollected
from acbench.data.sources import ByCategory, DatasetLocation, FoundImage, Source, locate
from acbench.records import Finding, mask_files
from acbench.storage.roots import Root

TOGETHER = 5_000
"""Images that are in memory together."""

_FIELDS = tuple(field.name for field in fields(FoundImage))
_VALUES = attrgetter(*_FIELDS)


@dataclass(frozen=True, kw_only=True)
class Part:
    """The images of a category; or of all categories, where they are not read one by one."""

    category: str
    """As the source calls it; empty if this is all of the dataset."""
    groups: Sequence[bytes]
    """The images, packed and sorted by path, `TOGETHER` at a time."""
    count: int
    """Files of images and masks."""
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

    def __iter__(self) -> Iterator[list[FoundImage]]:
        """The images, `TOGETHER` at a time."""
        for packed in self.groups:
            rows = pickle.loads(zlib.decompress(packed))  # noqa: S301  (this process has made it)
            yield [FoundImage(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


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
        return [image for part in self.parts.values() for images in part for image in images]

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
    images: list[FoundImage] = []
    findings: list[Finding] = []
    for result in results:
        if isinstance(result, FoundImage):
            images.append(result)
        else:
            findings.append(result)
    chosen = sorted(images if limit is None else _limited(images, limit), key=lambda image: image.image)
    files = files_of(chosen)
    return Part(
        category=category,
        groups=[_packed(chosen[begin : begin + TOGETHER]) for begin in range(0, len(chosen), TOGETHER)],
        count=len(files),
        folders=frozenset(path.rpartition("/")[0] for path in files),
        of_images=frozenset(image.image.rpartition("/")[0] for image in chosen),
        boxed=any(image.boxes for image in chosen),
        findings=list(_without_masks(findings, images)),
    )


def _packed(images: Sequence[FoundImage]) -> bytes:
    return zlib.compress(pickle.dumps(list(map(_VALUES, images)), pickle.HIGHEST_PROTOCOL), 1)


def _limited(images: Sequence[FoundImage], limit: int) -> list[FoundImage]:
    """At most `limit` images of each category, taken from its classes in turn, the training images first."""
    classes: defaultdict[tuple[str, str, tuple[str, ...]], list[FoundImage]] = defaultdict(list)
    for image in sorted(images, key=lambda image: image.image):
        classes[image.category, image.split, image.source_labels].append(image)
    turns: defaultdict[str, list[tuple[tuple[int, bool, str], FoundImage]]] = defaultdict(list)
    for (category, split, _), members in classes.items():
        for turn, image in enumerate(members):
            turns[category].append(((turn, split != "train", image.image), image))
    return [
        image
        for in_category in turns.values()
        for _, image in sorted(in_category, key=lambda pair: pair[0])[: max(limit, 0)]
    ]


def _without_masks(findings: Iterable[Finding], images: Sequence[FoundImage]) -> Iterator[Finding]:
    """The findings, with one about the category if all its masks are missing."""
    category_of = {image.image: image.category for image in images}
    anomalous = Counter(image.category for image in images if image.anomalous)
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
