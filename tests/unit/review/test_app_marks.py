"""Marks in a viewer become review rows that say who and why, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from acbench.errors import ReviewError
from acbench.records import Item, Review
from acbench.review.app_marks import MANY, CollectCounts, CollectResult, collect, refuse_mistakes
from acbench.review.app_records import AppMark
from acbench.review.history import ReviewLog, current_reviews
from acbench.review.rechecks import recheck_requests
from tests.support.records import MVTEC_AC, decides, item

ONE, TWO = item(1, "broken_large"), item(2, "contamination")
ITEMS = {each.item_id: each for each in (ONE, TWO)}
NOON, LATER = "2026-01-01T12:00:00+00:00", "2026-01-02T12:00:00+00:00"


def mark(*tags: str, **other: Any) -> AppMark:
    values: dict[str, Any] = {
        "item_id": ONE.item_id,
        "tags": tags,
        "label_before": "broken_large",
        "sample": "acbench/5f",
    }
    return AppMark(**values | other)


@dataclass
class Taken:
    """What was collected, and the new reviews."""

    result: CollectResult
    reviews: list[Review]

    @property
    def counts(self) -> CollectCounts:
        return self.result.counts

    @property
    def taken(self) -> list[AppMark]:
        return self.result.taken

    @property
    def other_tags(self) -> list[tuple[str, str]]:
        return self.result.other_tags


def taken(*marks: AppMark, earlier: list[Review] | None = None, when: str = NOON, reviewer: str = "ada") -> Taken:
    log = ReviewLog(ITEMS, MVTEC_AC, earlier or [])
    result = collect(marks, log, reviewer=reviewer, when=when, shown={ONE.item_id: ("neighbours@1",)})
    return Taken(result, log.added)


def test_a_class_as_a_tag_decides() -> None:
    found = taken(mark("contamination", "for the talk"))
    assert found.counts == CollectCounts(decided=1)
    assert found.other_tags == [(ONE.image, "for the talk")]
    assert found.taken[0].tags == ("contamination",)
    assert found.reviews == [
        Review(
            item_id=ONE.item_id,
            reviewer="ada",
            round=1,
            verdict="label",
            labels=("contamination",),
            note="was broken_large",
            shown=("neighbours@1",),
            sight="seen",
            when=NOON,
            desk="fiftyone:acbench/5f",
            schema_version=MVTEC_AC.version,
        )
    ]


@pytest.mark.parametrize(
    ("tags", "verdict", "labels", "note"),
    [
        (("Broken large", "contamination"), "label", ("broken_large", "contamination"), "was broken_large"),
        (("broken_large + contamination",), "label", ("broken_large", "contamination"), "was broken_large"),
        (("broken_large",), "label", ("broken_large",), ""),
        (("good",), "label", ("good",), "was broken_large"),
        (("bad mask",), "bad_mask", (), ""),
        (("recheck",), "unsure", (), ""),
        (("Recheck: the rim: look closer",), "unsure", (), "the rim: look closer"),
        (("recheck", "contamination"), "unsure", (), "perhaps contamination"),
    ],
)
def test_what_tags_say(tags: tuple[str, ...], verdict: str, labels: tuple[str, ...], note: str) -> None:
    (review,) = taken(mark(*tags)).reviews
    assert (review.verdict, review.labels, review.note) == (verdict, labels, note)


def test_another_class_in_the_label_decides() -> None:
    (review,) = taken(mark(new_label="contamination")).reviews
    assert (review.verdict, review.labels, review.note) == ("label", ("contamination",), "was broken_large")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (mark(new_label="thread_top"), "its label was changed: 'thread_top' is no class of bottle"),
        (mark(new_label=""), "'' is no class of bottle"),
        (mark("contamination", new_label="broken_small"), "its label says broken_small, its tags say contamination"),
        (mark("good", "contamination"), "contamination and good do not go together"),
        (mark("bad_image", "contamination"), "bad_image and contamination do not go together"),
        (mark("recheck", item_id="gone"), "no such image"),
        (mark("undo"), "ada has decided nothing about it in the App"),
        (mark("undo", "contamination"), "it says undo, and more"),
        (mark("undo", new_label="contamination"), "it says undo, and more"),
    ],
)
def test_a_mark_that_cannot_be_taken_is_named_and_holds_back_no_other(wrong: AppMark, says: str) -> None:
    good = mark("contamination", item_id=TWO.item_id)
    found = taken(wrong, good)
    (problem,) = found.result.problems
    assert says in problem and problem.startswith(("gone: ", f"{ONE.image}: "))
    assert found.taken == [good] and [review.item_id for review in found.reviews] == [TWO.item_id]


def test_the_same_mark_again_is_no_new_row() -> None:
    first = taken(mark("recheck")).reviews
    again = taken(mark("recheck"), earlier=first, when=LATER)
    assert again.reviews == [] and again.counts.same == 1
    assert again.taken, "it is taken off the sample all the same"
    (other,) = taken(mark("contamination"), earlier=first, when=LATER).reviews
    assert other.round == 2


def test_a_decision_after_one_that_was_withdrawn_is_a_round_of_its_own() -> None:
    first = taken(mark("contamination")).reviews
    history = [*first, replace(first[0], round=2, verdict="withdrawn", labels=(), when=LATER)]
    (again,) = taken(mark("contamination"), earlier=history, when=LATER).reviews
    assert again.round == 3


def test_a_decision_is_taken_back_once() -> None:
    first = taken(mark("contamination")).reviews
    elsewhere = replace(first[0], desk="csv", labels=("broken_small",), round=2)
    back = taken(mark("Undo"), earlier=[*first, elsewhere], when=LATER)
    (review,) = back.reviews
    assert (review.verdict, review.labels, review.round) == ("withdrawn", (), 3)
    assert review.desk == first[0].desk and back.counts.undone == 1
    assert current_reviews([*first, elsewhere, review]) == [elsewhere]
    again = taken(mark("undo"), earlier=[*first, elsewhere, review], when=LATER)
    assert again.reviews == [] and again.taken and again.counts.same == 1


def test_each_place_where_it_was_decided_is_taken_back() -> None:
    first = taken(mark("contamination")).reviews
    second = taken(mark("good", sample="acbench/6a"), earlier=first, when=LATER).reviews
    back = taken(mark("undo"), earlier=[*first, *second], when=LATER).reviews
    assert {each.desk for each in back} == {"fiftyone:acbench/5f", "fiftyone:acbench/6a"}
    assert current_reviews([*first, *second, *back]) == []


def test_many_images_with_one_mark_look_like_a_mistake() -> None:
    items = {each.item_id: each for each in (item(number) for number in range(MANY + 1))}
    marked = [decides("ada", each, "contamination") for each in items.values()]
    assert mistake(marked, items) == f"{MANY + 1} images are marked contamination, 0 of them training images"
    refuse_mistakes(marked[:MANY], items)
    normal = replace(item(0), split="train", anomalous=False)
    one = {normal.item_id: normal}
    assert mistake(marked[:1], one) == "training images, which are normal, are marked contamination (1 of them)"
    refuse_mistakes([decides("ada", normal, "good")], one)
    undone = [replace(review, verdict="withdrawn", labels=()) for review in marked]
    refuse_mistakes(undone[:1], one)
    assert mistake(undone, items).startswith(f"{MANY + 1} images are marked withdrawn")


def mistake(reviews: list[Review], items: dict[str, Item]) -> str:
    """Why reviews are refused."""
    with pytest.raises(ReviewError, match="so nothing was taken") as caught:
        refuse_mistakes(reviews, items)
    return caught.value.message.removesuffix(", so nothing was taken")


def test_other_tags_alone_say_nothing() -> None:
    found = taken(mark("train", "nice picture"))
    assert found.reviews == [] and found.taken == []
    assert found.other_tags == [(ONE.image, "train"), (ONE.image, "nice picture")]


def test_a_request_stays_open_until_somebody_decides() -> None:
    asked = taken(mark("recheck: why")).reviews
    assert set(recheck_requests(asked)) == {ONE.item_id}
    before = decides("bob", ONE, "contamination", when="2025-12-31T12:00:00+00:00")
    assert set(recheck_requests([*asked, before])) == {ONE.item_id}
    assert recheck_requests([*asked, replace(before, when=LATER)]) == {}
    assert recheck_requests([*asked, *taken(mark("good"), earlier=asked, when=LATER).reviews]) == {}
    assert recheck_requests([decides("bob", ONE, verdict="unsure", desk="csv")]) == {}, (
        "has its place in the queue already"
    )
