"""What can be said about the images of a data set only when all are known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator

from acbench.records import Finding, Item

_SHOWN = 3


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
        first = groups[0]
        kind, hint = _kind(first)
        count = sum(map(len, groups))
        names = ", ".join(item.image for item in first[1 : 1 + _SHOWN])
        more = (
            f", and so have {count - min(len(first), 1 + _SHOWN):,} more" if count > min(len(first), 1 + _SHOWN) else ""
        )
        detail = f"it has the same bytes as {names}{more}"
        yield Finding(path=first[0].image, kind=kind, detail=detail, hint=hint)


def _kind(same: Collection[Item]) -> tuple[str, str]:
    if len({item.split for item in same}) > 1:
        return "duplicate_across_splits", "a model has seen the test image in training: leave one of them out"
    if len({(item.category, item.anomalous, item.source_labels) for item in same}) > 1:
        return "duplicate_across_classes", "one image cannot be of two classes: find out which is right"
    return "duplicate", "it counts twice: leave one of them out"


def mixed(items: Iterable[Item]) -> Iterator[Finding]:
    """Categories whose images differ in pixel format or size, which gives a class away if it follows the
    class."""
    by_category: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        if not item.problem:
            by_category[item.category].append(item)
    for category, found in by_category.items():
        for kind, what, values in (
            ("mixed_modes", "pixel formats", [item.mode for item in found]),
            ("mixed_sizes", "sizes", [f"{item.width}×{item.height}" for item in found]),
        ):
            counts = Counter(values)
            if len(counts) > 1:
                rarest = min(counts, key=lambda value: (counts[value], value))
                example = found[values.index(rarest)].image
                shown = [f"{value} ({count:,})" for value, count in sorted(counts.items(), key=_most)[:_SHOWN]]
                shown += ["…"] if len(counts) > _SHOWN else []
                yield Finding(
                    path=category,
                    kind=kind,
                    detail=f"its images have {len(counts)} {what}: {', '.join(shown)}; {example} is {rarest}",
                    hint="see that it does not go with the class",
                )


def _most(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
