"""Measures what probabilities and abstentions are worth: top-k, calibration, and risk against coverage.

- `top_k`: share of all items whose right answer is among the k likeliest, k from 1 to 3. One that is as likely as
  another counts as behind it; an item without probabilities does not have it.
- `calibration`: of the likeliest class of each item, its probability against whether it is right (expected calibration
  error, Brier score, log-loss).
- `selective`: how many items were answered (coverage), and how many of these are wrong (risk), where some were not.
- `risk_coverage`: the same if only the most confident answers are taken, and the mean of the risk over all numbers of
  answers taken (AURC, Geifman and El-Yaniv 2017). Answers of equal confidence are taken in equal parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from acbench.evaluation.predictions import Answers
from acbench.evaluation.truth import Truth
from acbench.stats import Calibration, Estimate, calibration, rate

TOP = (1, 2, 3)
POINTS = 10
"""Places of the curve of risk and coverage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selective:
    """What came of the items that were answered."""

    coverage: Estimate
    """Share of the items with a usable answer."""
    risk: Estimate | None
    """Share of these answers that are wrong; None without any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPoint:
    """What came of the most confident answers."""

    coverage: float
    """Share of the answers with probabilities that are taken."""
    risk: float
    """Share of these that are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """Figures of answers that give probabilities, all items together."""

    answers: int
    """Items whose answer gives them."""
    top_k: dict[str, Estimate]
    """`1`, `2` and `3` → share of all items."""
    calibration: Calibration
    risk_coverage: Sequence[RiskPoint]
    aurc: float


def selective(truth: Truth, answers: Answers) -> Selective | None:
    """Coverage and risk; None if every item has a usable answer."""
    outcomes = [(answers.outcome(target.item_id), target.wanted) for target in truth.targets]
    usable = [outcome.labels == wanted for outcome, wanted in outcomes if outcome.usable]
    coverage = rate(len(usable), len(outcomes))
    if coverage is None or len(usable) == len(outcomes):
        return None
    return Selective(coverage=coverage, risk=rate(len(usable) - sum(usable), len(usable)))


def confidence(truth: Truth, answers: Answers) -> Confidence | None:
    """The figures of answers with probabilities; None if no item has any."""
    taken: list[tuple[float, bool]] = []
    places: list[int] = []
    for target in truth.targets:
        given = answers.by_item.get(target.item_id)
        if given is None or not given.probabilities:
            continue
        right = given.probabilities.get(target.wanted, 0.0)
        others = (share for labels, share in given.probabilities.items() if labels != target.wanted)
        places.append(1 + sum(share >= right for share in others) if right else len(given.probabilities) + 1)
        taken.append((min(max(given.probabilities.values()), 1.0), given.outcome.labels == target.wanted))
    calibrated = calibration(taken)
    if calibrated is None:
        return None
    risks = _risks(taken)
    numbers = sorted({max(round(len(risks) * step / POINTS), 1) for step in range(1, POINTS + 1)})
    return Confidence(
        answers=len(taken),
        top_k={str(k): share for k in TOP if (share := rate(sum(place <= k for place in places), len(truth.targets)))},
        calibration=calibrated,
        risk_coverage=[RiskPoint(coverage=number / len(risks), risk=risks[number - 1]) for number in numbers],
        aurc=sum(risks) / len(risks),
    )


def _risks(taken: Sequence[tuple[float, bool]]) -> list[float]:
    """The risk of the most confident answer, of the two most confident ones, and so on."""
    by_confidence: dict[float, list[bool]] = {}
    for share, right in taken:
        by_confidence.setdefault(share, []).append(right)
    risks: list[float] = []
    wrong = 0.0
    for _, group in sorted(by_confidence.items(), reverse=True):
        share_wrong = 1 - sum(group) / len(group)
        for _ in group:
            wrong += share_wrong
            risks.append(wrong / (len(risks) + 1))
    return risks
