"""What is left in a finite collection: against brute force, and how often the bound is missed, exactly."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from acbench.stats import FaultPrior, draws_needed, is_bounded, most_left
from tests.support.lazy import lazy

stats = lazy("scipy.stats")

ALPHA = 0.05


@st.composite
def looks(draw: st.DrawFn) -> tuple[int, int, int, FaultPrior]:
    """Members, draws, faulty ones among them, and a prior."""
    size = draw(st.integers(1, 60))
    drawn = draw(st.integers(0, size))
    prior = FaultPrior(draw(st.floats(0.2, 4)), draw(st.floats(0.2, 200)))
    return size, drawn, draw(st.integers(0, drawn)), prior


def left_by_posterior(size: int, drawn: int, found: int, prior: FaultPrior, tie: float) -> int:
    """The same from the definition: the most faulty members whose prior is not 1/alpha times their posterior.

    `tie`: by which share the two may differ and count as equal, upwards or downwards.
    """
    counts = range(size + 1)
    before = [float(stats.betabinom.pmf(count, size, prior.faulty, prior.sound)) for count in counts]
    likelihood = [float(stats.hypergeom.pmf(found, size, count, drawn)) for count in counts]
    evidence = sum(one * other for one, other in zip(before, likelihood, strict=True))
    return max(count - found for count in counts if likelihood[count] * (1 / ALPHA) > evidence * (1 + tie))


@given(looks())
@example((40, 1, 0, FaultPrior(1.0, 1.0)))  # a tie: rounding decides
def test_the_bound_is_the_prior_posterior_ratio(look: tuple[int, int, int, FaultPrior]) -> None:
    assert left_by_posterior(*look, 1e-9) <= most_left(*look, ALPHA) <= left_by_posterior(*look, -1e-9)


@given(looks(), st.integers(0, 60))
def test_it_is_known_without_trying_each_number(look: tuple[int, int, int, FaultPrior], allowed: int) -> None:
    size, drawn, found, prior = look
    assert bool(is_bounded(size, drawn, found, allowed, prior, ALPHA)) == (most_left(*look, ALPHA) <= allowed)


@given(looks())
def test_one_more_fault_never_helps(look: tuple[int, int, int, FaultPrior]) -> None:
    """So that to count somebody's doubt as a fault is safe."""
    size, drawn, found, prior = look
    if found < drawn:
        assert most_left(size, drawn, found + 1, prior, ALPHA) >= most_left(size, drawn, found, prior, ALPHA) - 1


@pytest.mark.parametrize("rate", [0.0005, 0.05, 0.5])
@pytest.mark.parametrize("faulty", [0, 1, 2, 5, 11, 20, 29, 30])
def test_looking_after_each_draw_misses_it_at_most_as_often_as_said(faulty: int, rate: float) -> None:
    """Exactly: the probability of every sequence of draws is followed until the bound is below the truth."""
    size, prior, missed = 30, FaultPrior.of_rate(rate), 0.0
    alive = {0: 1.0}
    for drawn in range(1, size + 1):
        after: dict[int, float] = {}
        for found, share in alive.items():
            bad = (faulty - found) / (size - drawn + 1)
            for more, chance in ((1, bad), (0, 1 - bad)):
                if chance > 0:
                    after[found + more] = after.get(found + more, 0.0) + share * chance
        alive = {}
        for found, share in after.items():
            if most_left(size, drawn, found, prior, ALPHA) < faulty - found:
                missed += share
            else:
                alive[found] = share
    assert missed <= ALPHA
    assert sum(alive.values()) + missed == pytest.approx(1)


def test_without_faults_it_takes_about_as_many_as_a_single_look_would() -> None:
    """Such a look is enough when a share alpha of all samples would be clean though one fault too many is left."""
    size, allowed = 1000, 10
    fixed = next(n for n in range(size) if comb(size - allowed - 1, n) <= ALPHA * comb(size, n))
    needed = draws_needed(size, 0, 0, allowed, 0.0, FaultPrior.of_rate(0.0005), ALPHA)
    assert fixed <= needed <= 1.1 * fixed


@given(st.integers(1, 300), st.integers(0, 5), st.floats(0, 0.1))
def test_what_is_needed_is_enough_and_one_less_is_not(size: int, allowed: int, rate: float) -> None:
    prior = FaultPrior.of_rate(rate)
    needed = draws_needed(size, 0, 0, allowed, rate, prior, ALPHA)
    assert is_bounded(size, needed, needed * rate, allowed, prior, ALPHA)
    assert needed == 0 or not is_bounded(size, needed - 1, (needed - 1) * rate, allowed, prior, ALPHA)


def test_a_prior_learns_its_rate_and_refuses_none() -> None:
    prior = FaultPrior.of_rate(0.02)
    assert prior.rate() == pytest.approx(0.02)
    assert prior.rate(200, 20) == pytest.approx(0.1, abs=0.025)
    assert FaultPrior.of_rate(0).rate() == pytest.approx(1e-6)
    with pytest.raises(ValueError, match="positive"):
        FaultPrior(0, 1)
