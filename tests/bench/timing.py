"""Times work against a reference, and prints the figures as a table. Measures nothing itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple

TAKES = 7
HEAD = ("", "acbench", "reference", "ratio", "goal")


class Figure(NamedTuple):
    """What acbench takes, beside what a reference takes in the same run."""

    name: str
    """Says what is measured, and against what; the same in every run, whatever the machine."""
    measured: float
    reference: float
    unit: str = "s"
    """Of both."""
    goal: float | None = None
    """What the ratio should be at most, or at least if more is better; None where there is no goal."""
    more_is_better: bool = False
    spread: float = 0.0
    """How far the ratio of a take was from that of the medians, as a share; 0 if there was one take."""

    @property
    def ratio(self) -> float:
        """What is measured over the reference."""
        return self.measured / self.reference

    def cells(self) -> tuple[str, ...]:
        """A line of a table with `HEAD`."""
        goal = "" if self.goal is None else f"{'≥' if self.more_is_better else '≤'} {shown(self.goal)}"
        numbers = (f"{shown(number)} {self.unit}".rstrip() for number in (self.measured, self.reference))
        return self.name, *numbers, shown(self.ratio), goal


def figure(
    name: str,
    takes: Sequence[tuple[float, float]],
    *,
    goal: float | None = None,
    unit: str = "s",
    amount: float = 0.0,
) -> Figure:
    """The medians of takes (ours, the reference's). `amount`: of what was done in each; then rates are compared."""
    ours, reference = median(own for own, _ in takes), median(other for _, other in takes)
    spread = max(abs(own / other / (ours / reference) - 1) for own, other in takes)
    if amount:
        return Figure(name, amount / ours, amount / reference, unit, goal, True, spread)
    return Figure(name, ours, reference, unit, goal, False, spread)


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that some work takes; of the processor with `time.process_time`, which other work hardly changes."""
    started = clock()
    work()
    return clock() - started


def alternate(
    ours: Callable[[], object],
    reference: Callable[[], object],
    *,
    takes: int = TAKES,
    clock: Callable[[], float] = time.perf_counter,
) -> list[tuple[float, float]]:
    """Seconds of both, taken in turns so that a busy machine slows both; one take before is thrown away."""
    ours(), reference()
    return [(seconds(ours, clock), seconds(reference, clock)) for _ in range(takes)]


def shown(number: float) -> str:
    """Three digits, or more of a large number."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def report(figures: Iterable[Figure]) -> None:
    """Print figures as a table."""
    print(table([HEAD, *(each.cells() for each in figures)]))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    )
