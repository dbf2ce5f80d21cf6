"""A value with its 95 % interval, and the share of hits among trials as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


class IntervalJson(TypedDict):
    """An estimate as JSON, without its size."""

    value: float
    low: float | None
    high: float | None


class EstimateJson(IntervalJson):
    """An estimate as JSON."""

    n: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with the ends of its 95 % interval."""

    value: float
    low: float | None
    """None where there is no interval, as `high`."""
    high: float | None
    n: int
    """Number of images, or trials, that it comes from."""

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.1%} (n = {self.n})"
        return f"{self.value:.1%} (95 % interval {self.low:.1%} to {self.high:.1%}, n = {self.n})"

    def to_json(self) -> EstimateJson:
        """Value, ends and size."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}

    def interval_to_json(self) -> IntervalJson:
        """Value and ends."""
        return {"value": self.value, "low": self.low, "high": self.high}


def rate(hits: int, n: int) -> Estimate | None:
    """The share `hits / n` with its Wilson score interval (Wilson 1927); None without trials.

    Raises ValueError for more hits than trials.
    """
    if n == 0:
        return None
    from scipy.stats import binomtest

    interval = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    return Estimate(hits / n, float(interval.low), float(interval.high), n)
