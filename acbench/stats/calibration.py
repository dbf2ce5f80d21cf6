"""How well probabilities match how often they are right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

from acbench.stats.scaling import CLIP

BINS = 10


class CalibrationBin(TypedDict):
    """Answers of about the same probability."""

    confidence: float
    """Their mean probability."""
    accuracy: float
    """Share of them that is right."""
    n: int


class Calibration(TypedDict):
    """A curve of probability against accuracy, and how far the two lie apart. It is JSON as it stands."""

    n: int
    error: float
    """Expected calibration error (Naeini et al. 2015): the mean gap of the bins, weighted by their sizes."""
    brier: float
    """Mean squared difference of probability and outcome, 0 or 1 (Brier 1950)."""
    log_loss: float
    """Mean negative log of the probability of what came true, in nats; 0 and 1 count as 0.001 and 0.999."""
    curve: list[CalibrationBin]
    """Bins of equal width that hold an answer, by rising probability."""


def calibration(confidences: Sequence[tuple[float, bool]]) -> Calibration | None:
    """The calibration of answers, each its probability 0…1 and whether it is right; None without answers."""
    if not confidences:
        return None
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for probability, right in confidences:
        bins[min(int(probability * BINS), BINS - 1)].append((probability, right))
    curve = [
        CalibrationBin(
            confidence=sum(probability for probability, _ in members) / len(members),
            accuracy=sum(right for _, right in members) / len(members),
            n=len(members),
        )
        for members in bins
        if members
    ]
    error = sum(point["n"] * abs(point["confidence"] - point["accuracy"]) for point in curve) / len(confidences)
    return Calibration(
        n=len(confidences),
        error=error,
        brier=sum((probability - right) ** 2 for probability, right in confidences) / len(confidences),
        log_loss=sum(map(_log_loss, confidences)) / len(confidences),
        curve=curve,
    )


def _log_loss(confidence: tuple[float, bool]) -> float:
    probability, right = confidence
    return -math.log(min(max(probability if right else 1 - probability, CLIP), 1 - CLIP))
