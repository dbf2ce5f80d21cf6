"""Lists the images of a dataset, or of a part of it, by their paths alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from acbench.data.sources import DatasetLocation, FoundImage, Source, locate
from acbench.records import Finding, mask_files
from acbench.storage.roots import Root


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The images of a dataset that are to be read."""

    location: DatasetLocation
    images: Sequence[FoundImage]
    findings: Sequence[Finding]
    """What is wrong with the dataset, as far as paths tell."""

    @property
    def files(self) -> list[str]:
        """Paths of all images and masks."""
        return [image.image for image in self.images if image.problem is None] + sorted(self.masks)

    @property
    def masks(self) -> frozenset[str]:
        """Paths of all masks."""
        return frozenset(path for image in self.images if image.mask is not None for path in mask_files(image.mask))


def list_images(source: Source, root: Root, *, categories: Collection[str] = (), limit: int | None = None) -> Listing:
    """List the images of a dataset at `root`, or of only these categories. Raises SourceError for a wrong root.

    `root` may also hold a part of the dataset, or be the folder of one category. `limit` takes at most that many images
    of each category: the first of each class of each split, then the second of each, and so on. So every class and the
    training images are represented, and a larger limit only adds images.
    """
    location = locate(source, root, categories)
    images: list[FoundImage] = []
    findings = list(location.findings)
    for result in source.scan(location.tree, location.categories):
        if isinstance(result, FoundImage):
            images.append(result)
        else:
            findings.append(result)
    chosen = images if limit is None else _limited(images, limit)
    return Listing(location=location, images=chosen, findings=list(_without_masks(findings, images)))


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
