"""The bias-corrected and accelerated bootstrap interval (BCa) of a figure of strata.

Efron, Better bootstrap confidence intervals, 1987; the acceleration of several strata is that of Davison and Hinkley,
Bootstrap methods and their application, 1997, section 5.3. `python -m tests.bench.coverage` says how often it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_DEFINED = 0.9
"""Share of the resamples that have to define the figure."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What leaving one item out does, for each kind of item that there is."""

    times: Floats
    """(J,): items of the kind."""
    sizes: Floats
    """(J,): items of its stratum."""

    @property
    def alone(self) -> float:
        """The share of items that are the only one of their stratum."""
        return float(self.times[self.sizes <= 1].sum() / self.times.sum())

    @classmethod
    def of_all(cls, parts: Sequence[LeftOut]) -> LeftOut:
        """Those of several samples, one after the other."""
        import numpy as np

        return cls(
            times=np.concatenate([part.times for part in parts]), sizes=np.concatenate([part.sizes for part in parts])
        )

    def influence(self, value: float, without: Floats) -> Floats:
        """The influence of an item of each kind, (J,), from the figure `without` one of them, whose stratum is scaled
        to its size; 0 where that leaves the figure undefined."""
        import numpy as np

        return np.nan_to_num((self.sizes - 1) * (value - without))

    def acceleration(self, influence: Floats) -> float:
        """A sixth of the skewness of the figure; 0 if nothing has an influence."""
        spread = float((self.times * (influence / self.sizes) ** 2).sum())
        return float((self.times * (influence / self.sizes) ** 3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0


def bca(value: float, resampled: Floats, acceleration: float, level: float = 0.95) -> tuple[float, float] | None:
    """The ends of the interval of a figure from its values in resamples, (R,).

    None if the resamples are all alike, or if more than a tenth of them leave the figure undefined (nan).
    """
    import numpy as np
    from scipy.special import ndtr, ndtri

    defined = resampled[~np.isnan(resampled)]
    if len(defined) < max(MIN_DEFINED * len(resampled), 2) or np.ptp(defined) < 1e-9:
        return None
    close = np.abs(defined - value) < 1e-12
    below = (np.count_nonzero((defined < value) & ~close) + np.count_nonzero(close) / 2) / len(defined)
    bias = ndtri(np.clip(below, 1 / len(defined), 1 - 1 / len(defined)))
    shifted = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(defined, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return (float(low), float(high)) if high - low > 1e-9 else None
