"""Shows people what goes on: progress and notes on stderr, results on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from acbench._util.console import Progress, has_screen, table
from acbench._util.text import plain

if TYPE_CHECKING:
    from acbench.data.findings import FindingClass
    from acbench.review.csv_queue import TakeCounts

SLOW = 1.0
"""A stage that takes more seconds than this leaves a line in a log."""


class Screen:
    """Shows progress bars on a terminal, and one line for each slow stage in a log."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        """Show the progress of one stage while it lasts."""
        with _bar(title) if sys.stderr.isatty() else _line(title) as progress:
            yield progress

    def note(self, text: str) -> None:
        """Tell something that is not an error."""
        # Not by click, which would write past a bar, into the middle of its line.
        print(f"Note: {plain(text)}", file=sys.stderr, flush=True)


def finding_line(findings: FindingClass) -> str:
    """All findings of one kind as a line: how many, the first, and a second place. They quote untrusted text."""
    first, *others = findings.examples
    mark = "✗" if findings.failed else "!"
    where = "" if first.path == "." else f"{first.path}: "
    if findings.count == 1:
        return f"{mark} {where}{first.detail}"
    more = f" and {findings.count - 2:,} more" if findings.count > 2 else ""
    what = findings.kind.replace("_", " ")
    return f"{mark} {findings.count:,} × {what}: {where}{first.detail}; also {others[0].path}{more}"


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    """A bar that goes away at the end, whatever the end is. Notes appear above it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # stdout is left alone: it may be a pipe, and nothing is printed there during a stage.
    with Bars(*columns, console=console, transient=True, redirect_stdout=False) as bars:
        console.show_cursor(True)  # a process that is killed cannot bring a hidden cursor back
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def _line(title: str) -> Iterator[Progress]:
    started = time.monotonic()
    count = 0

    def progress(done: int, total: int) -> None:
        nonlocal count
        count = total

    yield progress
    seconds = time.monotonic() - started
    if seconds > SLOW:
        click.echo(f"{title}: {count:,} in {seconds:.1f} s", err=True)


def facts_table(rows: Sequence[tuple[str, str]]) -> str:
    """Names and sentences in two columns. A long sentence is wrapped on a screen; elsewhere it is one line."""
    if has_screen():
        return table(rows)
    left = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"  {name:{left}}{plain(sentence)}".rstrip() for name, sentence in rows)


def review_counts(counts: TakeCounts) -> str:
    """What came of a file of decisions, in words."""
    return (
        f"{counts.new:,} new, {counts.changed:,} changed, {counts.same:,} known already,"
        f" {counts.empty:,} rows without an answer"
    )
