"""What a person sees: progress on stderr, results on stdout."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench._util.console import Progress, table, width
from acbench.errors import AcbenchError
from acbench.storage.atomic import write_bytes

if TYPE_CHECKING:
    from acbench.predictors.base import DryRun
    from acbench.storage.project import BenchmarkFiles


def show(bench: BenchmarkFiles, found: Mapping[str, DryRun], as_json: bool) -> int:
    """Print the bills of whoever would ask, by name, and write the pictures of an example question of each."""
    if not found:
        raise AcbenchError("nobody who is asked here costs anything", "--with llm --llm MODEL")
    facts: dict[str, Any] = {}
    for name, dry in found.items():
        folder = bench.workspace / "dry-run" / name
        if dry.example:
            for title, data in dry.example.pictures:
                write_bytes(folder / title, data)
            write_bytes(folder / "question.txt", dry.example.text.encode())
        facts[name] = {
            **dataclasses.asdict(dry.estimate),
            "unasked": [{"item_id": item, "why": why} for item, why in dry.without_question],
            "example": str(folder) if dry.example else None,
        }
        if not as_json:
            _tell(name, dry, folder)
    if as_json:
        click.echo(json.dumps(facts, indent=1, ensure_ascii=False))
    return 0


def _tell(name: str, dry: DryRun, folder: Path) -> None:
    if dry.example:
        click.echo(f"One question of {name}; its pictures lie in {folder}\n")
        click.echo(dry.example.text)
    click.echo(f"{name}: {dry.estimate}")
    for item, why in dry.without_question:
        click.echo(f"! {item} cannot be asked about: {why}")
    click.echo("Nothing was asked.")


SHOWN = 3
"""So many findings are shown on the screen after a relabel."""


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


def facts_table(rows: Sequence[tuple[str, str]]) -> str:
    """Names and sentences; long sentences go on below themselves."""
    left = max(len(name) for name, _ in rows) + 4
    lines = []
    for name, sentence in rows:
        wrapped = textwrap.wrap(sentence, width() - left, break_on_hyphens=False) or [""]
        lines += [
            f"  {head}".ljust(left) + part for head, part in zip([name, *[""] * len(wrapped)], wrapped, strict=False)
        ]
    return "\n".join(lines)


def label_counts(counts: dict[str, int]) -> str:
    """Labels by status, in words."""
    return f"{counts['accepted']:,} accepted, {counts['pending']:,} pending, {counts['excluded']:,} excluded"


def review_counts(counts: dict[str, int]) -> str:
    """What came of a file of decisions, in words."""
    return ", ".join(f"{counts[name]:,} {words}" for name, words in REVIEW_WORDS.items())


REVIEW_WORDS = {"new": "new", "changed": "changed", "same": "known already", "empty": "rows without an answer"}


def report(facts: dict[str, Any], benchmark: str, *, queue: str, labels: str, next_step: str) -> str:
    """The screen after a relabel."""
    images, waiting, counts = facts["images"], facts["queue"], facts["labels"]
    why = ", ".join(
        f"{waiting[name]} {name}"
        for name in ("flagged", "disputed", "suspect", "unnamed", "uncertain", "audit")
        if waiting.get(name)
    )
    findings = [f"! {finding['path']}: {finding['detail']}" for finding in facts["findings"]]
    if len(findings) > SHOWN:
        findings[SHOWN:] = [f"! and {len(findings) - SHOWN} more: acbench ingest {shlex.quote(benchmark)}"]
    witnesses = [f"{name.partition('@')[0]} {_tally(tally)}" for name, tally in facts["witnesses"].items()]
    queued = f"{waiting['waiting']:,} of {images['all']:,} images want eyes"
    rows = [
        ("images", facts["dataset"]),
        *(("", finding) for finding in findings),
        ("witnesses", "; ".join(witnesses)),
        ("queue", queued + (f": {why}" if why else "")),
        ("labels", f"{label_counts(counts)}; {facts['decided_by_people']:,} decided by people"),
        ("unseen", f"error of the labels nobody looks at: {_unseen(facts['audit'])}"),
    ]
    parts = [
        f"{facts['title']} (schema {facts['schema']['version']}, {facts['schema']['digest']})",
        facts_table(rows),
    ]
    if facts["top"]:
        top = [(f"{each['rank']}", each["why"], each["image"], " · ".join(each["proposals"])) for each in facts["top"]]
        parts += ["", "The first to look at", table(top)]
    parts += ["", facts_table([("queue", queue), ("labels", labels)]), "", f"Next: {next_step}"]
    return "\n".join(parts)


def _tally(tally: dict[str, int]) -> str:
    extra = [
        f"{tally[name]:,} {word}" for name, word in (("abstained", "abstained"), ("error", "failed")) if tally[name]
    ]
    return f"answered {tally['ok']:,}" + (f" ({', '.join(extra)})" if extra else "")


def _unseen(audit: dict[str, Any]) -> str:
    if audit["error"] is None:
        return f"unknown until some of the {audit['asked']:,} audited ones are reviewed"
    error = audit["error"]
    interval = f"95 % interval {error['low']:.1%} to {error['high']:.1%}"
    return f"{error['value']:.1%} ({interval}, from {audit['answered']:,} of {audit['asked']:,} audited)"
