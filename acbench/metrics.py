"""Figures with their uncertainty: thin over scipy and scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of `n` trials with the ends of its 95 % interval."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.1%} (95 % interval {self.low:.1%} to {self.high:.1%}, n = {self.n})"


def rate(hits: int, n: int) -> Rate | None:
    """The share `hits / n` with its Wilson score interval (Wilson 1927); None without trials."""
    if n == 0:
        return None
    from scipy.stats import binomtest

    interval = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    return Rate(hits / n, float(interval.low), float(interval.high), n)


def kappa(one: Sequence[str], other: Sequence[str]) -> float | None:
    """Cohen's kappa (1960) of two raters of the same things; None where it is not defined."""
    if not one or len({*one, *other}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(list(one), list(other)))


BINS = 10


def calibration(confidences: Sequence[tuple[float, bool]]) -> dict[str, Any] | None:
    """How well probabilities are meant: a curve of bins of equal width, and their mean gap. None without any.

    `confidences`: probability 0…1, and whether it was right. The gap is the expected calibration error (Naeini et al.
    2015).
    """
    if not confidences:
        return None
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for share, right in confidences:
        bins[min(int(share * BINS), BINS - 1)].append((share, right))
    curve = [
        {
            "confidence": sum(share for share, _ in members) / len(members),
            "accuracy": sum(right for _, right in members) / len(members),
            "n": len(members),
        }
        for members in bins
        if members
    ]
    error = sum(point["n"] * abs(point["confidence"] - point["accuracy"]) for point in curve) / len(confidences)
    return {"n": len(confidences), "error": error, "curve": curve}
