"""`acbench status` and `acbench runs`: where things stand, without changing them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench._util.text import json_text
from acbench.cli.options import json_option, option, project_option

if TYPE_CHECKING:
    from acbench.workflows.status import BenchmarkStatus


@click.command(epilog="\b\nExample:\n  acbench status sample")
@click.argument("benchmark", required=False)
@json_option
@project_option
def status(benchmark: str | None, project: Path, as_json: bool) -> int:
    """Show where a benchmark stands, its files, and which run wrote each of them.

    Without BENCHMARK, show all benchmarks of the project.
    """
    from acbench.workflows.status import status as read_status

    by_name = read_status(project, benchmark)
    if as_json:
        facts = {name: dataclasses.asdict(one) for name, one in by_name.items()}
        click.echo(json_text(facts))
        return 0
    if not by_name:
        click.echo("nothing yet; acbench relabel sample")
    for name, one in by_name.items():
        _print_status(name, one)
    return 0


def _print_status(name: str, status: BenchmarkStatus) -> None:
    from acbench._util.console import table
    from acbench._util.text import plain
    from acbench.cli.screen import facts_table
    from acbench.review.wording import labels_counted

    if status.labels:
        click.echo(f"{name}: {labels_counted(status.labels)}; {status.waiting:,} wait for people")
        if status.plan:
            click.echo(facts_table([("plan", status.plan)]))
    else:
        click.echo(f"{name}: no labels yet")
    for note in status.notes:
        click.echo(f"! {plain(note)}")
    rows = [("file", "state", "run", "seconds")]
    rows += [(file.path, file.state, str(file.run_id), f"{file.seconds:.1f}") for file in status.artifacts]
    if status.pictures:
        rows.append((f"{status.evidence}/", f"{status.pictures:,} pictures", "", ""))
    click.echo(table(rows))


@click.command(epilog="\b\nExample:\n  acbench runs --limit 5")
@option("--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="List at most N runs.")
@json_option
@project_option
def runs(limit: int, project: Path, as_json: bool) -> int:
    """List the last commands in this project and their outcomes, newest first."""
    from acbench._util.console import table
    from acbench.workflows.status import recent_runs

    records = recent_runs(project, limit)
    if as_json:
        click.echo(json_text([dataclasses.asdict(record) for record in records]))
        return 0
    rows = [("run", "started", "outcome", "did", "command")]
    rows += [(str(record.run_id), record.started, record.outcome, record.summary, record.command) for record in records]
    click.echo(table(rows))
    return 0
