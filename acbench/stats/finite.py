"""How many members of a finite collection are faulty, from members drawn at random without replacement.

The upper bound is one end of a confidence sequence, the prior-posterior-ratio of Waudby-Smith and Ramdas (2020, arXiv
2006.04347, section 2): with probability 1 - alpha it holds after every draw at once, so looking after each of them,
and stopping whenever one likes, costs nothing. The prior has to be fixed before the first draw. It decides how soon the
bound falls, never whether it holds.

Arrays broadcast. A number of faults found may be a fraction, where one is expected rather than seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PLACES = 30
"""Numbers of draws that are tried at once."""
_ROUNDING = 1e-9
"""Log probabilities that differ by less are equal."""

Numbers = Any
"""A number, or an array of numbers."""


@dataclass(frozen=True, slots=True)
class FaultPrior:
    """What is thought of a collection before it is looked at: each member is faulty with one unknown probability,
    which has the distribution Beta(faulty, sound). Raises ValueError unless both are positive."""

    faulty: float
    sound: float

    def __post_init__(self) -> None:
        if not (self.faulty > 0 and self.sound > 0):
            raise ValueError("both parameters of a Beta distribution are positive")

    @classmethod
    def of_rate(cls, rate: float) -> FaultPrior:
        """The prior with this mean, 0…1, and the weight of one faulty member: it may well be a few times as much.

        A mean below 1e-6, or above one half, is taken as that.
        """
        return cls(1.0, 1 / min(max(rate, 1e-6), 0.5) - 1)

    def rate(self, drawn: int = 0, found: float = 0) -> float:
        """The mean probability of a fault after `drawn` members of which `found` were faulty."""
        return (self.faulty + found) / (self.faulty + self.sound + drawn)


def most_left(size: int, drawn: int, found: float, prior: FaultPrior, alpha: float) -> int:
    """The largest number of faulty members among those not drawn that the draws do not rule out.

    `size`: members in all; `found`: the faulty ones among those `drawn`.
    """
    import numpy as np

    left = np.arange(size - drawn + 1)
    likelihood = _log_likelihood(size, found + left, drawn, found)
    possible = np.flatnonzero(likelihood > np.log(alpha) + _log_evidence(drawn, found, prior))
    return int(possible[-1]) if len(possible) else 0


def is_bounded(
    size: Numbers, drawn: Numbers, found: Numbers, allowed: Numbers, prior: FaultPrior, alpha: float
) -> NDArray[np.bool_]:
    """Whether `most_left` is at most `allowed`.

    The likelihood of a number of faults has one peak. So all numbers above `found + allowed` are ruled out if the first
    of them is, and lies beyond the peak.
    """
    import numpy as np

    first = np.asarray(found) + np.floor(allowed) + 1
    sound = np.asarray(size) - first - (np.asarray(drawn) - found)
    """Sound members that would not be drawn yet."""
    with np.errstate(invalid="ignore", divide="ignore"):
        likelihood = _log_likelihood(size, first, drawn, found)
        is_unlikely = likelihood <= np.log(alpha) + _log_evidence(drawn, found, prior)
        falls = (first + 1) * sound <= (first + 1 - found) * (np.asarray(size) - first)
    bounded: NDArray[np.bool_] = (sound < 0) | (is_unlikely & falls)
    return bounded


def draws_needed(
    size: int, drawn: int, found: float, allowed: float, rate: float, prior: FaultPrior, alpha: float
) -> int:
    """After how many draws in all `is_bounded` is to be expected, if a share `rate` of those to come is faulty.

    `size` if not before the last.
    """
    import numpy as np

    low, high = drawn, size
    while high - low > 1:  # some places at once, then between the last that is too early and the first that is not
        draws = np.unique(np.linspace(low, high, PLACES).round().astype(int))
        bounded = is_bounded(size, draws, found + (draws - drawn) * rate, allowed, prior, alpha)
        first = int(np.argmax(bounded)) if bounded.any() else len(draws) - 1
        if first == 0:
            return int(draws[0])
        low, high = int(draws[first - 1]), int(draws[first])
    is_first = bool(is_bounded(size, low, found + (low - drawn) * rate, allowed, prior, alpha))
    return low if is_first else high


def most_without_fault(size: int, drawn: int, alpha: float) -> int:
    """The largest number of faulty members of which `drawn` ones, chosen once and all sound, would be likelier than
    `alpha`: the exact upper bound (hypergeometric) of a sample of fixed size in which there is none."""
    low, high = 0, size - drawn
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if _none_drawn(size, middle, drawn) > math.log(alpha) + _ROUNDING else (low, middle - 1)
        )
    return low


def draws_without_fault(size: int, allowed: int, alpha: float) -> int:
    """The fewest draws after which, if all drawn are sound, `most_without_fault` is at most `allowed`."""
    low, high = 0, max(size - allowed, 0)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if most_without_fault(size, middle, alpha) <= allowed else (middle + 1, high)
    return low


def _none_drawn(size: int, faulty: int, drawn: int) -> float:
    """Log probability that none of `faulty` members is among `drawn` ones."""
    if faulty + drawn > size:
        return -math.inf
    log = math.lgamma
    return log(size - faulty + 1) - log(size - faulty - drawn + 1) - log(size + 1) + log(size - drawn + 1)


def _log_evidence(drawn: Numbers, found: Numbers, prior: FaultPrior) -> Any:
    """Log probability of a sequence of draws under the prior."""
    from scipy.special import betaln  # slow to import

    return betaln(prior.faulty + found, prior.sound + drawn - found) - betaln(prior.faulty, prior.sound)


def _log_likelihood(size: Numbers, faulty: Numbers, drawn: Numbers, found: Numbers) -> Any:
    """Log probability of a sequence of draws from a collection with so many faulty members."""
    return (
        _log_arrangements(faulty, found)
        + _log_arrangements(size - faulty, drawn - found)
        - _log_arrangements(size, drawn)
    )


def _log_arrangements(members: Numbers, drawn: Numbers) -> Any:
    """Log of the number of sequences of `drawn` different members."""
    from scipy.special import gammaln

    return gammaln(members + 1) - gammaln(members - drawn + 1)
