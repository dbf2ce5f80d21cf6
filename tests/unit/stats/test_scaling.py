"""Probabilities mapped to how often they are right: by much evidence entirely, by little hardly."""

from __future__ import annotations

from typing import Any

import pytest

from acbench.stats import IDENTITY, Scaling, calibration, cross_validated, fit_scaling
from tests.support.lazy import lazy

np = lazy("numpy")
metrics = lazy("sklearn.metrics")


def observed(count: int, shift: float, slope: float, seed: int = 0) -> tuple[Any, Any]:
    """Probabilities, and whether each came true at the odds that a map makes of it."""
    random = np.random.default_rng(seed)
    said = random.uniform(0.3, 0.99, count)
    return said, random.random(count) < Scaling(shift, slope)(said)


def test_the_map_of_much_evidence_is_the_true_one() -> None:
    fitted = fit_scaling(*observed(20_000, -0.5, 0.6))
    assert (fitted.shift, fitted.slope) == pytest.approx((-0.5, 0.6), abs=0.08)


def test_it_is_the_likeliest_one() -> None:
    said, right = observed(40, -1.0, 0.5)
    from scipy.optimize import minimize

    def loss(parameters: Any) -> float:
        shift, log_slope = parameters
        likely = Scaling(shift, np.exp(log_slope))(said)
        return float(-np.log(np.where(right, likely, 1 - likely)).sum() + shift**2 / 2 + log_slope**2 / 0.5)

    fitted = fit_scaling(said, right)
    best = minimize(loss, (0.0, 0.0), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10}).x
    assert (fitted.shift, np.log(fitted.slope)) == pytest.approx(tuple(best), abs=1e-3)


def test_without_evidence_it_is_its_prior() -> None:
    none = np.empty(0), np.empty(0, dtype=bool)
    assert fit_scaling(*none) == IDENTITY
    assert fit_scaling(*none, Scaling(1, 2)) == Scaling(1, 2)


def test_a_few_observations_move_it_a_little() -> None:
    fitted = fit_scaling(np.array([0.9, 0.8]), np.array([True, False]))
    assert abs(fitted.shift) < 1 and 0.6 < fitted.slope < 1.5


def test_equal_probabilities_are_moved_to_how_often_they_are_right() -> None:
    said, right = np.full(400, 0.95), np.arange(400) % 5 > 0
    assert fit_scaling(said, right)(said)[0] == pytest.approx(0.8, abs=0.02)


def test_zero_and_one_are_probabilities_too() -> None:
    fitted = fit_scaling(np.array([0.0, 1.0] * 30), np.array([False, True] * 30))
    assert 0 < fitted(np.array([0.0]))[0] < fitted(np.array([1.0]))[0] < 1


def test_no_row_is_judged_by_a_map_that_knows_it() -> None:
    said, right = observed(50, 0, 1)
    other = right.copy()
    other[7] = not other[7]
    assert cross_validated(said, right)[7] == cross_validated(said, other)[7]
    assert (cross_validated(said, right) != cross_validated(said, other)).any()


@pytest.mark.parametrize("slope", [0.35, 2.5])
def test_what_was_out_of_shape_is_better_on_rows_that_were_not_fitted(slope: float) -> None:
    said, right = observed(600, 0, slope)
    before = calibration(list(zip(said, right, strict=True)))
    after = calibration(list(zip(cross_validated(said, right), right, strict=True)))
    assert before is not None and after is not None
    assert after["error"] < before["error"] and after["log_loss"] < before["log_loss"]


def test_brier_score_and_log_loss_are_those_of_scikit_learn() -> None:
    said, right = observed(200, 0, 1)
    found = calibration(list(zip(said.tolist(), right.tolist(), strict=True)))
    assert found is not None
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(right, said))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(right, said))
