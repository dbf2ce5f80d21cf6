"""The report on people: who agreed with whom, and what proposals did to them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from acbench.evaluation import plots
from acbench.evaluation.agreement import AgreementReport, DecisionTimes, ReviewerCounts, agreement
from acbench.records import Item, Proposal, Review
from acbench.review.history import by_item
from tests.support.records import MVTEC_AC, decides, item, says

ITEMS = [item(number) for number in range(8)]
MACHINE = "clip@00000000"


def report(
    reviews: list[Review], proposals: list[Proposal] | None = None, items: list[Item] = ITEMS
) -> AgreementReport:
    said = {each.item_id: [each] for each in proposals or []}
    return agreement(items, said, by_item(reviews), MVTEC_AC.benchmark)


def test_nobody_has_decided_anything() -> None:
    found = report([], [says(ITEMS[0], "clip", "contamination")])
    assert (found.images, found.shared, found.proposers, found.by_category) == (0, 0, {}, {})
    assert found.agreement.alpha is None
    assert plots.agreement(found).startswith(b"\x89PNG")


def test_first_answers_are_compared_and_unsure_is_none() -> None:
    reviews = [
        decides("ann", ITEMS[0], "contamination", seconds=2.0),
        decides("ann", ITEMS[0], "broken_small", round=2, seconds=4.0),
        decides("bob", ITEMS[0], "broken_small", seconds=6.0),
        decides("ann", ITEMS[1], "broken_small", "contamination"),
        decides("bob", ITEMS[1], "contamination"),
        decides("ann", ITEMS[2], verdict="unsure"),
        decides("bob", ITEMS[2], verdict="bad_mask"),
        decides("eve", ITEMS[3], verdict="withdrawn"),
    ]
    found = report(reviews)
    assert (found.images, found.shared) == (3, 2)
    assert found.agreement.unanimous is not None and found.agreement.unanimous.value == 0
    assert found.adjudicated.unanimous is not None and found.adjudicated.unanimous.value == 0.5
    assert found.reviewers["ann"] == ReviewerCounts(
        decisions=3, unsure=1, by_sight={"blind": 3}, seconds=DecisionTimes(n=1, median=4.0, sum=4.0)
    )
    assert "eve" not in found.reviewers
    assert found.pairs["ann and bob"].images == 2
    classes = found.by_category["bottle"].by_class
    assert {name: each.images for name, each in classes.items()} == {
        "(bad_mask)": 1,
        "broken_small": 2,
        "contamination": 2,
    }


def test_people_who_saw_a_proposal_are_counted_apart() -> None:
    proposals = [says(each, "clip", "contamination") for each in ITEMS]
    shown = [decides("ann", each, "contamination", shown=(MACHINE,), seconds=1.0) for each in ITEMS[:4]]
    blind = [decides("ann", each, "broken_small", seconds=9.0) for each in ITEMS[4:7]]
    last = decides("ann", ITEMS[7], "contamination", shown=("other@00000000",))
    found = report([*shown, *blind, last], proposals)
    figures = found.proposers[MACHINE]
    assert {sight: (share.n, share.value) for sight, share in figures.same.items()} == {
        "seen": (4, 1.0), "blind": (3, 0.0), "none": (1, 1.0)
    }  # fmt: skip
    assert figures.alternative.too_few.startswith("it takes 3 people")
    assert found.seconds.median == 1.0
    assert {sight: times.median for sight, times in found.seconds_by_sight.items()} == {"seen": 1.0, "blind": 9.0}
    assert plots.agreement(found).startswith(b"\x89PNG")


def tool(project: str, turn: int, number: int) -> str:
    return f"label-studio:{project * 8}/{turn}/{number}"


def test_who_settles_a_dispute_and_who_is_asked_again_does_not_raise_agreement() -> None:
    """Twelve images; ann and bob agree on eight. Both are asked again about the other four, and cem settles them."""
    items = [item(number) for number in range(12)]
    once = [
        decides(who, each, answer, desk=tool("a", 1, 10 * number + place))
        for number, each in enumerate(items)
        for place, (who, answer) in enumerate(
            [("ann", "contamination" if number % 2 else "broken_small"),
             ("bob", "good" if number < 4 else "contamination" if number % 2 else "broken_small")]
        )
    ]  # fmt: skip
    first = report(once, items=items)
    assert first.agreement.unanimous is not None and (first.agreement.unanimous.value, first.shared) == (8 / 12, 12)
    assert first.adjudicated == first.agreement
    # 8 of 12 are the same; ann says each class 6 times, bob good, broken_small and contamination 4 times each.
    kappa = first.pairs["ann and bob"].kappa
    assert kappa is not None and kappa.value == pytest.approx((8 / 12 - 1 / 3) / (1 - 1 / 3))
    later = [
        decides("bob", each, "broken_small", round=2, desk=tool("a", 2, 200 + n)) for n, each in enumerate(items[:4])
    ]
    later += [
        decides("cem", each, "good", desk=tool("a", 2, 300 + n), settles=True) for n, each in enumerate(items[:4])
    ]
    found = report([*once, *later], items=items)
    assert found.agreement == first.agreement and found.pairs == first.pairs
    assert found.adjudicated.unanimous is not None
    assert found.adjudicated.unanimous.value == 8 / 12, "of the four, all three people never say the same"
    assert found.adjudicated.alpha != found.agreement.alpha
    assert found.reviewers["cem"].decisions == 4


def test_a_new_version_of_a_proposer_does_not_make_people_blind() -> None:
    new = [replace(says(each, "clip", "contamination"), proposer="clip@11111111") for each in ITEMS]
    desk = tool("a", 1, 1)
    shown = [decides("ann", each, "contamination", shown=(MACHINE,), desk=desk) for each in ITEMS[:4]]
    found = report(shown, new)
    assert {sight: share.n for sight, share in found.proposers["clip@11111111"].same.items()} == {"available": 4}
    assert found.proposers["clip@11111111"].kappa is None


def test_few_images_give_no_coefficient_and_say_so() -> None:
    for count, missing in ((1, "1 image; it takes 10"), (9, "9 images; it takes 10"), (10, ""), (29, ""), (30, "")):
        items = [item(number) for number in range(count)]
        reviews = [
            decides(who, each, "contamination" if (number + shift) % 3 else "broken_small")
            for shift, who in enumerate(("ann", "bob"))
            for number, each in enumerate(items)
        ]
        found = report(reviews, items=items)
        pair = found.pairs["ann and bob"]
        assert (found.agreement.missing, pair.missing) == (missing, missing)
        for figure in (found.agreement.alpha, found.agreement.fleiss, pair.kappa):
            assert (figure is None) == bool(missing)
            assert figure is None or (figure.low is None) == (count < 30)
        assert pair.same is not None and pair.same.low != pair.same.high


def test_reviews_of_other_images_play_no_part() -> None:
    assert report([decides("ann", item(99), "contamination")]).images == 0


def test_its_json_has_flat_tables_and_a_reason_where_there_is_no_test() -> None:
    proposals = [says(each, "clip", "contamination") for each in ITEMS]
    reviews = [decides(who, each, "contamination") for who in ("ann", "bob") for each in ITEMS[:2]]
    facts = json.loads(json.dumps(report(reviews, proposals).to_json()))
    figures = facts["proposers"][MACHINE]
    assert list(figures["same"]) == ["blind"] and figures["same"]["blind"]["n"] == 4
    assert figures["missing"] == "2 images; it takes 10"
    assert figures["alternative"].startswith("it takes 3 people")
    assert list(facts["by_category"]["bottle"])[-2:] == ["by_class", "seconds"]
    assert facts["by_category"]["bottle"]["unanimous"]["value"] == facts["agreement"]["unanimous"]["value"] == 1


def test_a_proposer_that_is_always_right_could_stand_in_for_a_person() -> None:
    items = [item(number) for number in range(40)]
    proposals = [says(each, "clip", "contamination") for each in items]
    reviews = [decides(who, each, "contamination") for who in ("ann", "bob", "eve") for each in items]
    found = report(reviews, proposals, items).proposers[MACHINE]
    assert found.alternative.too_few == "" and found.alternative.passes
    assert found.to_json()["alternative"] == {
        "people": 3, "winning_rate": 1.0, "advantage": 1.0, "epsilon": 0.2, "passes": True,
    }  # fmt: skip
