"""What is wrong with a dataset as a whole: duplicates, mixed formats; and many findings of one kind as one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

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


MANY = 5
"""So many of one kind are still shown one by one."""
_NAMED = 10
"""So many names a folded finding gives."""

_Group = tuple[str, list[Finding]]


def fold(findings: Iterable[Finding]) -> list[Finding]:
    """The same findings, sorted by path; more than `MANY` of a kind in one folder as one about the folder."""
    by_kind: defaultdict[tuple[str, bool], list[_Group]] = defaultdict(list)
    for each in dict.fromkeys(findings):
        by_kind[each.kind, each.failed].append((each.path, [each]))
    folded = [_as_one(path, members) for groups in by_kind.values() for path, members in _folded(groups)]
    return sorted(folded, key=lambda each: (each.path, each.kind, each.detail))


def _folded(groups: list[_Group]) -> list[_Group]:
    """Fold from the deepest folders up, so that many folded folders fold again."""
    for depth in range(max(_depth(path) for path, _ in groups), 0, -1):
        below: defaultdict[str, list[_Group]] = defaultdict(list)
        for path, members in groups:
            below[_parent(path) if _depth(path) == depth else ""].append((path, members))
        groups = below.pop("", [])
        for folder, found in below.items():
            if len(found) > MANY:
                groups.append((folder, [each for _, members in found for each in members]))
            else:
                groups.extend(found)
    return groups


def _as_one(path: str, members: list[Finding]) -> Finding:
    first, *others = sorted(members, key=lambda each: (each.path, each.detail))
    if not others:
        return first
    names = ", ".join(each.path.removeprefix(f"{path}/") for each in others[:_NAMED])
    more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
    example = f"{first.path.removeprefix(f'{path}/')}: {first.detail}"
    return replace(first, path=path, detail=f"{len(members):,} of this kind. {example}. Also {names}{more}")


def _depth(path: str) -> int:
    return 0 if path == "." else path.count("/") + 1


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "."
