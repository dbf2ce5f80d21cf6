"""Makes a softmax over logits mean what it says (Guo et al. 2017, arXiv 1706.04599).

`fit_temperature` is for one classifier; `fit_weights` weighs several against each other too (Wolpert 1992).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]

LEAST_LOG = -20.0
"""Logarithms of probabilities below this count as this when weights are fitted: one wrong answer, or one wrong label,
does not decide them all."""


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


def fit_weights(votes: Sequence[Logits], answers: Sequence[int]) -> NDArray[np.float64]:
    """The weights (V,), 0 or more, with which the right answers are likeliest by the weighted sum of some logits.

    `votes`: the logits (N, K) of each of V classifiers, as logarithms of probabilities. `answers`: the right ones.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax, softmax

    table = np.maximum(np.stack(votes), LEAST_LOG)
    _, images, classes = table.shape
    doubt = 1 / (images + 2)  # as above
    targets = np.full((images, classes), doubt / (classes - 1))
    targets[np.arange(images), np.asarray(answers)] = 1 - doubt

    def cross_entropy(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.tensordot(weights, table, axes=1)
        pulls = softmax(logits, axis=1) - targets
        return float(-(targets * log_softmax(logits, axis=1)).sum()), (table * pulls).sum(axis=(1, 2))

    start = np.full(len(table), 0.3 / len(table))
    found = minimize(cross_entropy, start, jac=True, method="L-BFGS-B", bounds=[(0, 100)] * len(table))
    weights: NDArray[np.float64] = found.x
    return weights


def softmax(logits: Logits) -> Logits:
    """Probabilities (K,) of logits (K,)."""
    shares = np.exp(logits - logits.max())
    likely: Logits = shares / shares.sum()
    return likely
