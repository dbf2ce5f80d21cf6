"""Checks the images of a dataset together: duplicates, and mixed pixel formats or sizes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from acbench.records import Finding, Item

_SHOWN = 3
"""How many names or values a finding lists."""


def duplicates(items: Iterable[Item]) -> Iterator[Finding]:
    """Images with the same bytes: one finding for each set of folders that share some."""
    by_hash: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.sha256:
            by_hash[item.sha256].append(item)
    shared: defaultdict[tuple[str, ...], list[list[Item]]] = defaultdict(list)
    for same in by_hash.values():
        if len(same) > 1:
            shared[tuple(sorted({_folder(item.image) for item in same}))].append(same)
    for groups in shared.values():
        yield _duplicate(groups[0], sum(map(len, groups)))


def _duplicate(same: Sequence[Item], count: int) -> Finding:
    """The finding about some images with the same bytes, in folders that share `count` duplicates."""
    kind, hint = _kind(same)
    names = ", ".join(item.image for item in same[1 : 1 + _SHOWN])
    unnamed = count - min(len(same), 1 + _SHOWN)
    more = f", and so have {unnamed:,} more" if unnamed else ""
    return Finding(path=same[0].image, kind=kind, detail=f"it has the same bytes as {names}{more}", hint=hint)


def _kind(same: Collection[Item]) -> tuple[str, str]:
    """The kind of a duplicate, and what to do about it."""
    if len({item.split for item in same}) > 1:
        return "duplicate_across_splits", "a model has seen the test image in training: leave one of them out"
    if len({(item.category, item.anomalous, item.source_labels) for item in same}) > 1:
        return "duplicate_across_classes", "one image cannot be of two classes: find out which is right"
    return "duplicate", "it counts twice: leave one of them out"


def mixed(items: Iterable[Item]) -> Iterator[Finding]:
    """Categories whose images differ in pixel format or size, which can give a class away."""
    by_category: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        if not item.problem:
            by_category[item.category].append(item)
    for category, members in by_category.items():
        modes = [item.mode for item in members]
        sizes = [f"{item.width}×{item.height}" for item in members]
        for kind, noun, values in (("mixed_modes", "pixel formats", modes), ("mixed_sizes", "sizes", sizes)):
            counts = Counter(values)
            if len(counts) > 1:
                rarest = min(counts, key=lambda value: (counts[value], value))
                example = members[values.index(rarest)].image
                yield Finding(
                    path=category,
                    kind=kind,
                    detail=f"its images have {len(counts)} {noun}: {_most_frequent(counts)}; {example} is {rarest}",
                    hint="see that it does not go with the class",
                )


def _most_frequent(counts: Counter[str]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{value} ({count:,})" for value, count in ordered[:_SHOWN]]
    return ", ".join([*shown, "…"] if len(counts) > _SHOWN else shown)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
