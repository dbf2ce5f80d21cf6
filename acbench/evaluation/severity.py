"""Scores "anomaly or defect?": some classes of anomaly may be harmless, and a system is to stop only the others.

As in the VELM paper (arXiv 2505.02626), some classes are declared negligible. An item is a *defect* if it shows another
class; normal items and negligible anomalies are to pass. An answer stops an item if it names a class that is not
negligible; an item without a usable answer is wrong either way. The negligible classes are named by hand, or they are
drawn: half of the classes of each category (the smaller half of an odd number) for each seed, so that no single choice
decides the figure.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acbench.errors import AcbenchError
from acbench.evaluation.metrics import Cells
from acbench.records import GOOD

Negligible = Mapping[str, frozenset[str]]
"""Category → class ids."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityFigures:
    """One statistic of the figures of several runs."""

    accuracy: float | None
    missed_defects: float | None
    false_stops: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Severity:
    """The figures for all choices of negligible classes."""

    chosen: str
    """How the classes were chosen, in words."""
    mean: SeverityFigures
    spread: SeverityFigures
    """Standard deviation over the draws; None for fewer than two."""
    runs: Sequence[SeverityRun]


def severity(counted: Mapping[str, Cells], declared: Sequence[str], draws: int) -> Severity:
    """Score with the classes declared as negligible (`category/class`) or, without any, with as many draws of them.

    Raises AcbenchError for a declared class that no item shows.
    """
    classes = {
        category: sorted({label for wanted, _ in cells for label in wanted} - {GOOD})
        for category, cells in counted.items()
    }
    if declared:
        choices = [_declared(declared, classes)]
        chosen = "declared"
    else:
        choices = [
            {category: _half(category, labels, seed) for category, labels in classes.items()} for seed in range(draws)
        ]
        chosen = f"half of each category's classes, seeds 0 to {draws - 1}"
    runs = [_run(counted, negligible) for negligible in choices]
    accuracy, missed, stops = (
        [run.accuracy for run in runs],
        [run.missed_defects for run in runs],
        [run.false_stops for run in runs],
    )
    return Severity(
        chosen=chosen,
        mean=SeverityFigures(accuracy=_mean(accuracy), missed_defects=_mean(missed), false_stops=_mean(stops)),
        spread=SeverityFigures(accuracy=_spread(accuracy), missed_defects=_spread(missed), false_stops=_spread(stops)),
        runs=runs,
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


def _half(category: str, labels: Sequence[str], seed: int) -> frozenset[str]:
    random = np.random.default_rng((seed, zlib.crc32(category.encode()), 2))
    return frozenset(random.permutation(np.array(labels, dtype=object))[: len(labels) // 2])


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
    )


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return round(float(np.mean(defined)), 12) if defined else None


def _spread(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return round(float(np.std(defined, ddof=1)), 12) if len(defined) > 1 else None
