"""The BCa interval: scipy's where it has one, and none where resamples know nothing."""

from __future__ import annotations

import numpy as np
import pytest

from acbench.stats import LeftOut, bca
from tests.support.lazy import lazy

stats = lazy("scipy.stats")


@pytest.mark.parametrize("seed", range(3))
def test_of_a_skewed_mean_it_is_scipy_s(seed: int) -> None:
    data = np.random.default_rng(seed).exponential(size=40)
    expected = stats.bootstrap((data,), np.mean, n_resamples=2_000, method="BCa", rng=np.random.default_rng(seed))
    value = data.mean()
    left_out = LeftOut(times=np.ones(40), sizes=np.full(40, 40.0))
    influence = left_out.influence(value, (data.sum() - data) / 39)
    assert left_out.acceleration(influence) == pytest.approx(stats.skew(data) / (6 * np.sqrt(40)))
    found = bca(value, expected.bootstrap_distribution, left_out.acceleration(influence))
    assert found == pytest.approx(tuple(expected.confidence_interval), abs=1e-6)


def test_two_strata_are_one_after_the_other() -> None:
    both = LeftOut.of_all([LeftOut(np.array([3.0]), np.array([3.0])), LeftOut(np.array([1.0]), np.array([1.0]))])
    assert both.alone == 1 / 4
    assert both.influence(0.5, np.array([0.4, np.nan])) == pytest.approx([0.2, 0])


@pytest.mark.parametrize("resampled", [[0.5] * 100, [0.1, 0.9] * 10 + [np.nan] * 80])
def test_there_is_none_where_resamples_know_nothing(resampled: list[float]) -> None:
    assert bca(0.5, np.array(resampled), 0.0) is None
