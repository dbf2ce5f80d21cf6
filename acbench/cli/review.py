"""What people decide: through a queue in a file, or at a desk in Label Studio."""

from __future__ import annotations

import json
from pathlib import Path

import click

from acbench.cli.agreement import report
from acbench.cli.desk import pull, push, serve
from acbench.cli.options import benchmark_argument, json_option, option, project_option
from acbench.cli.wire import pipeline


@click.group()
def review() -> None:
    """What people decide: through a queue in a file, or at a desk in Label Studio."""


for _command in (serve, push, pull, report):
    review.add_command(_command)


@review.command(epilog="\b\nExample:\n  acbench review queue sample")
@benchmark_argument
@json_option
@project_option
def queue(benchmark: str, project: Path, as_json: bool) -> int:
    """Write the queue as CSV, with an evidence picture for each row."""
    from acbench.store import to_json

    with pipeline(project, benchmark) as line:
        waiting = line.queue()
        where = line.bench.queue
    if as_json:
        click.echo(json.dumps([to_json(each) for each in waiting], indent=1))
    else:
        click.echo(f"{len(waiting):,} rows → {where}")
    return 0


@review.command(epilog="\b\nExample:\n  acbench review take sample .acbench/sample/queue.csv --reviewer ada")
@benchmark_argument
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option("--reviewer", metavar="NAME", help="Who decided, where the file does not say.")
@json_option
@project_option
def take(benchmark: str, file: Path, project: Path, reviewer: str | None, as_json: bool) -> int:
    """Take in a filled-in queue: all of it or, if a line is wrong, nothing."""
    from acbench.cli.screen import review_counts

    with pipeline(project, benchmark) as line:
        taken = line.take_reviews(file, reviewer)
        line.resolve()
        where = line.bench.reviews
    if as_json:
        click.echo(json.dumps(taken))
    else:
        click.echo(f"{review_counts(taken)} → {where}")
    return 0
