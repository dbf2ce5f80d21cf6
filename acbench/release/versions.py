"""Says what the number of a version promises, and questions one that promises something else than what changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

from acbench.release.diff import Change, summary
from acbench.release.entries import ReleaseEntry
from acbench.release.manifest import Manifest

Step = Literal["nothing", "patch", "minor", "major"]
STEPS: tuple[Step, ...] = ("nothing", "patch", "minor", "major")
"""From the smallest."""
RULE = (
    "MAJOR: numbers of classes or categories mean something else; MINOR: images or labels changed, so scores do;"
    " PATCH: anything else"
)
"""The rule in words."""
_OF_EACH_VERSION = frozenset({"version", "previous", "files", "acbench", "versions"})
"""Fields of the manifest that differ although nothing changed."""


def needed_step(
    old: Manifest,
    new: Manifest,
    changes: Sequence[Change],
    before: Mapping[str, ReleaseEntry],
    after: Mapping[str, ReleaseEntry],
) -> Step:
    """Give the smallest step that says what changed. Entries are keyed by item_id, `changes` is their difference."""
    if old.classes != new.classes[: len(old.classes)] or old.categories != new.categories[: len(old.categories)]:
        return "major"
    if changes or old.images != new.images:
        return "minor"
    same = all(
        getattr(old, each.name) == getattr(new, each.name)
        for each in dataclasses.fields(Manifest)
        if each.name not in _OF_EACH_VERSION
    )
    return "nothing" if same and all(_same(before[key], new) for key, new in after.items()) else "patch"


def step(old: str, new: str) -> Step:
    """Give the step from one version to another."""
    for one, other, name in zip(old.split("."), new.split("."), reversed(STEPS[1:]), strict=True):
        if one != other:
            return name
    return "nothing"


def question(old: Manifest | None, new: Manifest, needed: Step, changes: Sequence[Change]) -> tuple[str, str]:
    """Give what is odd about the version of a release, and a better one; both empty if nothing is.

    `old`: the release before, `needed`: `needed_step`.
    """
    if old is None:
        odd = f"version {new.version} says that nothing is there yet" if new.version == "0.0.0" else ""
        return odd, "1.0.0" if odd else ""
    if needed == "nothing":
        return f"nothing has changed since version {old.version}", old.version
    taken = step(old.version, new.version)
    if STEPS.index(taken) < STEPS.index(needed):
        what = summary(changes) or "images came or went"
        if needed == "major":
            what = "numbers of classes or categories mean something else now"
        return f"{old.version} → {new.version} is too small a step: {what}", bumped(old.version, needed)
    return "", ""


def bumped(version: str, by: Step) -> str:
    """Give the next version by a step: 1.2.3 by `minor` → 1.3.0."""
    major, minor, patch = map(int, version.split("."))
    match by:
        case "major":
            return f"{major + 1}.0.0"
        case "minor":
            return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def _same(old: ReleaseEntry, new: ReleaseEntry) -> bool:
    """Whether two rows say the same. Reasons that name people differ with each version, as pseudonyms do."""
    if old.people or new.people:
        old, new = (dataclasses.replace(each, reason="") for each in (old, new))
    return old == new
