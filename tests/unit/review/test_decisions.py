"""What a person said means the same wherever it was said."""

from __future__ import annotations

import pytest

from acbench.records import Verdict
from acbench.review.decisions import Decision, DecisionError, decide, read_chosen, read_typed, refusal
from acbench.review.history import ReviewLog, Statement
from tests.support.records import BOTTLE, MVTEC_AC, decides, item

CLASSES = ["broken_small", "contamination"]


@pytest.mark.parametrize(
    ("typed", "chosen", "decision"),
    [
        ("Contamination", ["contamination"], Decision(verdict="label", labels=("contamination",))),
        ("contamination + Small breakage", CLASSES, Decision(verdict="label", labels=tuple(CLASSES))),
        ("normal", ["good"], Decision(verdict="label", labels=("good",))),
        ("Bad image", ["bad_image"], Decision(verdict="bad_image")),
        ("unsure", ["unsure"], Decision(verdict="unsure")),
    ],
)
def test_typed_or_chosen_it_is_the_same_decision(typed: str, chosen: list[str], decision: Decision) -> None:
    assert read_typed(typed, BOTTLE) == decision
    assert read_chosen(chosen, BOTTLE) == decision


@pytest.mark.parametrize(
    ("typed", "chosen", "kind"),
    [
        ("dust", ["dust"], "unknown_class"),
        ("good, contamination", ["good", "contamination"], "contradictory"),
    ],
)
def test_typed_or_chosen_it_is_the_same_error(typed: str, chosen: list[str], kind: str) -> None:
    for read in (lambda: read_typed(typed, BOTTLE), lambda: read_chosen(chosen, BOTTLE)):
        with pytest.raises(DecisionError) as caught:
            read()
        assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("verdicts", "labels", "kind"),
    [
        ([], [], "empty"),
        (["unsure", "bad_mask"], [], "contradictory"),
        (["unsure"], ["contamination"], "contradictory"),
        ([], ["good", "contamination"], "contradictory"),
    ],
)
def test_what_is_no_single_decision_is_refused(verdicts: list[Verdict], labels: list[str], kind: str) -> None:
    with pytest.raises(DecisionError) as caught:
        decide(verdicts, labels)
    assert caught.value.kind == kind


def test_a_category_that_the_schema_does_not_have_takes_verdicts_only() -> None:
    assert read_typed("bad mask", None).verdict == "bad_mask"
    with pytest.raises(DecisionError, match="its category is not in the schema"):
        read_typed("good", None)


def test_a_refusal_lists_the_first_problems() -> None:
    error = refusal("30 rows", [f"line {number}: no" for number in range(30)], "mend them")
    assert error.message.startswith("30 rows cannot be taken, so none was:\n  line 0: no\n")
    assert error.message.endswith("\n  line 19: no\n  and 10 more")


def test_the_log_counts_the_rounds_of_each_reviewer_wherever_they_decided() -> None:
    of = item()
    earlier = [decides("ann", of, "contamination", round=4, desk="csv"), decides("ann", of, "good", round=2)]
    log = ReviewLog({of.item_id: of}, MVTEC_AC, earlier)
    for reviewer in ("ann", "bob", "bob"):
        log.add(statement(of.item_id, reviewer, "csv"))
    log.add(*(statement(of.item_id, "ann", desk) for desk in ("fiftyone:a/1", "fiftyone:a/2")))
    assert [(row.reviewer, row.round) for row in log.added] == [
        ("ann", 5),
        ("bob", 1),
        ("bob", 2),
        ("ann", 6),
        ("ann", 6),
    ]
    assert log.reviews == [*earlier, *log.added]
    assert [row.round for row in log.of_reviewer(of.item_id, "ann")] == [2, 4, 5, 6, 6]


def statement(item_id: str, reviewer: str, desk: str) -> Statement:
    decision = Decision(verdict="label", labels=("good",))
    return Statement(item_id=item_id, reviewer=reviewer, decision=decision, when="2026-01-01T00:00:00+00:00", desk=desk)
