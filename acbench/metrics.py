"""Figures with their uncertainty: thin over scipy and scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass


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
