"""Many findings of one kind below one folder become one: a flood hides what else there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from acbench.records import Finding

MANY = 5
"""So many of one kind are still shown one by one."""
_SHOWN = 10
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
    names = ", ".join(each.path.removeprefix(f"{path}/") for each in others[:_SHOWN])
    more = f" and {len(others) - _SHOWN:,} more" if len(others) > _SHOWN else ""
    example = f"{first.path.removeprefix(f'{path}/')}: {first.detail}"
    return replace(first, path=path, detail=f"{len(members):,} of this kind. {example}. Also {names}{more}")


def _depth(path: str) -> int:
    return 0 if path == "." else path.count("/") + 1


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "."
