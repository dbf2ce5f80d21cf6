"""Times work against a reference, and prints the figures as a table. Measures nothing itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

TAKES = 7

Row = tuple[str, str, str, str]
"""What, its figure, the reference's figure, the ratio and the goal."""
HEAD: Row = ("", "acbench", "reference", "ratio (goal)")


def seconds(work: Callable[[], object]) -> float:
    """Seconds that some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def alternate(ours: Callable[[], object], reference: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of both, taken in turns so that a busy machine slows both; one take before is thrown away."""
    ours(), reference()
    takes = [(seconds(ours), seconds(reference)) for _ in range(TAKES)]
    return median(own for own, _ in takes), median(other for _, other in takes)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    )
