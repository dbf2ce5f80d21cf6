"""What a person said means the same wherever it was said."""

from __future__ import annotations

import pytest
from helpers import BOTTLE, MVTEC_AC, decides, item

from acbench.records import Verdict
from acbench.review.decisions import Decision, DecisionError, decide, read_chosen, read_typed, refusal
from acbench.review.history import ReviewLog

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
    assert (log.next_round(of.item_id, "ann"), log.next_round(of.item_id, "bob")) == (5, 1)
    log.add(decides("bob", of, "good"))
    assert log.next_round(of.item_id, "bob") == 2
    assert (log.reviews[:2], len(log.added)) == (earlier, 1)
    assert [row.round for row in log.of_reviewer(of.item_id, "ann")] == [2, 4]
