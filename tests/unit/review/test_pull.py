"""Decisions come home once: new, changed and withdrawn ones as rows, everything else as a count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from acbench.records import Review
from acbench.review.annotation_tool import AnnotatedTask, Annotation, TaskKey, ToolProject
from acbench.review.askable import SERVICE, claimed
from acbench.review.history import ReviewLog, current_reviews
from acbench.review.pull import PullResult, last_round, pull
from tests.support.records import MVTEC_AC, item

BOTTLE, OTHER = item(), item(1)
ITEMS = {each.item_id: each for each in (BOTTLE, OTHER)}
PROJECT = ToolProject(number=3, uid="0a1b2c3d", title="MVTec-AC: Bottle", tasks=2, annotators=1, form_is_ours=True)
LATER = replace(PROJECT, number=4, uid="9a8b7c6d")
"""The project of a later round."""
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def said(number: int, *choices: str, note: str = "", by: str = "ada", **more: Any) -> Annotation:
    result: list[Any] = [{"from_name": "labels", "to_name": "image", "type": "choices", "value": {"choices": choices}}]
    result[0]["value"]["choices"] = list(choices)
    if note:
        result.append({"from_name": "note", "to_name": "image", "type": "textarea", "value": {"text": [note]}})
    values = {"result": result, "skipped": False, "seconds": 4.27, "when": f"2026-01-01T00:00:{number:02}+00:00"}
    return Annotation(number=number, author=by, **values | more)


def task(*annotations: Annotation, of: Any = BOTTLE, turn: int = 1, number: int = 1, **data: Any) -> AnnotatedTask:
    content = {"item_id": of.item_id, "round": turn, "shown": [], **data}
    return AnnotatedTask(number=number, data=content, annotations=annotations, drafts=0)


@dataclass
class Pulled:
    """All reviews after a pull, and what came of it."""

    reviews: list[Review]
    result: PullResult

    @property
    def remarks(self) -> list[str]:
        return self.result.remarks

    @property
    def undecided(self) -> set[TaskKey]:
        return self.result.undecided

    @property
    def counts(self) -> dict[str, int]:
        return {name: count for name, count in self.result.counts.items() if count}


def pulled(tasks: Sequence[AnnotatedTask], earlier: Sequence[Review] = (), project: ToolProject = PROJECT) -> Pulled:
    log = ReviewLog(ITEMS, MVTEC_AC, earlier)
    result = pull(project, tasks, log, now=NOW)
    return Pulled(log.reviews, result)


def test_a_decision_becomes_a_row_with_all_that_is_known_of_it() -> None:
    shown = ["neighbours@00000000", "clip@00000000"]
    (row,) = pulled([task(said(45, "contamination", note=" a\nthread "), shown=shown, turn=2)]).reviews
    assert row == Review(
        item_id=BOTTLE.item_id,
        reviewer="ada",
        round=1,
        verdict="label",
        labels=("contamination",),
        note="a thread",
        shown=("clip@00000000", "neighbours@00000000"),
        seconds=4.3,
        when="2026-01-01T00:00:45+00:00",
        desk="label-studio:0a1b2c3d/2/45",
        schema_version=MVTEC_AC.version,
    )
    assert last_round([row]) == 2


def test_pulling_twice_changes_nothing() -> None:
    tasks = [task(said(1, "contamination"), said(2, "good", by="bob")), task(said(3, "unsure"), of=OTHER, number=2)]
    first = pulled(tasks)
    again = pulled(tasks, first.reviews)
    assert again.reviews == first.reviews
    assert again.counts == {"same": 3}


def test_a_changed_decision_is_a_new_row_and_the_old_one_stays() -> None:
    first = pulled([task(said(1, "contamination"))])
    again = pulled([task(said(1, "broken_small", "contamination"))], first.reviews)
    assert again.counts == {"changed": 1}
    assert [(row.round, row.labels) for row in again.reviews] == [
        (1, ("contamination",)),
        (2, ("broken_small", "contamination")),
    ]


@pytest.mark.parametrize("after", [(), (said(1, skipped=True),), (said(1),)], ids=["deleted", "skipped", "emptied"])
def test_a_decision_that_was_taken_back_is_withdrawn_once(after: tuple[Annotation, ...]) -> None:
    first = pulled([task(said(1, "contamination"))])
    again = pulled([task(*after)], first.reviews)
    assert again.counts["withdrawn"] == 1
    assert again.reviews[-1].verdict == "withdrawn"
    assert again.reviews[-1].when == "2026-01-02T03:04:05+00:00"
    assert current_reviews(again.reviews) == []
    third = pulled([task(*after)], again.reviews)
    assert third.reviews == again.reviews
    back = pulled([task(said(1, "contamination"))], third.reviews)
    assert back.counts == {"changed": 1}
    assert [row.labels for row in current_reviews(back.reviews)] == [("contamination",)]


def test_a_task_that_is_gone_takes_no_decision_with_it() -> None:
    first = pulled([task(said(1, "contamination"))])
    again = pulled([], first.reviews)
    assert again.reviews == first.reviews
    assert again.counts == {"task_gone": 1}
    assert BOTTLE.item_id in again.remarks[0]


def test_a_new_desk_takes_no_decision_of_an_old_one_away() -> None:
    first = pulled([task(said(1, "contamination"))])
    other = replace(PROJECT, uid="ffffffff")
    result = pulled([task(said(1, "broken_small", by="bob"))], first.reviews, other)
    assert result.counts == {"new": 1}


def test_a_table_and_a_desk_count_rounds_together() -> None:
    table = Review(
        item_id=BOTTLE.item_id, reviewer="ada", round=1, verdict="label", labels=("contamination",), desk="csv"
    )
    result = pulled([task(said(1, "broken_small"))], [table])
    assert [row.round for row in result.reviews] == [1, 2]
    assert [row.labels for row in current_reviews(result.reviews)] == [("broken_small",)]


def test_an_image_is_undecided_once_as_many_as_are_wanted_have_said_nothing() -> None:
    two = replace(PROJECT, annotators=2)
    nothing, decision = said(1, skipped=True), said(2, "good", by="bob")
    for made, left in (((nothing,), False), ((nothing, said(2, by="bob")), True), ((nothing, decision), False)):
        result = pulled([task(*made)], project=two)
        assert result.undecided == ({(BOTTLE.item_id, 1)} if left else set())


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (said(1, skipped=True), "skipped"),
        (said(1), "empty"),
        (said(1, result=[]), "empty"),
        (said(1, "good", "contamination"), "contradictory"),
        (said(1, "unsure", "contamination"), "contradictory"),
        (said(1, "bad_mask", "bad_image"), "contradictory"),
        (said(1, "crack"), "unknown_class"),
        (said(1, "Contamination"), "unknown_class"),
        (said(1, result=[{"from_name": "boxes", "value": {"x": 1}}]), "edited_form"),
        (said(1, result=["nonsense"]), "edited_form"),
        (said(1, result=[{"from_name": "labels", "value": {"choices": "good"}}]), "edited_form"),
    ],
)
def test_what_is_no_decision_is_counted_and_never_guessed(found: Annotation, kind: str) -> None:
    result = pulled([task(found)])
    assert result.reviews == []
    assert result.undecided == {(BOTTLE.item_id, 1)}
    assert result.counts == {kind: 1}
    assert bool(result.remarks) == (kind != "skipped")
    assert all("task 1 (bottle/test/contamination/000.png), annotation 1 by ada: " in each for each in result.remarks)


def test_tasks_that_are_not_known_are_told_and_left_alone() -> None:
    strange = AnnotatedTask(number=8, data={"text": "hello"}, annotations=[said(1, "good")], drafts=1)
    lost = task(said(2, "good"), of=item(99), number=9)
    odd = AnnotatedTask(
        number=10, data={"item_id": BOTTLE.item_id, "round": "1"}, annotations=[said(3, "good")], drafts=0
    )
    result = pulled([strange, lost, odd])
    assert result.reviews == []
    assert result.counts == {"drafts": 1, "not_ours": 2, "unknown_item": 1}
    assert len(result.remarks) == 3


def test_rows_of_other_hands_do_not_stop_it() -> None:
    rows = [
        Review(item_id=BOTTLE.item_id, reviewer="x", round=1, verdict="unsure", labels=(), desk=desk)
        for desk in ("label-studio:", "label-studio:0a1b2c3d/x/y", "label-studio:0a1b2c3d/1/2/3", "")
    ]
    assert pulled([], rows).reviews == rows
    assert last_round(rows) == 0


def test_a_form_that_a_proposal_had_filled_in_is_counted() -> None:
    found = said(1, "good")
    parts = [{**part, "origin": "prediction"} for part in found.result]
    result = pulled([task(replace(found, result=parts))])
    assert result.counts == {"new": 1, "prefilled": 1}


@pytest.mark.parametrize("seconds", [None, -1.0, 1e9])
def test_a_time_that_cannot_be_is_not_kept(seconds: float | None) -> None:
    (row,) = pulled([task(said(1, "good", seconds=seconds))]).reviews
    assert row.seconds is None


class TestWhoWasAsked:
    """An answer that should not have been given is named, kept, and no row."""

    FIRST = task(said(1, "broken_small"), said(2, "good", by="bob"))

    def test_whoever_decided_before_is_not_heard_again_in_a_later_round(self) -> None:
        first = pulled([self.FIRST])
        again = pulled([task(said(3, "good"), said(4, "good", by="cy"), turn=2, number=2)], first.reviews, LATER)
        assert again.counts == {"asked_before": 1, "new": 1}
        assert [(row.reviewer, row.labels) for row in again.reviews[2:]] == [("cy", ("good",))]
        assert "ada decided this image before" in again.remarks[0]
        (kept,) = again.result.refused
        assert kept.to_json()["result"] == said(3, "good").result

    def test_who_is_named_as_not_asked_is_not_heard_in_the_first_round_of_the_tool_either(self) -> None:
        (mine,) = pulled([task(said(1, "good"))]).reviews
        by_file = replace(mine, desk="csv")
        assert pulled([task(said(9, "good"), number=2)], [by_file]).counts == {"new": 1}
        assert pulled([task(said(9, "good"), number=2, not_for=["ada"])], [by_file]).counts == {"asked_before": 1}

    def test_who_took_it_back_may_be_asked_again(self) -> None:
        first = pulled([task(said(1, "good"))])
        gone = pulled([task()], first.reviews)
        assert pulled([task(said(3, "good"), turn=2, number=2)], gone.reviews).counts["new"] == 1

    def test_what_was_taken_before_the_rule_stays_taken(self) -> None:
        first, later = pulled([self.FIRST]), task(said(3, "good"), turn=2, number=2)
        second = replace(first.reviews[0], round=2, labels=("good",), desk=f"label-studio:{PROJECT.uid}/2/3")
        assert pulled([self.FIRST, later], [*first.reviews, second]).counts == {"same": 3}

    def test_a_task_that_only_the_wrong_people_answered_is_put_up_again(self) -> None:
        first = pulled([self.FIRST])
        again = pulled([task(said(3, "good"), turn=2, number=2)], first.reviews, LATER)
        assert again.undecided == {(BOTTLE.item_id, 2)}

    def test_the_servers_own_account_is_nobody_until_a_person_claims_it(self) -> None:
        tasks = [task(said(1, "good", by=SERVICE))]
        found = pulled(tasks)
        assert (found.counts, found.reviews) == ({"nobody": 1}, [])
        assert "--claim NAME" in found.remarks[0]
        taken = pulled(list(claimed(tasks, "dora")))
        assert [row.reviewer for row in taken.reviews] == ["dora"]
        assert pulled(tasks, taken.reviews).counts == {"same": 1}
