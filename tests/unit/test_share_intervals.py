"""Shares with their uncertainty."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acbench.stats import Estimate, rate


def test_no_trials_give_no_share() -> None:
    assert rate(0, 0) is None


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_the_interval_is_the_published_one(hits: int, n: int, low: float, high: float) -> None:
    """The last is the example of Newcombe 1998, Statistics in Medicine 17, table I."""
    found = rate(hits, n)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_lies_in_its_interval(counts: tuple[int, int]) -> None:
    found = rate(*counts)
    assert found is not None
    assert 0 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 1


def test_more_hits_than_trials_are_a_fault() -> None:
    with pytest.raises(ValueError):
        rate(2, 1)


def test_it_reads_as_a_sentence() -> None:
    assert str(rate(5, 10)) == "50.0% (95 % interval 23.7% to 76.3%, n = 10)"
    assert str(Estimate(0.5, None, None, 10)) == "50.0% (n = 10)"


def test_it_is_json_with_its_size_and_without() -> None:
    estimate = Estimate(0.5, 0.25, None, 10)
    assert estimate.to_json() == {"value": 0.5, "low": 0.25, "high": None, "n": 10}
    assert estimate.interval_to_json() == {"value": 0.5, "low": 0.25, "high": None}
