"""What changed between two releases: the changelog of labels, image by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from acbench.records import JOIN
from acbench.release.entries import Entry

Kind = Literal["added", "removed", "image", "split", "labels", "single", "status"]

WORDS: Mapping[Kind, tuple[str, str]] = {
    "added": ("image added", "images added"),
    "removed": ("image removed", "images removed"),
    "image": ("image file changed under the same id", "image files changed under the same id"),
    "split": ("split or category changed", "splits or categories changed"),
    "labels": ("label changed", "labels changed"),
    "single": ("class in the single-label benchmark changed", "classes in the single-label benchmark changed"),
    "status": ("status changed", "statuses changed"),
}
"""Kinds of change in the order in which they are told: of one, and of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One image that is not as it was; of several changes, the first of `WORDS`."""

    item_id: str
    image: str
    category: str
    kind: Kind
    before: str
    """What stood there: labels, or the status if there are none; empty if the image is new."""
    after: str
    """What stands there now; empty if the image is gone."""
    reason: str
    """Of the label that stands there now; of the last one if the image is gone."""


def diff(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> list[Change]:
    """Every image whose label is not the same, by path. Both are keyed by item_id; a change of reason alone is none."""
    changes = []
    for item in before.keys() | after.keys():
        old, new = before.get(item), after.get(item)
        kind = _kind(old, new)
        present = new or old
        if kind is None or present is None:
            continue
        changes.append(
            Change(
                item_id=item,
                image=present.image,
                category=present.category,
                kind=kind,
                before=_said(old, kind),
                after=_said(new, kind),
                reason=present.reason,
            )
        )
    return sorted(changes, key=lambda each: (each.image, each.item_id))


def counts(changes: Sequence[Change]) -> dict[Kind, int]:
    """How many changes there are of each kind, in order, without those of which there are none."""
    found: Counter[str] = Counter(each.kind for each in changes)
    return {kind: found[kind] for kind in WORDS if kind in found}


def summary(changes: Sequence[Change]) -> str:
    """How many changes there are of each kind, in words: `1 image added, 4 labels changed`."""
    return ", ".join(f"{number:,} {WORDS[kind][number != 1]}" for kind, number in counts(changes).items())


def said(entry: Entry) -> str:
    """A label in words."""
    return JOIN.join(entry.labels) or entry.status


def _kind(old: Entry | None, new: Entry | None) -> Kind | None:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    tests: tuple[tuple[Kind, bool], ...] = (
        ("image", old.sha256 != new.sha256),
        ("split", (old.split, old.category) != (new.split, new.category)),
        ("labels", set(old.labels) != set(new.labels)),
        ("single", old.label != new.label),
        ("status", old.status != new.status),
    )
    return next((kind for kind, changed in tests if changed), None)


def _said(entry: Entry | None, kind: Kind) -> str:
    if entry is None:
        return ""
    if kind == "image":
        return f"sha256 {entry.sha256[:12]}"
    if kind == "split":
        return f"{entry.category}, {entry.split}"
    if kind == "single":
        return entry.label or "none"
    return entry.status if kind == "status" else said(entry)
