"""What the number of a version promises is compared with what changed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from acbench.records import PEOPLE
from acbench.release.diff import count_effects, diff, effects, lost_decisions
from acbench.release.entries import ReleaseEntry
from acbench.release.manifest import Manifest
from acbench.release.versions import bumped, needed_step, question

OLD = Manifest(
    benchmark="toy", title="Toy", version="1.2.3", schema_version="1", schema_digest="0" * 8, policy="p",
    source="toy", source_licence="CC0-1.0", licence="CC0-1.0", images=False, categories=("cup",),
    classes=("good", "chip"), previous=None, files={},
)  # fmt: skip
ENTRY = ReleaseEntry(
    item_id="a", image="a.png", category="cup", split="test", anomalous=True, label="chip", labels=("chip",),
    source_labels=("chip",), status="accepted", decided_by="source_label", reason="so", agreement=None, sha256="0" * 64,
)  # fmt: skip


def after(version: str, entries: list[ReleaseEntry], **fields: Any) -> tuple[str, str]:
    """What is questioned about the next version."""
    before, now = ({entry.item_id: entry for entry in each} for each in ([ENTRY], entries))
    new = dataclasses.replace(OLD, version=version, **fields)
    changes = diff(before, now)
    return question(OLD, new, needed_step(OLD, new, changes, before, now), changes)


@pytest.mark.parametrize(
    ("version", "entries", "fields", "odd", "better"),
    [
        ("1.2.4", [ENTRY], {}, "nothing has changed since version 1.2.3", "1.2.3"),
        ("1.2.4", [], {}, "1.2.3 → 1.2.4 is too small a step: 1 image removed", "1.3.0"),
        ("1.2.4", [dataclasses.replace(ENTRY, labels=("good",), label="good")], {}, "too small a step", "1.3.0"),
        ("1.2.4", [ENTRY], {"images": True}, "images came or went", "1.3.0"),
        ("1.3.0", [ENTRY], {"classes": ("good", "dent", "chip")}, "numbers of classes", "2.0.0"),
        ("1.2.4", [ENTRY], {"classes": ("good", "chip", "dent")}, "", ""),
        ("1.2.4", [dataclasses.replace(ENTRY, reason="because")], {}, "", ""),
        ("1.3.0", [], {}, "", ""),
        ("2.0.0", [ENTRY], {"title": "Cups"}, "", ""),
    ],
)
def test_a_version_is_questioned(
    version: str, entries: list[ReleaseEntry], fields: dict[str, Any], odd: str, better: str
) -> None:
    why, instead = after(version, entries, **fields)
    assert odd in why and bool(odd) == bool(why)
    assert instead == better


def test_a_first_version_0_0_0_is_questioned() -> None:
    assert question(None, dataclasses.replace(OLD, version="0.0.0"), "patch", [])[1] == "1.0.0"
    assert question(None, dataclasses.replace(OLD, version="0.1.0"), "patch", []) == ("", "")


def test_steps() -> None:
    assert [bumped("1.2.3", by) for by in ("patch", "minor", "major")] == ["1.2.4", "1.3.0", "2.0.0"]


DECIDED = dataclasses.replace(ENTRY, decided_by=PEOPLE, people=2)
PENDING = dataclasses.replace(ENTRY, labels=(), label=None, status="pending", decided_by="nobody")


@pytest.mark.parametrize(
    ("old", "new", "effect", "lost"),
    [
        (DECIDED, ENTRY, "1 relabelled", True),
        (DECIDED, PENDING, "1 undecided again", True),
        (DECIDED, None, "1 removed", True),
        (DECIDED, dataclasses.replace(DECIDED, people=1), "1 relabelled", True),
        (DECIDED, dataclasses.replace(DECIDED, labels=("good",), label="good", people=3), "1 relabelled", False),
        (PENDING, DECIDED, "1 decided", False),
        (ENTRY, None, "1 removed", False),
        (None, ENTRY, "1 added", False),
        (DECIDED, DECIDED, "nothing", False),
        (ENTRY, dataclasses.replace(ENTRY, sha256="1" * 64), "1 file changed", False),
    ],
)
def test_what_a_release_does_to_the_last_one_is_told(
    old: ReleaseEntry | None, new: ReleaseEntry | None, effect: str, lost: bool
) -> None:
    changes = diff({"a": old} if old else {}, {"a": new} if new else {})
    assert effects(count_effects(changes)) == effect
    assert lost_decisions(changes) == ("1 image: a.png" if lost else "")
