"""Counts what the figures of a category are made of, for the data and for any other counts of its cells at once.

An item matters only through its cell, (right answer, outcome). All that is counted is a sum over categories, too: what
is counted of several categories together is the sum of theirs.

Resamples are drawn as the benchmark is built: from the items of one category with the same right answer, of which there
are always as many. Of n such items n - 1 are drawn and count n / (n - 1) each, without which the spread would be too
small (Rao and Wu 1988).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from acbench.evaluation.answer_parsing import Outcome
from acbench.records import GOOD
from acbench.schema.views import ClassSet
from acbench.stats import LeftOut

Floats = NDArray[np.float64]
Cells = Counter[tuple[ClassSet, Outcome]]
"""(right answer, outcome) → items."""
Tally = dict[str, Floats]
"""What is counted → (R,): in each row of counts."""


class Strata:
    """How often each kind of item occurs, and which kinds lie in one stratum: every sample has as many of its items."""

    def __init__(self, counts: Floats, stratum: NDArray[np.int64]) -> None:
        self.counts, self.stratum = counts, stratum

    def resampled(self, resamples: int, seed: tuple[int, ...]) -> Floats:
        """Draw counts, (R, kinds). A stratum of one item keeps it."""
        random = np.random.default_rng(seed)
        drawn = np.empty((resamples, len(self.counts)))
        for stratum in np.unique(self.stratum):
            own = self.stratum == stratum
            size = self.counts[own].sum()
            times = max(int(size) - 1, 1)
            drawn[:, own] = random.multinomial(times, self.counts[own] / size, size=resamples) * (size / times)
        return drawn

    def left_out(self) -> tuple[Floats, LeftOut]:
        """The counts without an item of each kind in turn, (kinds, kinds), with its stratum scaled to its size."""
        sizes = np.bincount(self.stratum, self.counts).astype(float)[self.stratum]
        same = self.stratum[:, None] == self.stratum[None]
        more = np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 1.0)
        counts = np.where(same, self.counts[None] * more[:, None], self.counts[None])
        counts -= np.diag(np.where(sizes > 1, more, 0))
        return counts, LeftOut(times=self.counts, sizes=sizes)


class Table:
    """The cells of one category, and what each of them counts for."""

    def __init__(self, counted: Mapping[tuple[ClassSet, Outcome], float]) -> None:
        ordered = sorted(counted.items(), key=lambda cell: _order(*cell[0]))
        counts = np.array([count for _, count in ordered], dtype=float)
        pairs = [(wanted, outcome.labels) for (wanted, outcome), _ in ordered]
        normal = np.array([wanted == (GOOD,) for wanted, _ in pairs])
        called_normal = np.array([answered == (GOOD,) for _, answered in pairs])
        right = np.array([wanted == answered for wanted, answered in pairs])
        jaccard = np.array([_jaccard(wanted, answered) for wanted, answered in pairs])
        self._features = {
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
        self._true = np.array([[label in wanted for label in classes] for wanted, _ in pairs], dtype=float)
        self._answered = np.array([[label in answered for label in classes] for _, answered in pairs], dtype=float)
        never_true = {label for _, answered in pairs for label in answered} - set(classes)
        self._never_true = len(never_true) + any(not answered for _, answered in pairs)
        true_sets = sorted({wanted for wanted, _ in pairs})
        sets = [*true_sets, *sorted({answered for _, answered in pairs} - set(true_sets))]
        self.strata = Strata(counts, np.array([true_sets.index(wanted) for wanted, _ in pairs]))
        self._true_sets = np.array([[wanted == labels for labels in sets] for wanted, _ in pairs], dtype=float)
        self._answered_sets = np.array([[answered == labels for labels in sets] for _, answered in pairs], dtype=float)
        self._anomalous_sets = np.array([labels != (GOOD,) for labels in sets])
        self._right = right.astype(float)

    def tally(self, counts: Floats) -> Tally:
        """Count for each row of counts (R, cells). Every right answer of the data has to occur in every row."""
        named = counts @ np.stack(list(self._features.values()), axis=1).astype(float)
        occurs, true, answered = counts @ self._true, counts @ self._true_sets, counts @ self._answered_sets
        right_sets = counts @ (self._true_sets * self._right[:, None])
        is_true = self._true_sets.any(axis=0)
        rows = np.ones(len(counts))
        f1 = 2 * (counts @ (self._true * self._answered)) / (occurs + counts @ self._answered)
        return {
            **dict(zip(self._features, named.T, strict=True)),
            "f1": f1.sum(axis=1),
            "classes": rows * f1.shape[1],
            "never_true": rows * self._never_true,
            "recalls": (right_sets[:, is_true] / true[:, is_true]).sum(axis=1),
            "answers": rows * np.count_nonzero(is_true),
            "chance": (true * answered).sum(axis=1),
            "true_squared": (true**2).sum(axis=1),
            "answered_squared": (answered**2).sum(axis=1),
            "floor": true.max(axis=1),
            "floor_anomalous": np.where(self._anomalous_sets, true, 0).max(axis=1),
        }


def total(tallies: Iterable[Tally]) -> Tally:
    """Sum what is counted of several categories."""
    tallies = list(tallies)
    return {name: np.sum([tally[name] for tally in tallies], axis=0) for name in tallies[0]}


def _order(wanted: ClassSet, outcome: Outcome) -> str:
    """Sort cells by their content, not by the order of the rows. Changing this changes what is drawn, so intervals."""
    return repr((wanted, outcome.labels if outcome.usable else outcome.status))


def _jaccard(wanted: ClassSet, answered: ClassSet) -> float:
    return len({*wanted} & {*answered}) / len({*wanted} | {*answered})
