"""A value with its 95 % interval, and the share of hits among trials as one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


FEW = (0.0512932944, 0.3553615106, 0.8176914476)
"""Where the lower end of one, two and three hits lies at most, times the trials: half of the 5 % points of chi-squared
with two, four and six degrees of freedom."""


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

    Where a few trials hit, or all but a few, the end beside 0 or 1 is that of Brown, Cai and DasGupta (2001): Wilson's
    own holds some rates near 0 in 83 % of the samples only.

    Raises ValueError for more hits than trials.
    """
    if n == 0:
        return None
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n} trials")
    share = hits / n
    center = share + Z**2 / (2 * n)
    spread = Z * math.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2)
    low, high = ((center + side * spread) / (1 + Z**2 / n) for side in (-1, 1))
    most = 3 if n > 50 else 2
    if 1 <= hits <= most and 2 * hits < n:
        low = min(low, FEW[hits - 1] / n)
    if 1 <= n - hits <= most and 2 * hits > n:
        high = max(high, 1 - FEW[n - hits - 1] / n)
    # The ends are 0 and 1 there, which rounding would miss.
    return Estimate(share, 0.0 if hits == 0 else low, 1.0 if hits == n else high, n)
