"""What changed between two releases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acbench.release.diff import Change, counts, diff, summary
from acbench.release.entries import ReleaseEntry

CHIPPED = ReleaseEntry(
    item_id="one", image="cup/test/chip/000.png", category="cup", split="test", anomalous=True, label="chip",
    labels=("chip",), source_labels=("chip",), status="accepted", decided_by="source_label", reason="as it says",
    agreement=None, sha256="0" * 64,
)  # fmt: skip


def changed(**other: object) -> list[Change]:
    return diff({"one": CHIPPED}, {"one": replace(CHIPPED, **other)})


@pytest.mark.parametrize(
    ("other", "kind", "before", "after"),
    [
        ({"labels": ("crack",), "label": "crack"}, "labels", "chip", "crack"),
        ({"labels": ("chip", "crack"), "label": None}, "labels", "chip", "chip + crack"),
        ({"labels": (), "label": None, "status": "pending"}, "labels", "chip", "pending"),
        ({"label": None}, "single", "chip", "none"),
        ({"status": "excluded"}, "status", "accepted", "excluded"),
        ({"sha256": "1" * 64}, "image", "sha256 000000000000", "sha256 111111111111"),
        ({"split": "train"}, "split", "cup, test", "cup, train"),
    ],
)
def test_a_change_is_told_with_its_reason(other: dict[str, object], kind: str, before: str, after: str) -> None:
    (change,) = changed(**other, reason="somebody looked")
    assert (change.kind, change.before, change.after, change.reason) == (kind, before, after, "somebody looked")


@pytest.mark.parametrize("other", [{}, {"reason": "other words"}, {"decided_by": "people"}, {"agreement": 1.0}])
def test_a_label_that_stays_is_no_change(other: dict[str, object]) -> None:
    assert changed(**other) == []


def test_images_come_and_go() -> None:
    two = replace(CHIPPED, item_id="two", image="cup/test/chip/001.png")
    changes = diff({"one": CHIPPED}, {"two": two})
    assert [(each.item_id, each.kind, each.before, each.after) for each in changes] == [
        ("one", "removed", "chip", ""),
        ("two", "added", "", "chip"),
    ]
    assert counts(changes) == {"added": 1, "removed": 1}
    assert summary(changes) == "1 image added, 1 image removed"
    assert summary([*changes, changes[0], *changed(labels=("crack",))]) == (
        "1 image added, 2 images removed, 1 label changed"
    )
