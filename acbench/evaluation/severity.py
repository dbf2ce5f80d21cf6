"""Scores "anomaly or defect?": some classes of anomaly may be harmless, and a system is to stop only the others.

Some classes are declared negligible; the others are *defects*. The schema says which (`negligible: yes` on a class), or
they are named by hand, or drawn for each seed as in the VELM paper (arXiv 2505.02626), so that no single choice decides
the figure: one class of each category, two of a category with more than four. Two questions are asked of each choice:

- **Which of the three?** The paper's figures (table 4). Images and answers are each normal, negligible or a defect; the
  share of normal images that are called normal, of negligible ones that are called negligible, and of defects that are
  called defects, each the mean over the categories, and the mean of the three. An answer that names no class counts as
  a defect, as in the paper's released code. `three_way` holds them.
- **Stop or pass?** Ours. Normal items and negligible anomalies are to pass. An answer stops an item if it names a class
  that is not negligible; an item without a usable answer is wrong either way. `accuracy`, `missed_defects` and
  `false_stops` are shares of all items.

The paper's own draws come from one generator for all categories and the order of its files; ours are drawn for each
category alone, so that a figure does not depend on which others are scored.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acbench.errors import AcbenchError
from acbench.evaluation.tallies import Cells
from acbench.records import GOOD
from acbench.schema.views import ClassSet

Negligible = Mapping[str, frozenset[str]]
"""Category → class ids."""
FEW_CLASSES = 4
"""A category with more classes has two drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeWay:
    """How often each of the three kinds is told from the other two; None where no image is of that kind."""

    normal: float | None
    negligible: float | None
    defect: float | None
    mean: float | None
    """The mean of those that are defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityRun:
    """The figures for one choice of negligible classes."""

    negligible: Sequence[str]
    """`category/class`."""
    items: int
    defects: int
    accuracy: float
    missed_defects: float | None
    """Share of defects that were not stopped; None without defects."""
    false_stops: float | None
    """Share of harmless items that were stopped; None without harmless items."""
    three_way: ThreeWay
    """Means over the categories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityFigures:
    """One statistic of the figures of several runs."""

    accuracy: float | None
    missed_defects: float | None
    false_stops: float | None
    three_way: ThreeWay


@dataclass(frozen=True, slots=True, kw_only=True)
class Severity:
    """The figures for all choices of negligible classes."""

    chosen: str
    """How the classes were chosen, in words."""
    mean: SeverityFigures
    spread: SeverityFigures
    """Standard deviation over the draws; None for fewer than two."""
    runs: Sequence[SeverityRun]


def severity(
    counted: Mapping[str, Cells], declared: Sequence[str], draws: int, by_schema: Negligible | None = None
) -> Severity | None:
    """Score with the classes declared as negligible (`category/class`); without any, with as many draws of them.

    Without draws, with those that the schema says are; None if no scored item shows one of these.

    Raises AcbenchError for a declared class that no item shows.
    """
    classes = {
        category: sorted({label for wanted, _ in cells for label in wanted} - {GOOD})
        for category, cells in counted.items()
    }
    if declared:
        choices, chosen = [_declared(declared, classes)], "declared"
    elif draws:
        choices = [
            {category: _drawn(category, labels, seed) for category, labels in classes.items()} for seed in range(draws)
        ]
        chosen = f"one of up to four classes, two of more; seeds 0 to {draws - 1}"
    else:
        shown = {category: (by_schema or {}).get(category, frozenset()) & {*own} for category, own in classes.items()}
        choices, chosen = [{category: own for category, own in shown.items() if own}], "as the schema says"
        if not choices[0]:
            return None
    runs = [_run(counted, negligible) for negligible in choices]
    return Severity(chosen=chosen, mean=_summary(runs, _mean), spread=_summary(runs, _spread), runs=runs)


def _summary(runs: Sequence[SeverityRun], of: Callable[[Sequence[float | None]], float | None]) -> SeverityFigures:
    three_way = [run.three_way for run in runs]
    return SeverityFigures(
        accuracy=of([run.accuracy for run in runs]),
        missed_defects=of([run.missed_defects for run in runs]),
        false_stops=of([run.false_stops for run in runs]),
        three_way=ThreeWay(
            normal=of([each.normal for each in three_way]),
            negligible=of([each.negligible for each in three_way]),
            defect=of([each.defect for each in three_way]),
            mean=of([each.mean for each in three_way]),
        ),
    )


def _declared(names: Sequence[str], classes: Mapping[str, Sequence[str]]) -> Negligible:
    negligible: dict[str, set[str]] = {}
    for name in names:
        category, _, label = name.partition("/")
        if label not in classes.get(category, ()):
            examples = [f"{key}/{label}" for key, labels in classes.items() for label in labels]
            raise AcbenchError(f"--negligible {name}: no scored item shows it", f"such as {', '.join(examples[:5])}")
        negligible.setdefault(category, set()).add(label)
    return {category: frozenset(labels) for category, labels in negligible.items()}


def _drawn(category: str, labels: Sequence[str], seed: int) -> frozenset[str]:
    """Draw the negligible classes of a category: about 30 % of them."""
    random = np.random.default_rng((seed, zlib.crc32(category.encode()), 2))
    return frozenset(random.permutation(np.array(labels, dtype=object))[: 1 if len(labels) <= FEW_CLASSES else 2])


def _run(counted: Mapping[str, Cells], negligible: Negligible) -> SeverityRun:
    right = missed = stopped = defects = harmless = 0
    for category, cells in counted.items():
        passing = {GOOD, *negligible.get(category, ())}
        for (wanted, outcome), count in cells.items():
            defect = not passing.issuperset(wanted)
            stop = outcome.usable and not passing.issuperset(outcome.labels)
            defects += count * defect
            harmless += count * (not defect)
            missed += count * (defect and not stop)
            stopped += count * (not defect and (stop or not outcome.usable))
            right += count * (outcome.usable and stop == defect)
    return SeverityRun(
        negligible=[f"{category}/{label}" for category, labels in negligible.items() for label in sorted(labels)],
        items=defects + harmless,
        defects=defects,
        accuracy=right / (defects + harmless),
        missed_defects=missed / defects if defects else None,
        false_stops=stopped / harmless if harmless else None,
        three_way=_three_way(counted, negligible),
    )


def _three_way(counted: Mapping[str, Cells], negligible: Negligible) -> ThreeWay:
    shares: dict[str, list[float]] = {"normal": [], "negligible": [], "defect": []}
    for category, cells in counted.items():
        harmless = negligible.get(category, frozenset())
        items, right = Counter[str](), Counter[str]()
        for (wanted, outcome), count in cells.items():
            kind = _kind(wanted, harmless)
            items[kind] += count
            right[kind] += count * (kind == _kind(outcome.labels, harmless))
        for kind, count in items.items():
            shares[kind].append(right[kind] / count)
    means = {kind: _mean(values) for kind, values in shares.items()}
    return ThreeWay(**means, mean=_mean(list(means.values())))


def _kind(labels: ClassSet, negligible: frozenset[str]) -> str:
    """Normal, negligible or a defect; no usable answer is a defect, as in the paper's code."""
    if labels == (GOOD,):
        return "normal"
    return "negligible" if labels and negligible.issuperset(labels) else "defect"


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return round(float(np.mean(defined)), 12) if defined else None


def _spread(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return round(float(np.std(defined, ddof=1)), 12) if len(defined) > 1 else None
