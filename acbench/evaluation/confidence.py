"""Measures what confidences and abstentions are worth: top-k, calibration, and risk against coverage.

How sure an answer is, is what the column `confidence` says or else the probability of its likeliest class.

- `top_k`: share of all items whose right answer is among the k likeliest, k from 1 to 3. One that is as likely as
  another counts as behind it; an item without probabilities does not have it.
- `calibration`: how sure each answer is against whether it is right (expected calibration error, Brier score,
  log-loss).
- `selective`: how many items were answered (coverage), and how many of these are wrong (risk), where some were not.
- `risk_coverage`: the same if only the most confident answers are taken, and the mean of the risk over all numbers of
  answers taken (AURC, Geifman and El-Yaniv 2017). Answers of equal confidence are taken in equal parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acbench.evaluation.answer_table import ParsedAnswer
from acbench.evaluation.predictions import Answers
from acbench.evaluation.truth import Truth
from acbench.schema.views import ClassSet
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
    """Share of the answers with a confidence that are taken."""
    risk: float
    """Share of these that are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """Figures of answers that say how sure they are, all items together."""

    answers: int
    """Items whose answer says so."""
    top_k: dict[str, Estimate]
    """`1`, `2` and `3` → share of all items; empty if no answer gives probabilities of the classes."""
    calibration: Calibration
    risk_coverage: Sequence[RiskPoint]
    aurc: float


def selective(truth: Truth, answers: Answers) -> Selective | None:
    """Coverage and risk; None if every item has a usable answer."""
    table = answers.table(truth)
    usable, right = len(table.having("ok")), int(np.count_nonzero(table.right))
    coverage = rate(usable, len(truth.targets))
    if coverage is None or usable == len(truth.targets):
        return None
    return Selective(coverage=coverage, risk=rate(usable - right, usable))


def confidence(truth: Truth, answers: Answers) -> Confidence | None:
    """The figures of answers that say how sure they are; None if none does."""
    taken: list[tuple[float, bool]] = []
    places: list[int] = []
    table = answers.table(truth)
    right = table.right
    says = ~np.isnan(table.confidence)
    says[list(table.probabilities)] = True
    for place in np.flatnonzero(says).tolist():
        given = table.at(place)
        if given.probabilities:
            places.append(_place(given.probabilities, truth.targets[place].wanted))
        sure = _how_sure(given)
        if sure is not None:
            taken.append((sure, bool(right[place])))
    calibrated = calibration(taken)
    if calibrated is None:
        return None
    risks = _risks(taken)
    numbers = sorted({max(round(len(risks) * step / POINTS), 1) for step in range(1, POINTS + 1)})
    top_k = {k: rate(sum(place <= k for place in places), len(truth.targets)) for k in TOP if places}
    return Confidence(
        answers=len(taken),
        top_k={str(k): share for k, share in top_k.items() if share},
        calibration=calibrated,
        risk_coverage=[RiskPoint(coverage=number / len(risks), risk=risks[number - 1]) for number in numbers],
        aurc=sum(risks) / len(risks),
    )


def _place(probabilities: Mapping[ClassSet, float], wanted: ClassSet) -> int:
    """The place of the right answer among the likeliest, from 1; the last of those that are as likely."""
    right = probabilities.get(wanted, 0.0)
    if not right:
        return len(probabilities) + 1
    return 1 + sum(share >= right for labels, share in probabilities.items() if labels != wanted)


def _how_sure(given: ParsedAnswer) -> float | None:
    """The confidence of an answer, 0…1; None if it says none, or if a column gives one to an abstention."""
    if given.confidence is not None:
        return given.confidence if given.outcome.status in ("ok", "unknown") else None
    return min(max(given.probabilities.values()), 1.0) if given.probabilities else None


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
