"""Compares two systems on the same items: is their difference more than chance?"""

from __future__ import annotations

import dataclasses
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acbench.evaluation.metrics import MIN_ITEMS, estimate
from acbench.evaluation.predictions import Answers
from acbench.evaluation.tallies import Floats, Strata
from acbench.evaluation.truth import Truth
from acbench.records import GOOD
from acbench.schema.views import ClassSet
from acbench.stats import Estimate, LeftOut, bca

Cells = Counter[tuple[ClassSet, bool, bool]]
"""(right answer, first is right, second is right) → items."""
METRICS = ("accuracy", "accuracy_anomalous")
MIN_DISCORDANT = 5
"""Items that one system alone has right, for an interval of the difference."""


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

    Items are drawn in pairs within each category and right answer: an item that is hard for both is drawn for both. The
    intervals are BCa, as those of `metrics`; there is none of fewer than MIN_ITEMS items, nor where fewer than
    MIN_DISCORDANT make the difference.
    """
    counted = _cells(truth, first, second)
    parts = [
        _differences(cells, resamples, (seed, zlib.crc32(category.encode()), 1))
        for category, cells in sorted(counted.items())
    ]
    left_out = LeftOut.of_all([part.left_out for part in parts])
    difference: dict[str, dict[str, Estimate]] = {}
    for metric in METRICS:
        own = [part for part in parts if part.rows[metric][1, 0] > 0]
        if not own:
            continue
        gain, items = np.sum([part.rows[metric] for part in parts], axis=0)
        n, discordant = int(items[0]), sum(part.discordant[metric] for part in parts)
        shares = {
            "mean": (
                np.mean([part.share(metric) for part in own], axis=0),
                [part.change(metric) / len(own) for part in parts],
            ),
            "pooled": (gain / items, [part.change_of_sum(metric, n, gain[0]) for part in parts]),
        }
        difference[metric] = {}
        for scope, (values, changes) in shares.items():
            influence = left_out.influence(0, np.concatenate(changes))
            is_enough = resamples and n >= MIN_ITEMS and discordant >= MIN_DISCORDANT
            ends = bca(values[0], values[1:], left_out.acceleration(influence)) if is_enough else None
            found = estimate(values[0], ends or (np.nan, np.nan), n)
            assert found is not None, "defined in the data"
            difference[metric][scope] = found
    return PairedComparison(items=len(truth.targets), difference=difference, mcnemar=_mcnemar(counted))


@dataclass(frozen=True, slots=True)
class _Differences:
    """How many more items of a category the first system has right, in the data and in resamples."""

    rows: Mapping[str, Floats]
    """Metric → (2, 1 + R): how many more, and of how many items."""
    without: Mapping[str, Floats]
    """The same, (2, kinds), without an item of each kind."""
    discordant: Mapping[str, int]
    left_out: LeftOut

    def share(self, metric: str) -> Floats:
        """The difference of the shares, (1 + R,)."""
        share: Floats = self.rows[metric][0] / self.rows[metric][1]
        return share

    def change(self, metric: str) -> Floats:
        """How far it is another without an item of each kind, (kinds,); 0 where the category has no such items."""
        if self.rows[metric][1, 0] == 0:
            return np.zeros(self.without[metric].shape[1])
        change: Floats = self.without[metric][0] / self.without[metric][1] - self.share(metric)[0]
        return change

    def change_of_sum(self, metric: str, items: int, gain: float) -> Floats:
        """The same of all categories together, which have so many items."""
        more, fewer = (self.without[metric] - self.rows[metric][:, :1])[:2]
        change: Floats = (gain + more) / (items + fewer) - gain / items
        return change


def _differences(cells: Cells, resamples: int, seed: tuple[int, ...]) -> _Differences:
    kinds = sorted(cells)
    answers = sorted({wanted for wanted, _, _ in kinds})
    strata = Strata(
        np.array([cells[kind] for kind in kinds], dtype=float),
        np.array([answers.index(wanted) for wanted, _, _ in kinds]),
    )
    without, left_out = strata.left_out()
    drawn = np.vstack([strata.counts[None], strata.resampled(resamples, seed)])
    gain = np.array([float(first) - float(second) for _, first, second in kinds])
    rows, missing, discordant = {}, {}, {}
    for metric in METRICS:
        counts = np.array([metric == "accuracy" or wanted != (GOOD,) for wanted, _, _ in kinds], dtype=float)
        weights = np.stack([gain * counts, counts], axis=1)
        rows[metric], missing[metric] = (drawn @ weights).T, (without @ weights).T
        discordant[metric] = int((np.abs(gain) * counts) @ strata.counts)
    return _Differences(rows, missing, discordant, left_out)


def _cells(truth: Truth, first: Answers, second: Answers) -> dict[str, Cells]:
    counted: dict[str, Cells] = {}
    counts = both_right(truth, first, second)
    for kind, first_right, second_right in np.argwhere(counts).tolist():
        category, wanted = truth.targets.kinds[kind]
        count = int(counts[kind, first_right, second_right])
        counted.setdefault(category, Counter())[wanted, bool(first_right), bool(second_right)] = count
    return counted


def both_right(truth: Truth, first: Answers, second: Answers) -> NDArray[np.int64]:
    """How many items of each kind of a truth two systems have right, (kinds, first is right, second is right)."""
    counts = np.zeros((len(truth.targets.kinds), 2, 2), dtype=np.int64)
    one, other = (answers.table(truth).right.astype(np.int8) for answers in (first, second))
    np.add.at(counts, (truth.targets.kind, one, other), 1)
    return counts


def _mcnemar(counted: Mapping[str, Cells]) -> McNemarTest:
    from scipy.stats import binomtest

    only_first = only_second = 0
    for cells in counted.values():
        for (_, first_right, second_right), count in cells.items():
            only_first += count * (first_right and not second_right)
            only_second += count * (second_right and not first_right)
    discordant = only_first + only_second
    return McNemarTest(
        only_first_right=only_first,
        only_second_right=only_second,
        p=float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0,
    )
