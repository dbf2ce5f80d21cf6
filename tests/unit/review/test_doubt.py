"""How doubtful a label is: by scores where there are any, and by what people found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from acbench.records import GOOD, Item, Proposal, Review
from acbench.review.doubt import UNSCORED_ERROR, Doubting, Doubts, doubts, label_doubts
from tests.support.lazy import lazy
from tests.support.records import MVTEC_AC, decides, item, labels_of, says

np = lazy("numpy")

RIGHT, OTHER = "broken_large", "contamination"
ITEMS = [item(number, RIGHT) for number in range(40)]


def answers(shares: dict[int, float]) -> dict[str, list[Proposal]]:
    """The dataset's label, and a proposer that gives it the named share; 0.95 where none is named."""
    made = {}
    for number, of in enumerate(ITEMS):
        share = shares.get(number, 0.95)
        scores = {RIGHT: share, OTHER: 1 - share}
        made[of.item_id] = [says(of, "source_label", RIGHT), says(of, "neighbours", scores=scores)]
    return made


def doubted(items: list[Item], proposals: dict[str, list[Proposal]], *reviews: Review) -> Doubts:
    machine, final = (labels_of(items, proposals, made, MVTEC_AC) for made in ([], reviews))
    return doubts([of.item_id for of in items], items, proposals, machine, final, MVTEC_AC)


def made_up(random: Any, count: int, wrong: float, classes: int = 5) -> tuple[Any, Any, Any]:
    """Probabilities of the class that a label names, mean ones of the others, and whether the label is wrong."""
    logits = random.normal(size=(count, classes)) * 4
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (random.random((count, 1)) > likely.cumsum(axis=1)[:, :-1]).sum(axis=1)
    flipped = random.random(count) < wrong
    labels = np.where(flipped, (truth + random.integers(1, classes, count)) % classes, truth)
    own = likely[np.arange(count), labels]
    return own, (1 - own) / (classes - 1), flipped


@pytest.mark.parametrize("wrong", [0.02, 0.08, 0.2])
def test_scores_that_mean_what_they_say_tell_how_many_labels_are_wrong(wrong: float) -> None:
    own, others, flipped = made_up(np.random.default_rng(0), 6000, wrong)
    found = label_doubts(own, others)
    assert found.mean() == pytest.approx(flipped.mean(), abs=0.01)
    sure = found < 0.05
    assert found[sure].mean() == pytest.approx(flipped[sure].mean(), abs=0.005)


def test_the_less_a_label_is_given_the_more_doubtful_it_is() -> None:
    known = doubted(ITEMS, answers({0: 0.1, 1: 0.5})).of_label
    first, second, third = (known[of.item_id] for of in ITEMS[:3])
    assert first > second > third > 0


def test_what_people_found_makes_labels_like_it_more_or_less_doubtful() -> None:
    shares = dict.fromkeys(range(20), 0.6)
    before = doubted(ITEMS, answers(shares)).of_label[ITEMS[19].item_id]
    wrong = [decides("ann", of, OTHER) for of in ITEMS[:15]]
    right = [decides("ann", of, RIGHT) for of in ITEMS[:15]]
    more, less = (doubted(ITEMS, answers(shares), *made).of_label[ITEMS[19].item_id] for made in (wrong, right))
    assert more > before > less


def test_labels_without_scores_count_as_equally_doubtful() -> None:
    normal = [item(number, None) for number in range(30)]
    proposals = {of.item_id: [says(of, "source_label", GOOD)] for of in normal}
    none = doubted(normal, proposals)
    assert none.scored == 0
    assert list(none.of_label.values()) == pytest.approx([UNSCORED_ERROR] * 30)
    reviews = [decides("ann", of, RIGHT) for of in normal[:10]]
    assert list(doubted(normal, proposals, *reviews).of_label.values()) == pytest.approx([11 / 210] * 30)


def test_an_even_score_is_none() -> None:
    proposals = answers({})
    proposals[ITEMS[0].item_id][1] = says(ITEMS[0], "neighbours", scores={RIGHT: 0.5, OTHER: 0.5})
    assert doubted(ITEMS, proposals).scored == len(ITEMS) - 1


def test_two_proposers_are_pooled() -> None:
    proposals = answers({})
    against = {RIGHT: 0.1, OTHER: 0.9}
    proposals[ITEMS[0].item_id].append(says(ITEMS[0], "llm:one", scores=against))
    known = doubted(ITEMS, proposals).of_label
    alone = doubted(ITEMS, answers({0: 0.1})).of_label
    assert known[ITEMS[1].item_id] < known[ITEMS[0].item_id] < alone[ITEMS[0].item_id]


class Looked(list[Item]):
    """Counts how often somebody goes through the items."""

    times = 0

    def __iter__(self) -> Iterator[Item]:
        self.times += 1
        return super().__iter__()


@pytest.mark.parametrize(("others", "most"), [((), 4), (("clip", "table"), 5)])
def test_later_decisions_take_no_new_look_unless_they_scale_scores_otherwise(others: Sequence[str], most: int) -> None:
    """With two witnesses more, labels are shared, and what people decide is no longer among these."""
    said = answers({0: 0.1, 1: 0.3, 2: 0.6, 3: 0.2})
    said = {of.item_id: [*said[of.item_id], *(says(of, name, RIGHT) for name in others)] for of in ITEMS}
    items, machine = Looked(ITEMS), labels_of(ITEMS, said, [], MVTEC_AC)
    doubting = Doubting([of.item_id for of in ITEMS], items, said, machine, MVTEC_AC)
    reviews = [decides("ada", of, OTHER if number % 2 else RIGHT) for number, of in enumerate(ITEMS[:6])]
    for until in (0, 2, 2, 6):
        found = doubting.after(labels_of(ITEMS, said, reviews[:until], MVTEC_AC))
        assert dict(found.of_label) == dict(doubted(ITEMS, said, *reviews[:until]).of_label)
        assert found.scored == len(ITEMS)
    assert items.times <= most
