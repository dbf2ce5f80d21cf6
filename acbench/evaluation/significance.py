"""Compares two systems on the same items: is their difference more than chance?"""

from __future__ import annotations

import dataclasses
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from acbench.evaluation.metrics import Floats, estimate, mean_of_defined
from acbench.evaluation.predictions import Answers
from acbench.evaluation.truth import Truth
from acbench.records import GOOD
from acbench.stats import Estimate

Cells = Counter[tuple[bool, bool, bool]]
"""(anomalous, first is right, second is right) → items."""
_CELLS = tuple(product((False, True), (False, True), (False, True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemarTest:
    """McNemar's exact test (1947): are the items that only one system has right as likely to be the other's?"""

    only_first_right: int
    only_second_right: int
    p: float
    """Two-sided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """Two systems on the same items."""

    items: int
    difference: Mapping[str, Mapping[str, Estimate]]
    """Metric → scope → first minus second."""
    mcnemar: McNemarTest

    def to_json(self) -> dict[str, Any]:
        """JSON values in the order of the fields."""
        return {
            "items": self.items,
            "difference": {
                metric: {scope: difference.interval_to_json() for scope, difference in scopes.items()}
                for metric, scopes in self.difference.items()
            },
            "mcnemar": dataclasses.asdict(self.mcnemar),
        }


def compare_answers(truth: Truth, first: Answers, second: Answers, *, resamples: int, seed: int) -> PairedComparison:
    """Compare the accuracy of two systems with paired bootstrap intervals and McNemar's exact test.

    Items are drawn in pairs within each category: an item that is hard for both is drawn for both. See `metrics`.
    """
    counted = _cells(truth, first, second)
    anomalous = np.array([float(is_anomalous) for is_anomalous, _, _ in _CELLS])
    gain = np.array([float(first_right) - float(second_right) for _, first_right, second_right in _CELLS])
    sums = []
    for category, cells in sorted(counted.items()):
        counts = np.array([cells[cell] for cell in _CELLS])
        random = np.random.default_rng((seed, zlib.crc32(category.encode()), 1))
        drawn = np.vstack([counts, random.multinomial(counts.sum(), counts / counts.sum(), size=resamples)])
        sums.append(np.stack([drawn @ gain, drawn.sum(axis=1), drawn @ (gain * anomalous), drawn @ anomalous]))
    table = np.stack(sums)  # (categories, 4, 1 + resamples); the first column holds the data
    totals = table.sum(axis=0)
    difference: dict[str, dict[str, Estimate]] = {}
    for row, metric in enumerate(("accuracy", "accuracy_anomalous")):
        with np.errstate(invalid="ignore"):
            by_category = table[:, 2 * row] / table[:, 2 * row + 1]
            pooled = totals[2 * row] / totals[2 * row + 1]
        if np.isfinite(by_category[:, 0]).any():
            n = int(totals[2 * row + 1, 0])
            difference[metric] = {
                "mean": _estimate(mean_of_defined(by_category), n),
                "pooled": _estimate(pooled, n),
            }
    return PairedComparison(items=len(truth.targets), difference=difference, mcnemar=_mcnemar(counted))


def _cells(truth: Truth, first: Answers, second: Answers) -> dict[str, Cells]:
    counted: dict[str, Cells] = {}
    for target in truth.targets:
        first_right = first.outcome(target.item_id).labels == target.wanted
        second_right = second.outcome(target.item_id).labels == target.wanted
        counted.setdefault(target.category, Counter())[target.wanted != (GOOD,), first_right, second_right] += 1
    return counted


def _mcnemar(counted: Mapping[str, Cells]) -> McNemarTest:
    from scipy.stats import binomtest

    total = sum(counted.values(), Counter[tuple[bool, bool, bool]]())
    only_first = total[False, True, False] + total[True, True, False]
    only_second = total[False, False, True] + total[True, False, True]
    discordant = only_first + only_second
    return McNemarTest(
        only_first_right=only_first,
        only_second_right=only_second,
        p=float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0,
    )


def _estimate(values: Floats, n: int) -> Estimate:
    """Make an estimate of the data, the first value, and its resamples, the others."""
    ends = np.nanquantile(values[1:], (0.025, 0.975)) if len(values) > 1 else np.full(2, np.nan)
    difference = estimate(values[0], ends, n)
    assert difference is not None, "defined in the data"
    return difference
