"""Compares two releases label by label: the changelog of a benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from acbench.records import JOIN
from acbench.release.entries import ReleaseEntry

ChangeKind = Literal["added", "removed", "image", "split", "labels", "single", "status"]

WORDS: Mapping[ChangeKind, tuple[str, str]] = {
    "added": ("image added", "images added"),
    "removed": ("image removed", "images removed"),
    "image": ("image file changed under the same id", "image files changed under the same id"),
    "split": ("split or category changed", "splits or categories changed"),
    "labels": ("label changed", "labels changed"),
    "single": ("class in the single-label benchmark changed", "classes in the single-label benchmark changed"),
    "status": ("status changed", "statuses changed"),
}
"""Kinds of change in the order in which they are listed: in the singular and in the plural."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What changed about one image; if several things did, the first kind of `WORDS`."""

    item_id: str
    image: str
    category: str
    kind: ChangeKind
    before: str
    """The labels before, or the status if there are none; empty if the image is new."""
    after: str
    """The same now; empty if the image is gone."""
    reason: str
    """The reason of the label now, or of the last one if the image is gone."""


def diff(before: Mapping[str, ReleaseEntry], after: Mapping[str, ReleaseEntry]) -> list[Change]:
    """List every image whose label changed, by path. Both are keyed by item_id; a new reason alone is no change."""
    changes = []
    for item_id in before.keys() | after.keys():
        old, new = before.get(item_id), after.get(item_id)
        kind = _kind(old, new)
        present = new or old
        if kind is None or present is None:
            continue
        changes.append(
            Change(
                item_id=item_id,
                image=present.image,
                category=present.category,
                kind=kind,
                before=_text(old, kind),
                after=_text(new, kind),
                reason=present.reason,
            )
        )
    return sorted(changes, key=lambda change: (change.image, change.item_id))


def counts(changes: Sequence[Change]) -> dict[ChangeKind, int]:
    """Count the changes of each kind that occurs, in order."""
    counted: Counter[str] = Counter(change.kind for change in changes)
    return {kind: counted[kind] for kind in WORDS if kind in counted}


def summary(changes: Sequence[Change]) -> str:
    """Count the changes in words: `1 image added, 4 labels changed`."""
    return ", ".join(f"{number:,} {WORDS[kind][number != 1]}" for kind, number in counts(changes).items())


def label_text(entry: ReleaseEntry) -> str:
    """The labels of an entry, or its status if it has none."""
    return JOIN.join(entry.labels) or entry.status


def _kind(old: ReleaseEntry | None, new: ReleaseEntry | None) -> ChangeKind | None:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    tests: tuple[tuple[ChangeKind, bool], ...] = (
        ("image", old.sha256 != new.sha256),
        ("split", (old.split, old.category) != (new.split, new.category)),
        ("labels", set(old.labels) != set(new.labels)),
        ("single", old.label != new.label),
        ("status", old.status != new.status),
    )
    return next((kind for kind, changed in tests if changed), None)


def _text(entry: ReleaseEntry | None, kind: ChangeKind) -> str:
    if entry is None:
        return ""
    if kind == "image":
        return f"sha256 {entry.sha256[:12]}"
    if kind == "split":
        return f"{entry.category}, {entry.split}"
    if kind == "single":
        return entry.label or "none"
    return entry.status if kind == "status" else label_text(entry)
