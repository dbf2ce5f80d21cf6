"""Computes the figures of one system, with bootstrap intervals, from counts of (right answer, outcome).

An item matters only through its cell, so drawing n items with replacement is drawing the counts of the cells from a
multinomial distribution: the same bootstrap, at a cost that does not grow with the number of items. Resamples are drawn
within each category, and the intervals are the 2.5 and 97.5 percentiles (Efron and Tibshirani 1993, chapter 13).

Every resample has the classes and categories of the data. A class or category of which no item is drawn keeps the value
that it has in the data: left out, or counted as 0, it would pull every resample the same way, away from the value.

An item is *called normal* if the answer is `good`; an item without a usable answer is not. In each scope:

- `accuracy`: right answers, of all items, normal ones included;
- `accuracy_anomalous`: the same, of anomalous items only;
- `accuracy_detected`: the same, of anomalous items that were not called normal;
- `missed`: called normal, of anomalous items; `false_alarms`: not called normal, of normal items;
- `jaccard`, `jaccard_anomalous`: mean Jaccard index of the right and the answered set (0 without an answer);
- `macro_f1`: mean F1 of the classes that occur, `good` included; 0 for one that is never answered;
- `f1_velm`: the macro-F1 of the VELM paper, which also counts, with an F1 of 0, each class that is answered and never
  true, and all answers that are not usable as one more;
- `kappa`: Cohen's kappa of truth and answers, where no usable answer is an answer of its own;
- `floor`, `floor_anomalous`: accuracy of always answering the category's most frequent class. No interval.

The scopes are each category; `mean`, the mean over the categories, which is the main figure of the VELM paper (arXiv
2505.02626); and `pooled`, all items together, where classes of different categories stay different.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acbench.evaluation.answer_parsing import Outcome
from acbench.evaluation.predictions import Answers
from acbench.evaluation.truth import Truth
from acbench.records import GOOD
from acbench.schema.views import ClassSet
from acbench.stats import Estimate

METRICS = (
    "accuracy",
    "accuracy_anomalous",
    "accuracy_detected",
    "macro_f1",
    "f1_velm",
    "kappa",
    "jaccard",
    "jaccard_anomalous",
    "missed",
    "false_alarms",
    "floor",
    "floor_anomalous",
)
"""In the order in which they are shown."""
MEAN, POOLED = "mean", "pooled"
UNUSABLE = ("unknown", "empty", "error", "missing")
"""Outcomes without a usable answer."""

Floats = NDArray[np.float64]
Cells = Counter[tuple[ClassSet, Outcome]]
"""(right answer, outcome) → items."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Every metric in every scope."""

    estimates: Mapping[str, Mapping[str, Estimate | None]]
    """Metric → scope → estimate; None where the metric is not defined."""
    sizes: Mapping[str, Mapping[str, int]]
    """Metric → scope → items that the metric is a share of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """How well one class was answered."""

    items: int
    """Items that show the class."""
    answered: int
    """Items for which the class was answered."""
    right: int
    recall: float | None
    precision: float | None
    f1: float


def cells(truth: Truth, answers: Answers) -> dict[str, Cells]:
    """Count each (right answer, outcome) by category."""
    counts = Counter((target.category, target.wanted, answers.outcome(target.item_id)) for target in truth.targets)
    by_category: dict[str, Cells] = {category: Counter() for category in sorted({key for key, _, _ in counts})}
    for (category, wanted, outcome), count in counts.items():
        by_category[category][wanted, outcome] = count
    return by_category


def figures(counted: Mapping[str, Cells], *, resamples: int, seed: int) -> Figures:
    """Compute all figures. The same counts and seed give the same figures."""
    tables = [_Table(category_cells) for category_cells in counted.values()]
    # The first row holds the counts of the data, each other row those of a resample: a metric is computed for all rows
    # at once.
    rows = [
        np.vstack([table.counts[None], _resampled(table.counts, resamples, (seed, zlib.crc32(name.encode())))])
        for name, table in zip(counted, tables, strict=True)
    ]
    parts = [table.sums(counts) for table, counts in zip(tables, rows, strict=True)]
    scopes = {name: part.metrics() for name, part in zip(counted, parts, strict=True)}
    means = {name: mean_of_defined(np.stack([scope[name] for scope in scopes.values()])) for name in METRICS}
    scopes = {MEAN: means, POOLED: _pooled(parts).metrics(), **scopes}
    sizes = {name: part.sizes() for name, part in zip(counted, parts, strict=True)}
    total = {name: sum(size[name] for size in sizes.values()) for name in METRICS}
    sizes = {MEAN: total, POOLED: total, **sizes}
    estimates: dict[str, dict[str, Estimate | None]] = {name: {} for name in METRICS}
    for scope, values in scopes.items():
        table = np.stack([values[name] for name in METRICS])
        ends = _interval_ends(table[:, 1:]) if resamples else np.full((2, len(METRICS)), np.nan)
        for row, name in enumerate(METRICS):
            interval = np.full(2, np.nan) if name.startswith("floor") else ends[:, row]
            estimates[name][scope] = estimate(table[row, 0], interval, sizes[scope][name])
    return Figures(estimates, {name: {scope: sizes[scope][name] for scope in scopes} for name in METRICS})


def by_class(counted: Cells, axis: Sequence[ClassSet]) -> dict[str, ClassFigures]:
    """Compute the figures of each class in the order of an axis, without classes that are neither true nor answered."""
    classes: dict[str, ClassFigures] = {}
    for name in dict.fromkeys(label for answer in axis for label in answer):
        right = sum(n for (wanted, outcome), n in counted.items() if name in wanted and name in outcome.labels)
        occurs = sum(n for (wanted, _), n in counted.items() if name in wanted)
        answered = sum(n for (_, outcome), n in counted.items() if name in outcome.labels)
        if occurs or answered:
            classes[name] = ClassFigures(
                items=occurs,
                answered=answered,
                right=right,
                recall=right / occurs if occurs else None,
                precision=right / answered if answered else None,
                f1=2 * right / (occurs + answered),
            )
    return classes


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over the items of a scope, one row a resample."""

    named: dict[str, Floats]
    """What is counted → (R,)."""
    hits: Floats
    """(R, classes): times true and answered."""
    both: Floats
    """(R, classes): times true plus times answered."""
    occurs: Floats
    """(R, classes): times true."""
    chance: Floats
    """(R,): over all answers, the sum of times true multiplied by times answered."""
    floor: Floats
    """(R,): times the most frequent answer is true."""
    floor_anomalous: Floats
    never_true: int
    """Classes that are answered in the data and never true, and one more if some answers are not usable."""

    def metrics(self) -> dict[str, Floats]:
        """Metric → value in each row, nan where it is not defined."""
        sums = self.named
        with np.errstate(invalid="ignore", divide="ignore"):
            macro_f1 = mean_of_defined(np.where(self.occurs > 0, 2 * self.hits / self.both, np.nan).T)
            true = self.occurs.shape[1]
            observed, chance = sums["right"] / sums["all"], self.chance / sums["all"] ** 2
            return {
                "accuracy": observed,
                "accuracy_anomalous": sums["right_anomalous"] / sums["anomalous"],
                "accuracy_detected": sums["right_anomalous"] / sums["detected"],
                "macro_f1": macro_f1,
                "f1_velm": macro_f1 * true / (true + self.never_true),
                "kappa": np.where(1 - chance > 1e-12, (observed - chance) / (1 - chance), np.nan),
                "jaccard": sums["jaccard"] / sums["all"],
                "jaccard_anomalous": sums["jaccard_anomalous"] / sums["anomalous"],
                "missed": sums["missed"] / sums["anomalous"],
                "false_alarms": sums["false"] / sums["normal"],
                "floor": self.floor / sums["all"],
                "floor_anomalous": self.floor_anomalous / sums["anomalous"],
            }

    def sizes(self) -> dict[str, int]:
        """Metric → items that it is a share of."""
        of = {"accuracy_detected": "detected", "false_alarms": "normal"}
        of |= dict.fromkeys(("accuracy_anomalous", "jaccard_anomalous", "missed", "floor_anomalous"), "anomalous")
        return {name: int(self.named[of.get(name, "all")][0]) for name in METRICS}


class _Table:
    """The cells of one category, and what each of them counts for."""

    def __init__(self, counted: Cells) -> None:
        ordered = sorted(counted.items(), key=lambda cell: _order(*cell[0]))
        self.counts = np.array([count for _, count in ordered])
        pairs = [(wanted, outcome.labels) for (wanted, outcome), _ in ordered]
        normal = np.array([wanted == (GOOD,) for wanted, _ in pairs])
        called_normal = np.array([answered == (GOOD,) for _, answered in pairs])
        right = np.array([wanted == answered for wanted, answered in pairs])
        jaccard = np.array([_jaccard(wanted, answered) for wanted, answered in pairs])
        self.features = {
            "all": np.ones(len(pairs)),
            "normal": normal,
            "anomalous": ~normal,
            "right": right,
            "right_anomalous": right & ~normal,
            "detected": ~normal & ~called_normal,
            "missed": ~normal & called_normal,
            "false": normal & ~called_normal,
            "jaccard": jaccard,
            "jaccard_anomalous": jaccard * ~normal,
        }
        classes = sorted({label for wanted, _ in pairs for label in wanted})
        self.true = np.array([[label in wanted for label in classes] for wanted, _ in pairs], dtype=float)
        self.answered = np.array([[label in answered for label in classes] for _, answered in pairs], dtype=float)
        sets = sorted({wanted for wanted, _ in pairs})
        self.true_sets = np.array([[wanted == labels for labels in sets] for wanted, _ in pairs], dtype=float)
        self.answered_sets = np.array([[answered == labels for labels in sets] for _, answered in pairs], dtype=float)
        self.anomalous_sets = np.array([labels != (GOOD,) for labels in sets])
        not_true = {label for _, answered in pairs for label in answered} - set(classes)
        self.never_true = len(not_true) + any(not answered for _, answered in pairs)

    def sums(self, counts: NDArray[np.int64]) -> _Sums:
        """Sum over the cells for each row of counts (R, cells)."""
        drawn = counts.astype(float)
        named = drawn @ np.stack(list(self.features.values()), axis=1).astype(float)
        occurs, true_sets = drawn @ self.true, drawn @ self.true_sets
        return _Sums(
            named=dict(zip(self.features, named.T, strict=True)),
            hits=drawn @ (self.true * self.answered),
            both=occurs + drawn @ self.answered,
            occurs=occurs,
            chance=(true_sets * (drawn @ self.answered_sets)).sum(axis=1),
            floor=true_sets.max(axis=1),
            floor_anomalous=np.where(self.anomalous_sets, true_sets, 0).max(axis=1),
            never_true=self.never_true,
        )


def _order(wanted: ClassSet, outcome: Outcome) -> str:
    """Sort cells by their content, not by the order of the rows. Changing this changes what is drawn, so intervals."""
    return repr((wanted, outcome.labels if outcome.usable else outcome.status))


def _pooled(parts: Iterable[_Sums]) -> _Sums:
    parts = list(parts)
    return _Sums(
        named={name: np.sum([part.named[name] for part in parts], axis=0) for name in parts[0].named},
        hits=np.hstack([part.hits for part in parts]),
        both=np.hstack([part.both for part in parts]),
        occurs=np.hstack([part.occurs for part in parts]),
        chance=np.sum([part.chance for part in parts], axis=0),
        floor=np.sum([part.floor for part in parts], axis=0),
        floor_anomalous=np.sum([part.floor_anomalous for part in parts], axis=0),
        never_true=sum(part.never_true for part in parts),
    )


def _resampled(counts: NDArray[np.int64], resamples: int, seed: tuple[int, int]) -> NDArray[np.int64]:
    random = np.random.default_rng(seed)
    return random.multinomial(counts.sum(), counts / counts.sum(), size=resamples)


def mean_of_defined(table: Floats) -> Floats:
    """Average (parts, R) over the parts that the data, the first column, define; the result is (R,).

    Where a resample leaves such a part undefined, its value in the data stands in. All nan if the data define none.
    """
    in_data = table[~np.isnan(table[:, 0])]
    if not len(in_data):
        return np.full(table.shape[1], np.nan)
    means: Floats = np.where(np.isnan(in_data), in_data[:, :1], in_data).mean(axis=0)
    return means


def estimate(value: float, ends: Floats, n: int) -> Estimate | None:
    """Make an estimate of 12 digits. None if the value is nan; an end that is nan becomes None."""
    if np.isnan(value):
        return None
    low, high = (None if np.isnan(end) else round(float(end), 12) for end in ends)
    return Estimate(round(float(value), 12), low, high, n)


def _interval_ends(table: Floats) -> Floats:
    """Compute the ends of the intervals, (2, metrics), of (metrics, R); resamples that leave a metric undefined do not
    count."""
    ends: Floats = np.quantile(table, (0.025, 0.975), axis=1)
    for row in np.flatnonzero(np.isnan(ends).any(axis=0)):
        defined = table[row][~np.isnan(table[row])]
        ends[:, row] = np.quantile(defined, (0.025, 0.975)) if len(defined) else np.nan
    return ends


def _jaccard(wanted: ClassSet, answered: ClassSet) -> float:
    return len({*wanted} & {*answered}) / len({*wanted} | {*answered})
