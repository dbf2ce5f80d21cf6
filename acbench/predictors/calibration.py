"""Fits the temperature that makes a softmax over logits mean what it says (Guo et al. 2017, arXiv 1706.04599)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]


def fit_temperature(logits: Sequence[Logits], answers: Sequence[int]) -> float:
    """The temperature at which the right answers are likeliest.

    `logits`: (K,) of each image, where K may differ. `answers`: the index of the right one.
    """
    from scipy.optimize import minimize_scalar  # slow to import
    from scipy.special import log_softmax

    # As if one more image were right and one wrong (Platt 1999). If the right answer came first in all images, the
    # temperature would be zero otherwise.
    doubt = 1 / (len(logits) + 2)
    table = np.full((len(logits), max(map(len, logits))), -1e9)
    targets = np.zeros_like(table)
    for row, (image_logits, answer) in enumerate(zip(logits, answers, strict=True)):
        table[row, : len(image_logits)] = image_logits
        targets[row, : len(image_logits)] = doubt / (len(image_logits) - 1)
        targets[row, answer] = 1 - doubt

    def cross_entropy(log_temperature: float) -> float:
        return float(-(targets * log_softmax(table * np.exp(-log_temperature), axis=1)).sum())

    best = minimize_scalar(cross_entropy, bounds=(np.log(1e-3), np.log(1e3)), method="bounded")
    return float(np.exp(best.x))


def softmax(logits: Logits) -> Logits:
    """Probabilities (K,) of logits (K,)."""
    shares = np.exp(logits - logits.max())
    likely: Logits = shares / shares.sum()
    return likely
