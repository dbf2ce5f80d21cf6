"""Many comparisons: Holm's correction by hand, and the sign flips of one stratum against the exact test."""

from __future__ import annotations

import pytest

from acbench.stats import holm, sign_flips
from tests.support.lazy import lazy

stats = lazy("scipy.stats")


def test_holm_by_hand() -> None:
    """Sorted: 3 · 0.01, then 2 · 0.03, and 0.04, which may not be below the one before it."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


@pytest.mark.parametrize(("wins", "losses"), [(10, 2), (7, 5), (0, 6), (4, 4)])
def test_of_one_stratum_it_is_mcnemar_s_exact_test(wins: int, losses: int) -> None:
    exact = stats.binomtest(wins, wins + losses, 0.5).pvalue
    assert sign_flips([(wins, losses, 50)]) == pytest.approx(exact, abs=0.012)


def test_strata_weigh_the_same_whatever_their_size() -> None:
    """Eight wins in the small category outweigh twelve losses in the large one."""
    assert sign_flips([(8, 0, 20), (0, 12, 400)]) < 0.05 < sign_flips([(8, 12, 420)])
    assert sign_flips([(0, 0, 20)]) == 1.0
