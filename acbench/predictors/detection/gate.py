"""Sets the score above which an image is called anomalous, from the scores of normal images alone.

The scores are smoothed before a quantile is taken: with 40 scores, the 95 % quantile lies between the two largest, and
is noise. Each score becomes a Gaussian of Silverman's bandwidth, and all are shrunk so that their variance stays
(Silverman and Young 1987, *The bootstrap: To smooth or not to smooth?*, Biometrika 74).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REACH = 6.0
"""Where costs decide, anomalous scores are taken to spread evenly from the median of the normal ones to this many times
the way from there to their 95 % quantile. Nine tenths do on bottle (up to 5.9) and screw (up to 3.0) of MVTec-AD."""
_STEPS = 2000


@dataclass(frozen=True)
class Gate:
    """How the threshold is chosen."""

    false_alarms: float = 0.05
    """Share of normal images that may be called anomalous."""
    costs: tuple[float, float] | None = None
    """Cost of a missed anomaly and of a false alarm, each times how often such images come; they replace the share."""

    def threshold(self, scores: Sequence[float]) -> float:
        """The threshold that normal scores give. Of a share of 0, it is the largest of them."""
        tail = Tail(np.asarray(scores, dtype=np.float64))
        return tail.quantile(self.false_alarms) if self.costs is None else self._cheapest(tail)

    def describe(self, normal_images: Sequence[int]) -> str:
        """How thresholds were chosen on so many normal images of each category, and how sure that is."""
        fewest = min(normal_images, default=0)
        counts = "–".join(map(str, sorted({fewest, max(normal_images, default=0)})))
        if self.costs is not None:
            how = f"lowest cost of misses and false alarms, {self.costs[0]:g}:{self.costs[1]:g},"
            return f"{how} on {counts} normal training images" if normal_images else how.rstrip(",")
        how = f"false-alarm rate {self.false_alarms:.1%}"
        if not normal_images:
            return how
        low, high = likely(self.false_alarms, fewest)
        return f"{how} on {counts} normal training images, which may be {low:.1%} to {high:.1%} on new ones"

    def _cheapest(self, tail: Tail) -> float:
        assert self.costs is not None, "called only with costs"
        miss, alarm = self.costs
        median = float(np.median(tail.scores))
        reach = REACH * (tail.quantile(0.05) - median)
        if reach <= 0:  # all scores are the same
            return median
        levels = median + reach * np.arange(_STEPS) / _STEPS
        costs = alarm * tail.survival(levels) + miss * (levels - median) / reach
        return float(levels[int(costs.argmin())])


@dataclass(frozen=True, eq=False)
class Tail:
    """The smoothed distribution of normal scores."""

    scores: NDArray[np.float64]

    def survival(self, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share of normal images expected above each level."""
        from scipy.stats import norm  # type: ignore[import-untyped, unused-ignore]

        centres, width = self._kernels
        if not width:
            return np.asarray((centres > levels[:, None]).mean(axis=1))
        return np.asarray(norm.sf((levels[:, None] - centres) / width).mean(axis=1))

    def quantile(self, share: float) -> float:
        """The level that the share of normal images is expected to exceed; the largest score if that is none."""
        from scipy.optimize import brentq  # type: ignore[import-untyped, unused-ignore]

        centres, width = self._kernels
        if share <= 0 or not width:
            return float(self.scores.max())
        if share >= 1:
            return -math.inf
        low, high = float(centres.min()) - 40 * width, float(centres.max()) + 40 * width
        return float(brentq(lambda level: self.survival(np.array([level]))[0] - share, low, high))

    @property
    def _kernels(self) -> tuple[NDArray[np.float64], float]:
        """Centres and common width of the Gaussians; a width of 0 if all scores are the same."""
        deviation = float(self.scores.std())
        quarter, three = np.quantile(self.scores, [0.25, 0.75])
        spread = min(deviation, float(three - quarter) / 1.34) or deviation
        if not spread:
            return self.scores, 0.0
        width = 0.9 * spread * len(self.scores) ** -0.2
        shrink = 1 / math.sqrt(1 + (width / deviation) ** 2)
        return self.scores.mean() + (self.scores - self.scores.mean()) * shrink, width * shrink


def likely(share: float, images: int) -> tuple[float, float]:
    """The share of new normal images above a threshold that `share` of so many exceed: the ends of a 95 % interval.

    It is that of an order statistic, whatever the distribution of the scores is.
    """
    from scipy.stats import beta  # type: ignore[import-untyped, unused-ignore]

    over = max(share * (images + 1), 0.5)
    low, high = beta.ppf([0.025, 0.975], over, images + 1 - over)
    return float(low), float(high)
