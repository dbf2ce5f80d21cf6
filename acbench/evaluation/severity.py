"""Anomaly or defect? Some classes of anomaly may be harmless; a system is to stop the others alone.

As in the VELM paper (arXiv 2505.02626) some classes are declared negligible. An item is a *defect* if it shows a class
that is not; normal items and negligible anomalies are to pass. An answer stops an item if it names such a class; no
usable answer is wrong either way. The classes are named by hand, or drawn: half of those of each category (the smaller
half of an odd number) for each seed, so that no choice decides the figure.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from acbench.errors import AcbenchError
from acbench.evaluation.metrics import Cells
from acbench.records import GOOD

Negligible = Mapping[str, frozenset[str]]
"""Category → class ids."""


def severity(counted: Mapping[str, Cells], declared: Sequence[str], seeds: int) -> dict[str, Any]:
    """Figures for the classes declared (`category/class`), or the mean over so many draws.

    Raises AcbenchError for a class that no item shows.
    """
    classes = {
        category: sorted({label for wanted, _ in cells for label in wanted} - {GOOD})
        for category, cells in counted.items()
    }
    if declared:
        found: dict[str, set[str]] = {}
        for name in declared:
            category, _, label = name.partition("/")
            if label not in classes.get(category, ()):
                there = [f"{key}/{one}" for key, ones in classes.items() for one in ones]
                raise AcbenchError(f"--negligible {name}: no scored item shows it", f"such as {', '.join(there[:5])}")
            found.setdefault(category, set()).add(label)
        draws: list[Negligible] = [{category: frozenset(labels) for category, labels in found.items()}]
    else:
        draws = [{key: _half(key, labels, seed) for key, labels in classes.items()} for seed in range(seeds)]
    runs = [_figures(counted, draw) for draw in draws]
    names = ("accuracy", "missed_defects", "false_stops")
    return {
        "chosen": "declared" if declared else f"half of each category's classes, seeds 0 to {seeds - 1}",
        "mean": {name: _mean([run[name] for run in runs]) for name in names},
        "spread": {name: _spread([run[name] for run in runs]) for name in names},
        "runs": [
            {"negligible": [f"{key}/{label}" for key, labels in draw.items() for label in sorted(labels)], **run}
            for draw, run in zip(draws, runs, strict=True)
        ],
    }


def _half(category: str, labels: Sequence[str], seed: int) -> frozenset[str]:
    random = np.random.default_rng((seed, zlib.crc32(category.encode()), 2))
    return frozenset(random.permutation(np.array(labels, dtype=object))[: len(labels) // 2])


def _figures(counted: Mapping[str, Cells], negligible: Negligible) -> dict[str, float | int | None]:
    right = missed = stopped = defects = harmless = 0
    for category, cells in counted.items():
        passing = {GOOD, *negligible.get(category, ())}
        for (wanted, said), count in cells.items():
            defect = not passing.issuperset(wanted)
            usable = not isinstance(said, str)
            stop = usable and not passing.issuperset(said)
            defects += count * defect
            harmless += count * (not defect)
            missed += count * (defect and not stop)
            stopped += count * (not defect and (stop or not usable))
            right += count * (usable and stop == defect)
    return {
        "items": defects + harmless,
        "defects": defects,
        "accuracy": right / (defects + harmless),
        "missed_defects": missed / defects if defects else None,
        "false_stops": stopped / harmless if harmless else None,
    }


def _mean(values: Sequence[float | int | None]) -> float | None:
    there = [value for value in values if value is not None]
    return round(float(np.mean(there)), 12) if there else None


def _spread(values: Sequence[float | int | None]) -> float | None:
    """Standard deviation over the draws; None of fewer than two."""
    there = [value for value in values if value is not None]
    return round(float(np.std(there, ddof=1)), 12) if len(there) > 1 else None
