"""Maps probabilities to how often they are right: Platt scaling of their log-odds, shrunk where little is known.

logit p' = shift + slope · logit p (Platt 1999), the likeliest parameters under normal priors on the shift and on the
log of the slope. Without observations the map is its prior's, which is the identity unless one is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLIP = 1e-4
"""Probabilities closer to 0 or 1 than this count as this far: 0 and 1 have no log-odds."""
SHIFT_SPREAD = 1.0
"""Standard deviation of the shift around that of the prior, in log-odds."""
SLOPE_SPREAD = 0.5
"""Standard deviation of the log of the slope around that of the prior."""
FOLDS = 5
"""Folds of the cross-validation."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """One map of probabilities, rising; the identity by default."""

    shift: float = 0.0
    slope: float = 1.0

    def __call__(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """What probabilities (N,) come to."""
        import numpy as np

        scaled: NDArray[np.float64] = 1 / (1 + np.exp(-(self.shift + self.slope * _log_odds(probabilities))))
        return scaled


IDENTITY = Scaling()


def fit_scaling(probabilities: NDArray[np.float64], right: NDArray[np.bool_], prior: Scaling = IDENTITY) -> Scaling:
    """The map that makes what was observed likeliest. `probabilities` (N,); `right` (N,): whether each came true."""
    if not len(probabilities):
        return prior
    import numpy as np
    from scipy.optimize import minimize  # slow to import

    odds, signs = _log_odds(probabilities), np.where(right, 1.0, -1.0)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        shift, log_slope = parameters
        slope = np.exp(log_slope)
        margins = signs * (shift + slope * odds)
        pulls = -signs / (1 + np.exp(margins))
        far = np.array([(shift - prior.shift) / SHIFT_SPREAD, (log_slope - np.log(prior.slope)) / SLOPE_SPREAD])
        value = float(np.logaddexp(0, -margins).sum() + (far**2).sum() / 2)
        gradient = np.array([pulls.sum(), (pulls * odds).sum() * slope]) + far / (SHIFT_SPREAD, SLOPE_SPREAD)
        return value, gradient

    best = minimize(loss, (prior.shift, np.log(prior.slope)), jac=True, method="L-BFGS-B").x
    return Scaling(float(best[0]), float(np.exp(best[1])))


def cross_validated(
    probabilities: NDArray[np.float64], right: NDArray[np.bool_], prior: Scaling = IDENTITY
) -> NDArray[np.float64]:
    """What each probability comes to by a map that was fitted without it, over FOLDS folds; the order is the draw."""
    import numpy as np

    scaled = np.empty(len(probabilities))
    folds = np.arange(len(probabilities)) % FOLDS
    for fold in range(FOLDS):
        hidden = folds == fold
        scaled[hidden] = fit_scaling(probabilities[~hidden], right[~hidden], prior)(probabilities[hidden])
    return scaled


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    inside = np.clip(probabilities, CLIP, 1 - CLIP)
    odds: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return odds
