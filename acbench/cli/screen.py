"""What a person sees: progress on stderr, results on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from acbench.proposers import Progress

NARROW = 110
"""Characters a line."""


class Screen:
    """Progress bars where a person watches, one line a stage elsewhere."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        """Show one stage's progress while it lasts."""
        if sys.stderr.isatty():
            from tqdm import tqdm

            with tqdm(desc=title, total=None, leave=False, file=sys.stderr, mininterval=0.2) as bar:

                def advance(done: int, total: int) -> None:
                    bar.total = total
                    bar.update(done - bar.n)

                yield advance
            return
        started = time.monotonic()
        last = [0]

        def count(done: int, total: int) -> None:
            last[0] = total

        yield count
        seconds = time.monotonic() - started
        if seconds > 1:
            click.echo(f"{title}: {last[0]:,} in {seconds:.1f} s", err=True)

    def note(self, text: str) -> None:
        """Tell something that is not an error."""
        click.echo(f"Note: {text}", err=True)


def table(rows: Sequence[Sequence[object]], *, indent: int = 2, clip: int = NARROW) -> str:
    """Rows as aligned columns."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max((len(row[column]) for row in texts), default=0) for column in range(max(map(len, texts), default=0))]
    lines = (" " * indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in texts)
    return "\n".join(line if len(line) <= clip else line[: clip - 1] + "…" for line in lines)


def report(facts: dict[str, Any], *, queue: str, labels: str, next_step: str) -> str:
    """The screen after a relabel."""
    images, waiting, counts, audit = facts["images"], facts["queue"], facts["labels"], facts["audit"]
    why = ", ".join(f"{waiting[name]} {name}" for name in ("disputed", "suspect", "unnamed", "uncertain", "audit") if waiting[name])
    rows = [
        ("images", facts["dataset"]),
        *(("", f"! {finding['path']}: {finding['detail']}") for finding in facts["findings"][:3]),
        *([("", f"! and {len(facts['findings']) - 3} more: acbench ingest {facts['benchmark']}")] if len(facts["findings"]) > 3 else []),
        *(
            ("witnesses" if number == 0 else "", f"{name.partition('@')[0]} {_tally(tally)}")
            for number, (name, tally) in enumerate(facts["witnesses"].items())
        ),
        ("queue", f"{waiting['waiting']:,} of {images['all']:,} images want eyes" + (f": {why}" if why else "")),
        ("labels", f"{counts['accepted']:,} accepted, {counts['pending']:,} pending, {counts['excluded']:,} excluded;"
                   f" {facts['decided_by_people']:,} decided by people"),
        ("unseen", _unseen(audit)),
    ]  # fmt: skip
    parts = [f"{facts['title']} (schema {facts['schema']['version']}, {facts['schema']['digest']})", table(rows)]
    if facts["top"]:
        top = [(f"{each['rank']}", each["why"], each["image"], " · ".join(each["proposals"])) for each in facts["top"]]
        parts += ["", "The first to look at", table(top)]
    parts += ["", table([("queue", queue), ("labels", labels)]), "", f"Next: {next_step}"]
    return "\n".join(parts)


def _tally(tally: dict[str, int]) -> str:
    extra = [f"{tally[name]:,} {word}" for name, word in (("abstained", "abstained"), ("error", "failed")) if tally[name]]
    return f"answered {tally['ok']:,}" + (f" ({', '.join(extra)})" if extra else "")


def _unseen(audit: dict[str, Any]) -> str:
    if audit["error"] is None:
        return f"error of the labels nobody looks at: unknown until some of the {audit['asked']:,} audited ones are reviewed"
    error = audit["error"]
    return (
        f"error of the labels nobody looks at: {error['value']:.1%}"
        f" (95 % interval {error['low']:.1%} to {error['high']:.1%}, from {audit['answered']:,} of {audit['asked']:,} audited)"
    )
