"""Condenses findings: many of one kind in one folder become one about the folder, and on a screen one of their kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from acbench.records import Finding

MANY = 5
"""How many findings of a kind are still listed one by one."""
EXAMPLES = 2
"""How many findings of a kind are shown."""
LITTER = frozenset({"litter", "stray_file", "stray_folder", "empty_folder", "empty_normal_mask", "other_format"})
"""Kinds of findings that change nothing of what is read."""
_NAMED = 10
"""How many names a condensed finding lists."""

_Group = tuple[str, list[Finding]]
"""A path and the findings that are to become one about it."""


def condense(findings: Iterable[Finding]) -> list[Finding]:
    """The findings sorted by path, each once; more than `MANY` of a kind in one folder are one about the folder."""
    by_kind: defaultdict[tuple[str, bool], list[_Group]] = defaultdict(list)
    for finding in dict.fromkeys(findings):
        by_kind[finding.kind, finding.failed].append((finding.path, [finding]))
    condensed = [_as_one(path, members) for groups in by_kind.values() for path, members in _merged(groups)]
    return sorted(condensed, key=lambda finding: (finding.path, finding.kind, finding.detail))


@dataclass(frozen=True, slots=True)
class FindingClass:
    """All findings of one kind, for a screen."""

    kind: str
    failed: bool
    count: int
    examples: tuple[Finding, ...]
    """The first `EXAMPLES`, sorted by path."""

    @property
    def weight(self) -> int:
        """0 if files cannot be used because of it, 1 if it changes what is read, 2 if it is litter."""
        return 0 if self.failed else 2 if self.kind in LITTER else 1


def by_weight(findings: Iterable[Finding]) -> list[FindingClass]:
    """Findings by kind: what cannot be used first, then what changes what is read, then litter."""
    by_kind: defaultdict[tuple[str, bool], list[Finding]] = defaultdict(list)
    for finding in sorted(dict.fromkeys(findings), key=lambda finding: (finding.path, finding.detail)):
        by_kind[finding.kind, finding.failed].append(finding)
    classes = [
        FindingClass(kind, failed, len(members), tuple(members[:EXAMPLES]))
        for (kind, failed), members in by_kind.items()
    ]
    return sorted(classes, key=lambda each: (each.weight, -each.count, each.kind))


def _merged(groups: list[_Group]) -> list[_Group]:
    """Merge groups folder by folder, the deepest first, so that many merged folders merge again."""
    for depth in range(max(_depth(path) for path, _ in groups), 0, -1):
        merged = [(path, members) for path, members in groups if _depth(path) != depth]
        by_folder: defaultdict[str, list[_Group]] = defaultdict(list)
        for path, members in groups:
            if _depth(path) == depth:
                by_folder[_parent(path)].append((path, members))
        for folder, inside in by_folder.items():
            if len(inside) > MANY:
                merged.append((folder, [finding for _, members in inside for finding in members]))
            else:
                merged.extend(inside)
        groups = merged
    return groups


def _as_one(path: str, members: list[Finding]) -> Finding:
    first, *others = sorted(members, key=lambda finding: (finding.path, finding.detail))
    if not others:
        return first
    names = ", ".join(finding.path.removeprefix(f"{path}/") for finding in others[:_NAMED])
    more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
    example = f"{first.path.removeprefix(f'{path}/')}: {first.detail}"
    detail = f"{len(members):,} of this kind. {example}. Also {names}{more}"
    return replace(first, path=path, detail=detail)


def _depth(path: str) -> int:
    return 0 if path == "." else path.count("/") + 1


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "."
