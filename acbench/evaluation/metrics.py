"""Computes the figures of one system, with intervals, from counts of (right answer, outcome).

An item is *called normal* if the answer is `good`; an item without a usable answer is not. In each scope:

- `accuracy`: right answers, of all items, normal ones included;
- `accuracy_anomalous`: the same, of anomalous items only;
- `accuracy_detected`: the same, of anomalous items that were not called normal;
- `missed`: called normal, of anomalous items; `false_alarms`: not called normal, of normal items;
- `jaccard`, `jaccard_anomalous`: mean Jaccard index of the right and the answered set (0 without an answer);
- `macro_f1`: mean F1 of the classes that occur, `good` included; 0 for one that is never answered;
- `f1_velm`: the macro-F1 of the VELM paper, which also counts, with an F1 of 0, each class that is answered and never
  true, and all answers that are not usable as one more;
- `balanced_accuracy`: mean recall of the right answers that occur;
- `kappa`: Cohen's kappa of truth and answers, where no usable answer is an answer of its own;
- `mcc`: Matthews' correlation coefficient of several classes (Gorodkin 2004), with answers as for `kappa`;
- `floor`, `floor_anomalous`: accuracy of always answering the category's most frequent class. No interval.

The scopes are each category; `mean`, the mean over the categories, which is the main figure of the VELM paper (arXiv
2505.02626); and `pooled`, all items together, where classes of different categories stay different.

A share of items has the interval of Wilson (1927), see `stats.rate`. Any other figure, and a mean over categories, has
the BCa interval of resamples that are drawn as the benchmark is built (`tallies`). There is none of fewer than
MIN_ITEMS items, nor where fewer than MIN_EACH are right, or wrong: resamples of so few know nothing of what was not
drawn. `Figures.missing` says why there is none. No interval has a width of zero.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acbench.evaluation.predictions import Answers
from acbench.evaluation.tallies import Cells, Floats, Table, Tally, total
from acbench.evaluation.truth import Truth
from acbench.schema.views import ClassSet
from acbench.stats import Estimate, LeftOut, bca, rate

METRICS = (
    "accuracy",
    "accuracy_anomalous",
    "accuracy_detected",
    "macro_f1",
    "f1_velm",
    "balanced_accuracy",
    "kappa",
    "mcc",
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

SHARES: Mapping[str, tuple[str, str]] = {
    "accuracy": ("right", "all"),
    "accuracy_anomalous": ("right_anomalous", "anomalous"),
    "accuracy_detected": ("right_anomalous", "detected"),
    "missed": ("missed", "anomalous"),
    "false_alarms": ("false", "normal"),
}
"""Metrics that are shares of items → what is counted of what."""
_COUNTED = {**SHARES, "jaccard_anomalous": ("right_anomalous", "anomalous"), "floor_anomalous": ("right", "anomalous")}
"""Metric → which items are right, of how many; of the others it is all items."""
MIN_ITEMS, MIN_EACH = 30, 5
"""Items that a bootstrap interval needs, and how many of them have to be right, and wrong."""
MAX_ALONE = 0.1
"""Share of items that may be the only one of their right answer; resamples cannot vary them."""
TOO_FEW = f"fewer than {MIN_ITEMS} images, or fewer than {MIN_EACH} of them right, or wrong"
ALONE = "too many images are the only one of their class"
NOTHING_VARIES = "drawn again from these images, it is always the same, or not defined"


@dataclass(frozen=True, slots=True)
class Figures:
    """Every metric in every scope."""

    estimates: Mapping[str, Mapping[str, Estimate | None]]
    """Metric → scope → estimate; None where the metric is not defined."""
    sizes: Mapping[str, Mapping[str, int]]
    """Metric → scope → items that the metric is a share of."""
    missing: Mapping[str, Mapping[str, str]]
    """Metric → scope → why it has a value and no interval; only those."""


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
    table, targets = answers.table(truth), truth.targets
    counts = np.zeros((len(targets.kinds), len(table.outcomes)), dtype=np.int64)
    np.add.at(counts, (targets.kind, table.outcome), 1)
    by_category: dict[str, Cells] = {category: Counter() for category in truth.categories}
    for kind, code in np.argwhere(counts).tolist():
        category, wanted = targets.kinds[kind]
        by_category[category][wanted, table.outcomes[code]] = int(counts[kind, code])
    return by_category


def figures(counted: Mapping[str, Cells], *, resamples: int, seed: int) -> Figures:
    """Compute all figures. The same counts and seed give the same figures; no resamples, no intervals."""
    parts = [
        _Part.of(Table(category_cells), resamples, (seed, zlib.crc32(name.encode())))
        for name, category_cells in counted.items()
    ]
    scopes = {MEAN: _mean(parts), POOLED: _pooled(parts), **dict(zip(counted, parts, strict=True))}
    estimates: dict[str, dict[str, Estimate | None]] = {name: {} for name in METRICS}
    sizes: dict[str, dict[str, int]] = {name: {} for name in METRICS}
    missing: dict[str, dict[str, str]] = {}
    for scope, part in scopes.items():
        for name in METRICS:
            hits, of = (round(float(part.data[key])) for key in _COUNTED.get(name, ("right", "all")))
            found = estimate(part.values[name][0], (np.nan, np.nan), of)
            if found is not None and resamples and not name.startswith("floor"):
                ends = _ends(part, name, hits, of, is_share=name in SHARES and (scope != MEAN or len(parts) == 1))
                if isinstance(ends, str):
                    missing.setdefault(name, {})[scope] = ends
                else:
                    found = estimate(found.value, ends, of)
            estimates[name][scope], sizes[name][scope] = found, of
    return Figures(estimates, sizes, missing)


@dataclass(frozen=True, slots=True)
class _Part:
    """What is known of a scope."""

    data: Mapping[str, float]
    """What is counted in the data."""
    tally: Tally
    """What is counted in the data, the first row, and in the resamples."""
    values: Mapping[str, Floats]
    """Metric → the same rows."""
    without: Tally
    """What is counted without an item of each cell."""
    values_without: Mapping[str, Floats]
    left_out: LeftOut

    @classmethod
    def of(cls, table: Table, resamples: int, seed: tuple[int, ...]) -> _Part:
        """Count and compute for one category."""
        rows, left_out = table.strata.left_out()
        tally = table.tally(np.vstack([table.strata.counts[None], table.strata.resampled(resamples, seed)]))
        without = table.tally(rows if resamples else rows[:0])
        return cls(_first(tally), tally, _metrics(tally), without, _metrics(without), left_out)


def _first(tally: Tally) -> dict[str, float]:
    return {name: float(values[0]) for name, values in tally.items()}


def _mean(parts: Sequence[_Part]) -> _Part:
    """The means over categories. To leave an item out changes only the value of its own."""
    values = {name: mean_of_defined(np.stack([part.values[name] for part in parts])) for name in METRICS}
    without: dict[str, Floats] = {}
    for name in METRICS:
        defined = sum(not np.isnan(part.values[name][0]) for part in parts) or 1
        changes = [np.nan_to_num(part.values_without[name] - part.values[name][0]) / defined for part in parts]
        without[name] = values[name][0] + np.concatenate(changes)
    pooled = total(part.tally for part in parts)
    return _Part(_first(pooled), pooled, values, {}, without, LeftOut.of_all([part.left_out for part in parts]))


def _pooled(parts: Sequence[_Part]) -> _Part:
    tally = total(part.tally for part in parts)
    data = _first(tally)
    without = {
        key: np.concatenate([data[key] + (part.without[key] - part.data[key]) for part in parts]) for key in tally
    }
    return _Part(
        data, tally, _metrics(tally), without, _metrics(without), LeftOut.of_all([part.left_out for part in parts])
    )


def _ends(part: _Part, name: str, hits: int, of: int, *, is_share: bool) -> tuple[float, float] | str:
    """The ends of the interval of a figure, or why it has none."""
    if is_share:
        share = rate(hits, of)
        assert share is not None and share.low is not None and share.high is not None, "defined"
        return share.low, share.high
    if of < MIN_ITEMS or min(hits, of - hits) < MIN_EACH:
        return TOO_FEW
    if part.left_out.alone > MAX_ALONE:
        return ALONE
    values = part.values[name]
    influence = part.left_out.influence(float(values[0]), part.values_without[name])
    return bca(float(values[0]), values[1:], part.left_out.acceleration(influence)) or NOTHING_VARIES


def _metrics(tally: Tally) -> dict[str, Floats]:
    """Metric → value in each row, nan where it is not defined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        everything = tally["all"]
        observed, chance = tally["right"] / everything, tally["chance"] / everything**2
        spread = (everything**2 - tally["answered_squared"]) * (everything**2 - tally["true_squared"])
        return {
            **{name: tally[hits] / tally[of] for name, (hits, of) in SHARES.items()},
            "macro_f1": tally["f1"] / tally["classes"],
            "f1_velm": tally["f1"] / (tally["classes"] + tally["never_true"]),
            "balanced_accuracy": tally["recalls"] / tally["answers"],
            "kappa": np.where(1 - chance > 1e-12, (observed - chance) / (1 - chance), np.nan),
            "mcc": np.where(
                spread > 1e-9, (tally["right"] * everything - tally["chance"]) / np.sqrt(np.abs(spread)), np.nan
            ),
            "jaccard": tally["jaccard"] / everything,
            "jaccard_anomalous": tally["jaccard_anomalous"] / tally["anomalous"],
            "floor": tally["floor"] / everything,
            "floor_anomalous": tally["floor_anomalous"] / tally["anomalous"],
        }


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


def mean_of_defined(table: Floats) -> Floats:
    """Average (parts, R) over the parts that the data, the first column, define; the result is (R,).

    Where a resample leaves such a part undefined, its value in the data stands in. All nan if the data define none.
    """
    in_data = table[~np.isnan(table[:, 0])]
    if not len(in_data):
        return np.full(table.shape[1], np.nan)
    means: Floats = np.where(np.isnan(in_data), in_data[:, :1], in_data).mean(axis=0)
    return means


def estimate(value: float, ends: Sequence[float], n: int) -> Estimate | None:
    """Make an estimate of 12 digits. None if the value is nan; an end that is nan becomes None."""
    if np.isnan(value):
        return None
    low, high = (None if np.isnan(end) else round(float(end), 12) for end in ends)
    return Estimate(round(float(value), 12), low, high, n)
