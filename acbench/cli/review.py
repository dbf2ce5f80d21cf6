"""`acbench review`: gives people the queue, in a file or in Label Studio, and takes in their decisions."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench._util.text import json_text
from acbench.cli.label_studio import pull, push, serve
from acbench.cli.options import benchmark_argument, json_option, opened, option, project_option
from acbench.cli.people import people

if TYPE_CHECKING:
    from acbench.evaluation.agreement import AgreementReport


@click.command(epilog="\b\nExample:\n  acbench review report sample")
@benchmark_argument
@json_option
@project_option
def report(benchmark: str, project: Path, as_json: bool) -> int:
    """Show how far people agree, what visible proposals do to them, and whether a proposer could replace one."""
    from acbench.workflows.compare import draw_agreement, measure_agreement

    with opened(project, benchmark) as run:
        measured = measure_agreement(run)
        picture = draw_agreement(run, measured)
    if as_json:
        click.echo(json_text(measured.to_json()))
        return 0
    click.echo(f"{_agreement_text(measured)}\n\npicture  {picture}")
    return 0


def _agreement_text(report: AgreementReport) -> str:
    from acbench._util.console import table
    from acbench.evaluation import agreement_tables as tables
    from acbench.stats import MIN_COMPARED, MIN_INTERVAL

    parts = [
        f"{report.images:,} images reviewed, {report.shared:,} by more than one person on their own",
        table(tables.reviewer_rows(report)),
        f"{table(tables.group_rows(report))}\n{tables.OF_FIRST_ANSWERS}",
    ]
    parts += [table(rows) for rows in (tables.class_rows(report), tables.pair_rows(report)) if rows]
    if report.proposers:
        parts.append(f"{table(tables.proposer_rows(report))}\n{tables.OF_PROPOSERS}")
    if too_few := sorted({proposer.alternative.too_few for proposer in report.proposers.values()} - {""}):
        parts.append(f"Alternative-annotator test: {'; '.join(too_few)}")
    parts.append(
        f"A coefficient takes {MIN_COMPARED} images, and its interval {MIN_INTERVAL} and answers that differ somewhere."
    )
    return "\n\n".join(parts)


@click.group()
def review() -> None:
    """Give people the queue, in a file or in Label Studio, and take in their decisions."""


for _command in (serve, people, push, pull, report):
    review.add_command(_command)


@review.command(epilog="\b\nExample:\n  acbench review queue sample")
@benchmark_argument
@json_option
@project_option
def queue(benchmark: str, project: Path, as_json: bool) -> int:
    """Write the queue as a CSV file, with an evidence picture for each row."""
    from acbench.storage.typed_json import to_json
    from acbench.workflows.label import label, prepare
    from acbench.workflows.queue import rank, write_queue

    with opened(project, benchmark) as run:
        queue = rank(run, label(run, prepare(run)))
        write_queue(run, queue, every_picture=True)
        waiting, path = queue.waiting, run.files.queue
    if as_json:
        click.echo(json.dumps([to_json(row) for row in waiting], indent=1))
    else:
        click.echo(f"{len(waiting):,} rows → {path}")
    return 0


@review.command(epilog="\b\nExample:\n  acbench review take sample .acbench/sample/queue.csv --reviewer ada")
@benchmark_argument
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option("--reviewer", metavar="NAME", help="Record this person as the reviewer of rows that name nobody.")
@json_option
@project_option
def take(benchmark: str, file: Path, project: Path, reviewer: str | None, as_json: bool) -> int:
    """Take in the decisions of a filled-in queue: all of them or, if a row is wrong, none."""
    from acbench.cli.screen import review_counts
    from acbench.workflows.label import prepare
    from acbench.workflows.relabel import relabel
    from acbench.workflows.reviews import take_reviews

    with opened(project, benchmark) as run:
        proposed = prepare(run)
        taken = take_reviews(run, proposed, file, reviewer)
        relabel(run, proposed)  # so that status and report tell of it
        path = run.files.reviews.place
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(taken)))
    else:
        click.echo(f"{review_counts(taken)} → {path}")
    return 0
