"""Which decision of each person stands, which came first, and rows that contradict each other."""

from __future__ import annotations

from typing import Any

import pytest

from acbench.records import Review, Sight
from acbench.review.history import current_reviews, first_answers, rows_that_differ
from acbench.review.sight import sight_of, sight_of_proposer
from tests.support.records import decides, item

ONE = item(1)


def at(who: str, turn: int, *labels: str, number: int = 1, **more: Any) -> Review:
    """A decision at a task of round `turn`."""
    return decides(who, ONE, *labels, desk=f"label-studio:0a1b2c3d/{turn}/{number}", **more)


def firsts(*reviews: Review) -> dict[str, tuple[str, ...]]:
    return {review.reviewer: review.labels for review in first_answers(reviews)}


class TestFirstAnswers:
    def test_a_later_answer_replaces_the_first_in_the_label_alone(self) -> None:
        history = [decides("ann", ONE, "good"), decides("ann", ONE, "contamination", round=2)]
        assert firsts(*history) == {"ann": ("good",)}
        assert [review.labels for review in current_reviews(history)] == [("contamination",)]

    def test_unsure_is_no_answer_and_what_was_taken_back_is_none(self) -> None:
        assert firsts(at("ann", 1, verdict="unsure"), at("ann", 2, "good", number=2, round=2)) == {"ann": ("good",)}
        back = at("bob", 1, verdict="withdrawn", round=2)
        assert firsts(at("bob", 1, "good"), back) == {}
        assert firsts(at("bob", 1, "good"), back, at("bob", 2, "contamination", number=2, round=3)) == {
            "bob": ("contamination",)
        }

    def test_who_settles_what_others_dispute_is_none_of_them(self) -> None:
        two = (at("ann", 1, "good"), at("bob", 1, "contamination", number=2))
        by_round = at("cem", 2, "good", number=3)
        by_record = at("cem", 1, "good", number=3, settles=True)
        assert firsts(*two, by_round) == firsts(*two, by_record) == firsts(*two)
        assert firsts(*two, at("cem", 1, "good", number=3)).keys() == {"ann", "bob", "cem"}, "a third of the same round"
        assert firsts(*two, decides("cem", ONE, "good", desk="csv")).keys() == {"ann", "bob", "cem"}

    def test_who_is_asked_since_another_could_not_tell_answers_first(self) -> None:
        unsure = at("ann", 1, verdict="unsure")
        assert firsts(unsure, at("bob", 2, "good", number=2, settles=True)) == {"bob": ("good",)}


class TestRowsThatDiffer:
    def test_they_are_found_and_equal_ones_are_not(self) -> None:
        one, other = decides("ann", ONE, "good", when="1"), decides("ann", ONE, "contamination", when="2")
        assert rows_that_differ([other, one]) == [(one, other)]
        assert rows_that_differ([one, one, decides("bob", ONE, "contamination")]) == []
        undo = [decides("ann", ONE, verdict="withdrawn", round=2, desk=f"fiftyone:{n}") for n in "ab"]
        assert rows_that_differ([one, *undo]) == [], "one undo may take back at several desks"


@pytest.mark.parametrize(
    ("row", "sight", "clip", "other"),
    [
        ({"shown": ("clip@1",), "desk": "csv"}, "seen", "seen", "none"),
        ({"shown": ("clip@1",), "desk": "label-studio:0a1b2c3d/1/1"}, "available", "available", "none"),
        ({}, "blind", "blind", "blind"),
        ({"shown": ("clip@1",), "sight": "seen"}, "seen", "seen", "none"),
        ({"sight": "none"}, "none", "none", "none"),
        ({"sight": "blind"}, "blind", "blind", "blind"),
    ],
)
def test_rows_of_earlier_versions_and_new_ones_say_what_was_in_reach(
    row: dict[str, Any], sight: Sight, clip: Sight, other: Sight
) -> None:
    review = decides("ann", ONE, "good", **row)
    assert sight_of(review, [review]) == sight
    assert [sight_of_proposer(review, [review], name) for name in ("clip", "neighbours")] == [clip, other]


def test_what_was_in_reach_before_counts_whatever_its_version() -> None:
    before = decides("ann", ONE, "good", shown=("clip@1",), desk="csv")
    later = decides("ann", ONE, "good", round=2, sight="blind")
    others = decides("bob", ONE, "good", round=2, sight="blind")
    for review, any_of_them, clip in ((later, "earlier", "earlier"), (others, "blind", "blind")):
        history = [before, later, others]
        assert (sight_of(review, history), sight_of_proposer(review, history, "clip")) == (any_of_them, clip)
