"""Decisions come home once: new, changed and withdrawn ones as rows, everything else as a count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from acbench.errors import ReviewError
from acbench.records import Review
from acbench.review.annotation_tool import AnnotatedTask, Annotation, TaskKey, ToolProject
from acbench.review.askable import SERVICE, claimed
from acbench.review.former import all_as_read, in_words, lost_classes
from acbench.review.history import ReviewLog, current_reviews
from acbench.review.pull import Met, PullResult, last_round, pull
from acbench.review.sight import sight_of_proposer
from acbench.schema import Schema, read
from tests.support.records import CHIP, CRACK, HEAD, MVTEC_AC, TAIL, item

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


def pulled(
    tasks: Sequence[AnnotatedTask],
    earlier: Sequence[Review] = (),
    project: ToolProject = PROJECT,
    *,
    schema: Schema = MVTEC_AC,
) -> Pulled:
    log = ReviewLog(ITEMS, schema, earlier)
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
        sight="available",
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


OFFERED = ["broken_large", "broken_small", "contamination", "good"]
GONE = read.parse(HEAD.replace("cup:", "bottle:") + "    classes:" + CHIP + CRACK + TAIL)[0]
"""A schema in which bottles have other classes."""


def renamed(*changes: str) -> Schema:
    """The same, which says what former classes are called now."""
    tail = "    changes:\n" + "".join(f"      - {{{change}, reason: a better word}}\n" for change in changes)
    made = read.parse(HEAD.replace("cup:", "bottle:") + "    classes:" + CHIP + CRACK + tail)[0]
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (said(1, "contamination", "crack"), "former_class"),
        (said(1, "contamination", result=[{"from_name": "boxes", "value": {"x": 1}}]), "edited_form"),
        (said(1, "contamination", "good"), "contradictory"),
        (said(1, "never heard of"), "unknown_class"),
        (said(1, "contamination"), ""),
    ],
)
def test_no_edit_of_schema_or_form_takes_a_decision_back(found: Annotation, kind: str) -> None:
    assert GONE is not None
    first = pulled([task(said(1, "contamination"), classes=OFFERED)])
    for now in (GONE, replace(GONE, categories={})):
        kept = pulled([task(found, classes=OFFERED)], first.reviews, schema=now)
        changed = kind == "former_class" and bool(now.categories)
        assert kept.reviews[:1] == first.reviews and len(kept.reviews) == 1 + changed
        assert not any(review.verdict == "withdrawn" for review in kept.reviews)
        if changed:
            assert kept.reviews[1].labels == ("contamination", "crack"), "ada changed it, and named a new class too"
        elif not now.categories:
            assert kept.result.unread == {"unknown_item": 1}
        elif kind:
            assert kept.result.unread == {kind: 1}
        again = pulled([task(found, classes=OFFERED)], kept.reviews, schema=now)
        assert again.reviews == kept.reviews


def test_what_an_earlier_version_withdrew_for_a_schema_comes_back() -> None:
    assert GONE is not None
    (row,) = pulled([task(said(1, "contamination"))]).reviews
    withdrawn = replace(row, round=2, verdict="withdrawn", labels=())
    found = pulled([task(said(1, "contamination"))], [row, withdrawn], schema=GONE)
    assert [review.labels for review in current_reviews(found.reviews)] == [("contamination",)]
    assert pulled([task(said(1, "contamination"))], found.reviews, schema=GONE).reviews == found.reviews


def test_what_was_decided_before_the_schema_changed_is_kept_as_it_was_said() -> None:
    assert GONE is not None
    answers = task(said(1, "contamination"), said(2, "broken_small", by="bob"), classes=OFFERED, schema="7")
    found = pulled([answers], schema=GONE)
    assert [(row.labels, row.schema_version) for row in found.reviews] == [
        (("contamination",), "7"), (("broken_small",), "7")
    ]  # fmt: skip
    assert found.counts == {"new": 2, "former_class": 2} and not found.result.unread
    lost = lost_classes(found.reviews, ITEMS, GONE)
    assert in_words(lost) == (
        "2 decisions name classes that the schema no longer has (bottle: broken_small, contamination)"
    )
    mapped = renamed(
        "kind: merge, source: broken_small, into: chip", "kind: rename, source: contamination, into: crack"
    )
    assert [row.labels for row in all_as_read(found.reviews, ITEMS, mapped)] == [("crack",), ("chip",)]
    assert lost_classes(found.reviews, ITEMS, mapped) == []
    mixed = renamed("kind: mixed, source: contamination")
    assert len(lost_classes(found.reviews, ITEMS, mixed)) == 2, "what was mixed up is not one of the classes"


def test_a_class_that_no_form_offered_is_no_class() -> None:
    found = pulled([task(said(1, "crack"), classes=["\x1b[31m", "Crack", "x" * 500, 7])])
    assert found.counts == {"unknown_class": 1} and found.reviews == []


@pytest.mark.parametrize("number", [-1, 0, 10**9, 10**30, True, 1.0, "1"])
def test_a_round_that_cannot_be_is_not_ours_and_adds_nothing(number: Any) -> None:
    found = pulled([task(said(1, "good"), turn=number)])
    assert found.counts == {"not_ours": 1} and found.reviews == []


def test_the_last_round_that_can_be_is_pulled_once() -> None:
    first = pulled([task(said(10**18 - 1, "good", when=""), turn=10**9 - 1)])
    assert first.counts == {"new": 1} == {"new": len(first.reviews)}
    assert pulled([task(said(10**18 - 1, "good", when=""), turn=10**9 - 1)], first.reviews).counts == {"same": 1}
    beyond = pulled([task(said(10**18, "good", when=""))])
    assert beyond.reviews == [] and beyond.counts == {"edited_form": 1}
    last = replace(first.reviews[0], round=10**9 - 1)
    with pytest.raises(ReviewError, match="none can follow"):
        pulled([task(said(2, "unsure"))], [last])


def test_notes_and_names_are_kept_without_control_characters_and_within_bounds() -> None:
    long = "x" * 20_000
    found = pulled(
        [task(said(1, "good", note="a\x1b[2Jb\0\u202ec", by="a\x1b[1mda"), said(2, "good", note=long, by="bob"))]
    )
    assert [row.reviewer for row in found.reviews] == ["a [1mda", "bob"]
    assert found.reviews[0].note == "a[2Jbc"
    assert len(found.reviews[1].note) == 10_000 and found.reviews[1].note.endswith("… (cut at 10,000 characters)")
    assert found.counts == {"new": 2, "cut": 1} and "note of bob" in found.remarks[0]
    cut_in_silence = [found.reviews[0], replace(found.reviews[1], note=long[:10_000])]
    tasks = [task(said(1, "good", note="a\x1b[2Jb\0\u202ec", by="a\x1b[1mda"), said(2, "good", note=long, by="bob"))]
    for kept in (found.reviews, cut_in_silence):
        assert pulled(tasks, kept).reviews == kept


@pytest.mark.parametrize(
    ("data", "sight"),
    [
        ({"shown": ["clip@00000000"], "blind": False, "proposed": 1}, "available"),
        ({"blind": True, "proposed": 2}, "blind"),
        ({"blind": True, "proposed": 0}, "none"),
        ({"blind": False, "proposed": 0}, "none"),
        ({"blind": False}, "none"),
        ({"blind": True}, "blind"),
        ({}, "blind"),
    ],
)
def test_what_a_person_could_know_of_proposals_is_recorded(data: Any, sight: str) -> None:
    (row,) = pulled([task(said(1, "good"), **data)]).reviews
    assert row.sight == sight


def test_a_blind_task_is_not_blind_for_who_saw_proposals_before() -> None:
    seen = task(said(1, skipped=True), shown=["clip@00000000"], blind=False, proposed=1)
    blind = task(said(2, "good"), said(3, "good", by="bob"), turn=2, blind=True, proposed=1)
    found = pulled([seen, blind])
    assert [(row.reviewer, row.sight) for row in found.reviews] == [("ada", "earlier"), ("bob", "blind")]
    log, met = ReviewLog(ITEMS, MVTEC_AC, ()), Met(list)
    for project, each in ((PROJECT, seen), (LATER, blind)):
        pull(project, [each], log, met=met)
    assert [row.sight for row in log.added] == ["earlier", "blind"], "the project of the earlier round counts too"
    ada, bob = found.reviews
    for review, clip, other in ((ada, "earlier", "blind"), (bob, "blind", "blind")):
        assert sight_of_proposer(review, found.reviews, "clip") == clip
        assert sight_of_proposer(review, found.reviews, "neighbours") == other


def test_who_skipped_a_task_with_proposals_is_not_blind_afterwards() -> None:
    skipped = task(said(1, skipped=True), shown=["clip@00000000"], blind=False, proposed=1)
    blind = task(said(2, "good"), said(3, "good", by="bob"), turn=2, number=2, blind=True, proposed=2)
    ada, bob = pulled([skipped, blind]).reviews
    assert (ada.sight, ada.shown, bob.sight, bob.shown) == ("earlier", ("clip@00000000",), "blind", ())
    assert [sight_of_proposer(ada, [ada], name) for name in ("clip", "neighbours")] == ["earlier", "blind"]


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
