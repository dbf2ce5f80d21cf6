"""Scores are calibrated on what others say: people, or witnesses among whom the proposer is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from acbench.records import Item, Proposal, Review
from acbench.review.calibrated import ProposerCalibration, calibrate, calibrated_scores, informative
from acbench.stats import IDENTITY, Scaling
from tests.support.records import MVTEC_AC, decides, item, labels_of, says

CLASSES = ("broken_large", "broken_small", "contamination")
RIGHT, WRONG = CLASSES[:2]


def scores(best: str, share: float) -> dict[str, float]:
    return {label: share if label == best else (1 - share) / 2 for label in CLASSES}


def answer(of: Item, name: str, best: str, share: float) -> Proposal:
    return says(of, name, best, scores=scores(best, share))


def calibrated(
    items: Sequence[Item], proposals: dict[str, list[Proposal]], reviews: Sequence[Review] = ()
) -> dict[str, ProposerCalibration]:
    return calibrate(items, proposals, labels_of(items, proposals, reviews, MVTEC_AC), MVTEC_AC)


ITEMS = [item(number, RIGHT) for number in range(60)]


def overconfident(name: str = "llm:one") -> dict[str, list[Proposal]]:
    """It is sure of everything to 97 %, and wrong about every third."""
    return {
        of.item_id: [says(of, "source_label", RIGHT), answer(of, name, WRONG if number % 3 == 0 else RIGHT, 0.97)]
        for number, of in enumerate(ITEMS)
    }


def test_people_calibrate_and_judge() -> None:
    reviews = [decides("ann", of, RIGHT) for of in ITEMS]
    (found,) = calibrated(ITEMS, overconfident(), reviews).values()
    assert (found.people, found.shared, found.judged_by) == (60, 0, "people")
    assert found.before["error"] == pytest.approx(0.97 - 2 / 3)
    assert found.after["error"] < found.before["error"] / 2 and found.after["log_loss"] < found.before["log_loss"]
    assert found.by_shared == IDENTITY


def test_a_label_that_a_proposer_helped_to_make_tells_nothing_about_it() -> None:
    assert calibrated(ITEMS, overconfident()) == {}


def test_before_people_labels_count_that_two_other_witnesses_share() -> None:
    proposals = overconfident()
    for number, of in enumerate(ITEMS):
        proposals[of.item_id].append(says(of, "file:table", RIGHT if number < 50 else WRONG))
    (found,) = calibrated(ITEMS, proposals).values()
    assert (found.people, found.shared, found.judged_by) == (0, 50, "shared labels")
    assert found.scaling == found.by_shared != IDENTITY
    few = calibrated(ITEMS, proposals, [decides("ann", of, RIGHT) for of in ITEMS[:5]])["llm:one@00000000"]
    assert (few.people, few.shared, few.judged_by) == (5, 45, "shared labels")


def test_each_proposer_is_calibrated_by_its_name() -> None:
    proposals = overconfident()
    for of in ITEMS:
        proposals[of.item_id].append(answer(of, "llm:two", RIGHT, 0.6))
    found = calibrated(ITEMS, proposals, [decides("ann", of, RIGHT) for of in ITEMS])
    assert list(found) == ["llm:one@00000000", "llm:two@00000000"]
    assert found["llm:one@00000000"].scaling.shift < 0 < found["llm:two@00000000"].scaling.shift


def test_what_prefers_no_class_is_left_out() -> None:
    even = dict.fromkeys(CLASSES, 1 / 3)
    assert informative(scores(RIGHT, 0.5)) and not informative(even) and not informative({})
    proposals = {of.item_id: [says(of, "llm", scores=even), says(of, "clip", RIGHT)] for of in ITEMS}
    assert calibrated(ITEMS, proposals, [decides("ann", of, RIGHT) for of in ITEMS]) == {}


def test_what_people_call_several_classes_bad_or_unsure_is_left_out() -> None:
    reviews = [
        decides("ann", ITEMS[0], RIGHT, WRONG),
        decides("ann", ITEMS[1], verdict="bad_image"),
        decides("ann", ITEMS[2], verdict="unsure"),
        decides("ann", ITEMS[3], RIGHT),
    ]
    assert calibrated(ITEMS, overconfident(), reviews)["llm:one@00000000"].people == 1


def test_scores_stay_probabilities() -> None:
    before = {"a": 0.9, "b": 0.08, "c": 0.02}
    after = calibrated_scores(before, Scaling(-1.0, 0.5))
    assert sum(after.values()) == pytest.approx(1)
    assert after["a"] < 0.9 and after["b"] / after["c"] == pytest.approx(4)
    certain = calibrated_scores({"a": 1.0, "b": 0.0, "c": 0.0}, Scaling(-1.0, 0.5))
    assert sum(certain.values()) == pytest.approx(1) and certain["b"] == certain["c"] > 0
