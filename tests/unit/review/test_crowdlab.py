"""Where witnesses differ, the likeliest class is named once people have decided enough."""

from __future__ import annotations

from dataclasses import replace

from acbench.records import Item, Proposal, Review
from acbench.review.crowdlab import MIN_DECISIONS, cross_validated
from tests.support.records import MVTEC_AC, decides, item, labels_of, says

CHIPPED, DIRTY = "broken_small", "contamination"


def category(decided: int) -> tuple[list[Item], dict[str, list[Proposal]], list[Review]]:
    """Bottles of two classes, of which people decided some: `neighbours` is always right, the dataset half the time."""
    items, proposals, reviews = [], {}, []
    for number in range(2 * MIN_DECISIONS):
        true = (CHIPPED, DIRTY)[number % 2]
        of = item(number, DIRTY if number % 4 < 2 else true)
        scores = {CHIPPED: 0.9, DIRTY: 0.1} if true == CHIPPED else {CHIPPED: 0.1, DIRTY: 0.9}
        items.append(of)
        proposals[of.item_id] = [
            says(of, "source_label", *of.source_labels),
            says(of, "neighbours", true, scores=scores),
        ]
        if number >= 2 * MIN_DECISIONS - decided:
            reviews.append(decides("ann", of, true))
    return items, proposals, reviews


def test_the_witness_that_people_agree_with_wins() -> None:
    items, proposals, reviews = category(MIN_DECISIONS)
    labels = labels_of(items, proposals, reviews, MVTEC_AC)
    disputed = labels[items[0].item_id]
    assert (disputed.status, disputed.labels) == ("pending", (CHIPPED,))
    assert f"by {MIN_DECISIONS} decisions of people on other images {CHIPPED} is likeliest" in disputed.reason
    assert disputed.confidence is not None and disputed.confidence > 0.5
    agreed = labels[items[1].item_id]
    assert (agreed.status, agreed.labels, agreed.decided_by) == ("accepted", (DIRTY,), "source_label + neighbours")


def test_with_fewer_decisions_nothing_is_weighed() -> None:
    items, proposals, reviews = category(MIN_DECISIONS - 1)
    labels = labels_of(items, proposals, reviews, MVTEC_AC)
    disputed = labels[items[0].item_id]
    assert (disputed.labels, disputed.confidence) == ((DIRTY,), None)
    assert "nothing tells which is right" in disputed.reason
    assert cross_validated(items, proposals, labels, MVTEC_AC) == {}


def test_what_people_decided_is_predicted_without_their_decision() -> None:
    items, proposals, reviews = category(MIN_DECISIONS)
    labels = labels_of(items, proposals, reviews, MVTEC_AC)
    predicted = cross_validated(items, proposals, labels, MVTEC_AC)
    decided = {review.item_id: review.labels[0] for review in reviews}
    assert predicted.keys() == decided.keys()
    assert sum(predicted[item_id] == label for item_id, label in decided.items()) > 0.9 * len(decided)


def test_a_family_of_models_weighs_as_one() -> None:
    items, proposals, reviews = category(MIN_DECISIONS)
    alone = labels_of(items, proposals, reviews, MVTEC_AC)
    for of in items:
        (said,) = (row for row in proposals[of.item_id] if row.scores)
        proposals[of.item_id].remove(said)
        proposals[of.item_id] += [replace(said, proposer=f"llm:{name}@00000000", family="x") for name in "abcd"]
    together = labels_of(items, proposals, reviews, MVTEC_AC)
    disputed = items[0].item_id
    assert together[disputed].labels == alone[disputed].labels
    assert together[disputed].confidence == alone[disputed].confidence
