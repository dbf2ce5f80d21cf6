"""The report on people: who agreed with whom, and what proposals did to them."""

from __future__ import annotations

import json

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


def test_the_latest_decisions_are_compared_and_unsure_is_none() -> None:
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
    assert found.agreement.unanimous is not None and found.agreement.unanimous.value == 0.5
    assert found.reviewers["ann"] == ReviewerCounts(
        decisions=3, unsure=1, blind=3, seconds=DecisionTimes(n=1, median=4.0, sum=4.0)
    )
    assert "eve" not in found.reviewers
    assert found.pairs["ann and bob"].images == 2
    classes = found.by_category["bottle"].by_class
    assert {name: each.images for name, each in classes.items()} == {
        "(bad_mask)": 1,
        "broken_small": 2,
        "contamination": 1,
    }


def test_people_who_saw_a_proposal_are_counted_apart() -> None:
    proposals = [says(each, "clip", "contamination") for each in ITEMS]
    shown = [decides("ann", each, "contamination", shown=(MACHINE,), seconds=1.0) for each in ITEMS[:4]]
    blind = [decides("ann", each, "broken_small", seconds=9.0) for each in ITEMS[4:7]]
    last = decides("ann", ITEMS[7], "contamination", shown=("other@00000000",))
    found = report([*shown, *blind, last], proposals)
    figures = found.proposers[MACHINE]
    assert figures.shown is not None and (figures.shown.n, figures.shown.value) == (4, 1.0)
    assert figures.blind is not None and (figures.blind.n, figures.blind.value) == (4, 0.25)
    assert figures.alternative.too_few.startswith("it takes 3 people")
    times = found.seconds
    assert [each.median for each in (times.all, times.shown, times.blind)] == [1.0, 1.0, 9.0]
    assert plots.agreement(found).startswith(b"\x89PNG")


def test_reviews_of_other_images_play_no_part() -> None:
    assert report([decides("ann", item(99), "contamination")]).images == 0


def test_its_json_has_flat_tables_and_a_reason_where_there_is_no_test() -> None:
    proposals = [says(each, "clip", "contamination") for each in ITEMS]
    reviews = [decides(who, each, "contamination") for who in ("ann", "bob") for each in ITEMS[:2]]
    facts = json.loads(json.dumps(report(reviews, proposals).to_json()))
    figures = facts["proposers"][MACHINE]
    assert figures["shown"] == {"n": 0, "same": None}
    assert list(figures["blind"]["same"]) == ["value", "low", "high"] and figures["blind"]["n"] == 4
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
