"""Compares two releases label by label: the changelog of a benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from acbench._util.plural import counted
from acbench.records import JOIN, PEOPLE
from acbench.release.entries import ReleaseEntry
from acbench.release.tally import RowKind

ChangeKind = Literal["added", "removed", "image", "split", "labels", "single", "status"]

Effect = Literal["relabelled", "decided", "undecided again", "added", "removed", "file changed", "moved"]

EFFECTS: tuple[Effect, ...] = ("relabelled", "decided", "undecided again", "added", "removed", "file changed", "moved")
"""What a change comes to, in the order in which it is told."""

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
    effect: Effect
    loses_decision: bool
    """Whether what a person decided is no longer in it."""


def diff(before: Mapping[str, ReleaseEntry], after: Mapping[str, ReleaseEntry]) -> list[Change]:
    """List every image whose label changed, by path. Both are keyed by item_id; a new reason alone is no change."""
    changes = []
    for old, new in _pairs(before, after):
        kind = _kind(old, new)
        present = new or old
        if present is None or (kind is None and not _loses_decision(old, new)):
            continue
        kind = kind or "status"  # the label stands, and no longer by what people said
        changes.append(
            Change(
                item_id=present.item_id,
                image=present.image,
                category=present.category,
                kind=kind,
                before=_text(old, kind),
                after=_text(new, kind),
                reason=present.reason,
                effect=_effect(old, new, kind),
                loses_decision=_loses_decision(old, new),
            )
        )
    return sorted(changes, key=lambda change: (change.image, change.item_id))


def _pairs(
    before: Mapping[str, ReleaseEntry], after: Mapping[str, ReleaseEntry]
) -> Iterator[tuple[ReleaseEntry | None, ReleaseEntry | None]]:
    """Each image as it was and as it is, in the order of the tables: either may be on disk."""
    for item_id, new in after.items():
        yield before.get(item_id), new
    for item_id, old in before.items():
        if item_id not in after:
            yield old, None


def counts(changes: Sequence[Change]) -> dict[ChangeKind, int]:
    """Count the changes of each kind that occurs, in order."""
    counted: Counter[str] = Counter(change.kind for change in changes)
    return {kind: counted[kind] for kind in WORDS if kind in counted}


def summary(changes: Sequence[Change]) -> str:
    """Count the changes in words: `1 image added, 4 labels changed`."""
    return ", ".join(f"{number:,} {WORDS[kind][number != 1]}" for kind, number in counts(changes).items())


def count_effects(changes: Sequence[Change]) -> dict[str, int]:
    """Count what changes come to: effect → images, for those that occur."""
    found: Counter[str] = Counter(change.effect for change in changes)
    return {effect: found[effect] for effect in EFFECTS if found[effect]}


def effects(counts: Mapping[str, int]) -> str:
    """Say in words what `count_effects` counted: `4 relabelled, 2 undecided again`; `nothing` without any."""
    return ", ".join(f"{counts[effect]:,} {effect}" for effect in EFFECTS if counts.get(effect)) or "nothing"


def lost_decisions(changes: Sequence[Change]) -> str:
    """Name the images whose decisions by people are lost, the first five of them; empty if there are none."""
    lost = [change.image for change in changes if change.loses_decision]
    more = f" and {len(lost) - 5:,} more" if len(lost) > 5 else ""
    return f"{counted(len(lost), 'image')}: {', '.join(lost[:5])}{more}" if lost else ""


def label_text(entry: ReleaseEntry | RowKind) -> str:
    """The labels of an image, or its status if it has none."""
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


def _effect(old: ReleaseEntry | None, new: ReleaseEntry | None, kind: ChangeKind) -> Effect:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    if kind in ("image", "split"):
        return "file changed" if kind == "image" else "moved"
    pending = (old.status == "pending", new.status == "pending")
    return "decided" if pending == (True, False) else "undecided again" if pending == (False, True) else "relabelled"


def _loses_decision(old: ReleaseEntry | None, new: ReleaseEntry | None) -> bool:
    """Whether people had decided and no longer have, or fewer of them have spoken: names differ with each version."""
    if old is None or (old.decided_by != PEOPLE and not old.people):
        return False
    return new is None or new.people < old.people or (old.decided_by == PEOPLE != new.decided_by)


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
