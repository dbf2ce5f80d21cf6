"""Tests of many hypotheses at once, and of a difference that is a mean over strata."""

from __future__ import annotations

from collections.abc import Sequence

DRAWS, PART = 20_000, 1_000
"""Sign flips that are drawn, and those at once; no p is below 1 / (DRAWS + 1)."""


def holm(p_values: Sequence[float]) -> list[float]:
    """The p of each hypothesis, corrected for how many there are (Holm 1979): the chance of one false finding or more
    among all of them stays below the level."""
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def sign_flips(strata: Sequence[tuple[int, int, int]], seed: int = 0) -> float:
    """The two-sided p of a mean over strata of paired differences, each stratum its wins, its losses and its size.

    If neither of the two is better, each item that only one of them has right could as well be the other's. Of one
    stratum it is McNemar's exact test, drawn rather than counted.
    """
    import numpy as np

    wins, losses, sizes = np.array(strata).T
    if not (wins + losses).sum():
        return 1.0
    random, found = np.random.default_rng(seed), abs(((wins - losses) / sizes).sum())
    as_far = 0
    for _ in range(DRAWS // PART):
        drawn = random.binomial(wins + losses, 0.5, (PART, len(sizes)))
        flipped = np.abs(((2 * drawn - (wins + losses)) / sizes).sum(axis=1))
        as_far += np.count_nonzero(flipped >= found - 1e-9)
    return (as_far + 1) / (DRAWS + 1)
