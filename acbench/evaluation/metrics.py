"""The figures of one system, with bootstrap intervals, from counts of (what is true, what was answered).

An item counts through its cell alone, so drawing n items with replacement is drawing the cells' counts from a
multinomial distribution: the same bootstrap, at a cost that does not grow with the number of items. Resamples are drawn
within each category, the intervals are the 2.5 and 97.5 percentiles (Efron and Tibshirani 1993, chapter 13), and the
order of the items plays no part.

Every resample has the classes and categories of the data. One of which it happens to draw no item keeps the value that
it has in the data: left out, or counted as 0, it would pull every resample the same way, away from the value.

An item is *called normal* if the answer is `good`; no usable answer calls nothing normal. Of the items in a scope:

- `accuracy`: right answers, of all items, normal ones included;
- `accuracy_anomalous`: the same, of anomalous items alone;
- `accuracy_detected`: the same, of anomalous items that were not called normal;
- `missed`: called normal, of anomalous items; `false_alarms`: not called normal, of normal items;
- `jaccard`, `jaccard_anomalous`: mean size of what is both true and answered, by that of either (0 without an answer);
- `macro_f1`: mean F1 of the classes that occur, `good` included; 0 for one that is never answered;
- `kappa`: Cohen's kappa of truth and answers, no usable answer being an answer of its own;
- `floor`, `floor_anomalous`: accuracy of always answering the category's most common class. No interval.

The scopes are each category, `mean`, the mean over the categories (the headline of the VELM paper, arXiv 2505.02626),
and `pooled`, all items in one; classes of different categories stay different there.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acbench.evaluation.predictions import ParsedAnswer
from acbench.evaluation.truth import Truth
from acbench.records import GOOD
from acbench.schema.views import ClassSet

METRICS = (
    "accuracy",
    "accuracy_anomalous",
    "accuracy_detected",
    "macro_f1",
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
"""Outcomes without a usable answer: names no class; abstained; the system failed; there is no row."""

Floats = NDArray[np.float64]
Outcome = ClassSet | str
"""An answer, or one of UNUSABLE."""
Cells = Counter[tuple[ClassSet, Outcome]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One value with its interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Items that it is a share of."""


def outcome(said: ParsedAnswer | None) -> Outcome:
    """What became of an item."""
    if said is None:
        return "missing"
    return said.labels if said.parse == "ok" else said.parse


def cells(truth: Truth, answers: Mapping[str, ParsedAnswer]) -> dict[str, Cells]:
    """Category → how often each (truth, outcome) occurs."""
    each = Counter((one.category, one.wanted, outcome(answers.get(one.item_id))) for one in truth.targets)
    found: dict[str, Cells] = {category: Counter() for category in sorted({key for key, _, _ in each})}
    for (category, wanted, said), count in each.items():
        found[category][wanted, said] = count
    return found


def figures(counted: Mapping[str, Cells], *, resamples: int, seed: int) -> dict[str, dict[str, Figure]]:
    """Metric → scope → figure. The same counts and seed give the same figures."""
    tables = [_Table(each) for each in counted.values()]
    # One row of counts as they are, and below it one a resample: every metric is computed for all rows at once
    rows = [
        np.vstack([table.counts[None], _drawn(table.counts, resamples, (seed, zlib.crc32(name.encode())))])
        for name, table in zip(counted, tables, strict=True)
    ]
    parts = [table.sums(drawn) for table, drawn in zip(tables, rows, strict=True)]
    scopes = {name: part.metrics() for name, part in zip(counted, parts, strict=True)}
    means = {name: mean(np.stack([scope[name] for scope in scopes.values()])) for name in METRICS}
    scopes = {MEAN: means, POOLED: _pooled(parts).metrics(), **scopes}
    sizes = {name: part.sizes() for name, part in zip(counted, parts, strict=True)}
    whole = {name: sum(size[name] for size in sizes.values()) for name in METRICS}
    sizes = {MEAN: whole, POOLED: whole, **sizes}
    found: dict[str, dict[str, Figure]] = {name: {} for name in METRICS}
    for scope, values in scopes.items():
        table = np.stack([values[name] for name in METRICS])
        ends = _ends(table[:, 1:]) if resamples else np.full((2, len(METRICS)), np.nan)
        for row, name in enumerate(METRICS):
            low, high = (None, None) if name.startswith("floor") else map(defined, ends[:, row])
            found[name][scope] = Figure(defined(table[row, 0]), low, high, sizes[scope][name])
    return found


def by_class(counted: Cells, axis: Sequence[ClassSet]) -> dict[str, dict[str, float | int | None]]:
    """Class id → items, recall, precision and F1, in the order of an axis; classes that neither occur nor are said are
    left out."""
    names = dict.fromkeys(label for answer in axis for label in answer)
    found: dict[str, dict[str, float | int | None]] = {}
    for name in names:
        hits = sum(n for (wanted, said), n in counted.items() if name in wanted and _holds(said, name))
        occurs = sum(n for (wanted, _), n in counted.items() if name in wanted)
        answered = sum(n for (_, said), n in counted.items() if _holds(said, name))
        if occurs or answered:
            found[name] = {
                "items": occurs,
                "answered": answered,
                "right": hits,
                "recall": hits / occurs if occurs else None,
                "precision": hits / answered if answered else None,
                "f1": 2 * hits / (occurs + answered),
            }
    return found


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over the items of a scope, one row a resample."""

    named: dict[str, Floats]
    """What is counted → (R,)."""
    hits: Floats
    """(R, classes): true and answered."""
    both: Floats
    """(R, classes): times true plus times answered."""
    occurs: Floats
    """(R, classes): times true."""
    chance: Floats
    """(R,): sum over answers of times true times how often answered."""
    floor: Floats
    """(R,): times the most common answer is true."""
    floor_anomalous: Floats

    def metrics(self) -> dict[str, Floats]:
        """Metric → value of each row, nan where it is not defined."""
        at = self.named
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = np.where(self.occurs > 0, 2 * self.hits / self.both, np.nan)
            observed, chance = at["right"] / at["all"], self.chance / at["all"] ** 2
            return {
                "accuracy": observed,
                "accuracy_anomalous": at["right_anomalous"] / at["anomalous"],
                "accuracy_detected": at["right_anomalous"] / at["detected"],
                "macro_f1": mean(f1.T),
                "kappa": np.where(1 - chance > 1e-12, (observed - chance) / (1 - chance), np.nan),
                "jaccard": at["jaccard"] / at["all"],
                "jaccard_anomalous": at["jaccard_anomalous"] / at["anomalous"],
                "missed": at["missed"] / at["anomalous"],
                "false_alarms": at["false"] / at["normal"],
                "floor": self.floor / at["all"],
                "floor_anomalous": self.floor_anomalous / at["anomalous"],
            }

    def sizes(self) -> dict[str, int]:
        """Metric → items that it is a share of."""
        of = {"accuracy_detected": "detected", "false_alarms": "normal"}
        of |= dict.fromkeys(("accuracy_anomalous", "jaccard_anomalous", "missed", "floor_anomalous"), "anomalous")
        return {name: int(self.named[of.get(name, "all")][0]) for name in METRICS}


class _Table:
    """The cells of one category, and what each of them counts for."""

    def __init__(self, counted: Cells) -> None:
        # Not their order in the file, but their own
        ordered = sorted(counted.items(), key=lambda pair: repr(pair[0]))
        self.counts = np.array([count for _, count in ordered])
        pairs = [pair for pair, _ in ordered]
        normal = np.array([wanted == (GOOD,) for wanted, _ in pairs])
        called_normal = np.array([said == (GOOD,) for _, said in pairs])
        right = np.array([wanted == said for wanted, said in pairs])
        near = np.array([_jaccard(wanted, said) for wanted, said in pairs])
        self.features = {
            "all": np.ones(len(pairs)),
            "normal": normal,
            "anomalous": ~normal,
            "right": right,
            "right_anomalous": right & ~normal,
            "detected": ~normal & ~called_normal,
            "missed": ~normal & called_normal,
            "false": normal & ~called_normal,
            "jaccard": near,
            "jaccard_anomalous": near * ~normal,
        }
        classes = sorted({label for wanted, _ in pairs for label in wanted})
        self.true = np.array([[label in wanted for label in classes] for wanted, _ in pairs], dtype=float)
        self.said = np.array([[_holds(said, label) for label in classes] for _, said in pairs], dtype=float)
        kinds = sorted({wanted for wanted, _ in pairs})
        self.kinds = np.array([[wanted == kind for kind in kinds] for wanted, _ in pairs], dtype=float)
        self.answers = np.array([[said == kind for kind in kinds] for _, said in pairs], dtype=float)
        self.defects = np.array([kind != (GOOD,) for kind in kinds])

    def sums(self, counts: NDArray[np.int64]) -> _Sums:
        """Of rows of counts (R, cells)."""
        drawn = counts.astype(float)
        named = drawn @ np.stack(list(self.features.values()), axis=1).astype(float)
        occurs, kinds = drawn @ self.true, drawn @ self.kinds
        return _Sums(
            named=dict(zip(self.features, named.T, strict=True)),
            hits=drawn @ (self.true * self.said),
            both=occurs + drawn @ self.said,
            occurs=occurs,
            chance=(kinds * (drawn @ self.answers)).sum(axis=1),
            floor=kinds.max(axis=1),
            floor_anomalous=np.where(self.defects, kinds, 0).max(axis=1),
        )


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
    )


def _drawn(counts: NDArray[np.int64], resamples: int, seed: tuple[int, int]) -> NDArray[np.int64]:
    random = np.random.default_rng(seed)
    return random.multinomial(counts.sum(), counts / counts.sum(), size=resamples)


def mean(table: Floats) -> Floats:
    """(R,): the mean of (parts, R) over the parts that the data, the first column, define. Where a resample does not
    define one of them, its value in the data stands in; all is nan if there is none."""
    there = table[~np.isnan(table[:, 0])]
    if not len(there):
        return np.full(table.shape[1], np.nan)
    found: Floats = np.where(np.isnan(there), there[:, :1], there).mean(axis=0)
    return found


def _ends(table: Floats) -> Floats:
    """(2, metrics): the ends of the intervals of (metrics, R), of the resamples in which each is defined."""
    ends: Floats = np.quantile(table, (0.025, 0.975), axis=1)
    for row in np.flatnonzero(np.isnan(ends).any(axis=0)):
        defined = table[row][~np.isnan(table[row])]
        ends[:, row] = np.quantile(defined, (0.025, 0.975)) if len(defined) else np.nan
    return ends


def defined(value: float) -> float | None:
    """A figure for JSON, which has no NaN."""
    return None if np.isnan(value) else round(float(value), 12)


def _jaccard(wanted: ClassSet, said: Outcome) -> float:
    return 0.0 if isinstance(said, str) else len({*wanted} & {*said}) / len({*wanted} | {*said})


def _holds(said: Outcome, name: str) -> bool:
    return not isinstance(said, str) and name in said
