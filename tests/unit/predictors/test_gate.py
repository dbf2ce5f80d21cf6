"""The threshold: smooth, of normal scores alone, by a share or by costs, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from acbench.predictors.detection.gate import Gate, Tail, likely

SCORES = np.random.default_rng(0).normal(10, 2, 4000)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_a_share_of_new_normal_images_lies_above(share: float) -> None:
    new = np.random.default_rng(1).normal(10, 2, 20_000)
    rates = [(new > Gate(share).threshold(part)).mean() for part in SCORES.reshape(100, 40).tolist()]
    assert np.mean(rates) == pytest.approx(share, abs=0.02)


def test_it_varies_less_than_the_plain_quantile() -> None:
    parts = SCORES.reshape(100, 40)
    smooth = np.std([Gate(0.05).threshold(part.tolist()) for part in parts])
    assert smooth < np.std(np.quantile(parts, 0.95, axis=1))


def test_it_follows_the_scale_of_the_scores() -> None:
    gate = Gate(0.05)
    assert gate.threshold((SCORES * -3 + 100).tolist()) == pytest.approx(
        100 - 3 * -gate.threshold((-SCORES).tolist()), rel=1e-6
    )


@pytest.mark.parametrize("gate", [Gate(0.05), Gate(0.0), Gate(costs=(10, 1))])
def test_scores_that_are_all_the_same_are_normal(gate: Gate) -> None:
    assert gate.threshold([3.0] * 9) == 3


def test_no_share_at_all_is_the_largest_score() -> None:
    assert Gate(0.0).threshold([1.0, 5.0, 2.0]) == 5


def test_a_dear_miss_lowers_the_threshold() -> None:
    levels = [Gate(costs=costs).threshold(SCORES.tolist()) for costs in ((1, 100), (1, 10), (1, 1), (2, 1))]
    assert levels == sorted(levels, reverse=True) and len(set(levels)) == 4
    assert Gate(costs=(20, 2)).threshold(SCORES.tolist()) == Gate(costs=(10, 1)).threshold(SCORES.tolist())


def test_survival_falls_from_one_to_none() -> None:
    tail = Tail(SCORES[:50])
    shares = tail.survival(np.linspace(-50, 80, 200))
    assert shares[0] == pytest.approx(1) and shares[-1] == pytest.approx(0) and (np.diff(shares) <= 0).all()
    assert tail.survival(np.array([tail.quantile(0.05)]))[0] == pytest.approx(0.05)


def test_how_sure_it_is_grows_with_the_images() -> None:
    (low, high), (lower, higher) = likely(0.05, 1000), likely(0.05, 40)
    assert lower < low < 0.05 < high < higher < 0.2


def test_what_is_said() -> None:
    assert (
        Gate(0.05).describe([40, 60]).startswith("false-alarm rate 5.0% on 40–60 normal training images, which may be ")
    )
    assert Gate(costs=(10, 1)).describe([40]) == (
        "lowest cost of misses and false alarms, 10:1, on 40 normal training images"
    )
    assert Gate(0.05).describe([]) == "false-alarm rate 5.0%"
