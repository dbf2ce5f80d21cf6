"""`acbench review`: gives people the queue, in a file or in Label Studio, and takes in their decisions."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench.cli.label_studio import pull, push, serve
from acbench.cli.options import benchmark_argument, json_option, opened, option, project_option
from acbench.cli.people import people

if TYPE_CHECKING:
    from acbench.evaluation.agreement import AgreementReport
    from acbench.stats import AlternativeAnnotatorTest, Estimate


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
        click.echo(json.dumps(measured.to_json(), indent=1, ensure_ascii=False))
        return 0
    click.echo(f"{_agreement_text(measured)}\n\npicture  {picture}")
    return 0


def _agreement_text(report: AgreementReport) -> str:
    from acbench._util.console import table

    parts = [
        f"{report.images:,} images reviewed, {report.shared:,} by more than one person",
        table(_reviewer_rows(report)),
        table(_group_rows(report)),
    ]
    if classes := _class_rows(report):
        parts.append(table([("category", "class", "images", "alpha, there or not"), *classes]))
    if report.pairs:
        pairs = [
            (name, f"{pair.images:,}", _number(pair.same), _interval(pair.kappa)) for name, pair in report.pairs.items()
        ]
        parts.append(table([("two people", "images", "same", "Cohen's kappa"), *pairs]))
    if report.proposers:
        legend = "In sight: beside the picture, or to be unfolded there. Hidden: a blind task."
        parts.append(f"{table(_proposer_rows(report))}\n{legend}")
    if too_few := sorted({proposer.alternative.too_few for proposer in report.proposers.values()} - {""}):
        parts.append(f"Alternative-annotator test: {'; '.join(too_few)}")
    return "\n\n".join(parts)


def _reviewer_rows(report: AgreementReport) -> list[tuple[str, ...]]:
    head = ("reviewer", "decisions", "blind", "unsure", "median seconds")
    rows = [
        (name, f"{own.decisions:,}", f"{own.blind:,}", f"{own.unsure:,}", _number(own.seconds.median, 1))
        for name, own in report.reviewers.items()
    ]
    return [head, *rows]


def _group_rows(report: AgreementReport) -> list[tuple[str, ...]]:
    groups = [("all", report.agreement)]
    groups += [(name, category.overall) for name, category in report.by_category.items()]
    rows: list[tuple[str, ...]] = [("agreement", "shared", "unanimous", "alpha (MASI)", "Fleiss' kappa")]
    for name, group in groups:
        figures = map(_interval, (group.unanimous, group.alpha, group.fleiss))
        rows.append((name, f"{group.shared:,} of {group.images:,}", *figures))
    return rows


def _class_rows(report: AgreementReport) -> list[tuple[str, ...]]:
    return [
        (name, label, f"{figures.images:,}", _interval(figures.alpha))
        for name, category in report.by_category.items()
        for label, figures in category.by_class.items()
        if figures.alpha
    ]


def _proposer_rows(report: AgreementReport) -> list[tuple[str, ...]]:
    from acbench.records import short_name

    rows: list[tuple[str, ...]] = [
        ("proposer", "same, in sight", "same, hidden", "kappa, hidden", "in a person's place")
    ]
    for name, proposer in report.proposers.items():
        figures = map(_interval, (proposer.shown, proposer.blind, proposer.kappa))
        rows.append((short_name(name), *figures, _verdict(proposer.alternative)))
    return rows


def _verdict(test: AlternativeAnnotatorTest) -> str:
    if test.winning_rate is None:
        return "–"
    return f"{'yes' if test.passes else 'no'}, {test.winning_rate:.0%} of {test.people}"


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    ends = f" ({estimate.low:.2f} to {estimate.high:.2f})" if estimate.low is not None else ""
    return f"{estimate.value:.2f}{ends}"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


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
        write_queue(run, queue)
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
    from acbench.workflows.label import label, prepare
    from acbench.workflows.reviews import take_reviews

    with opened(project, benchmark) as run:
        proposed = prepare(run)
        taken = take_reviews(run, proposed, file, reviewer)
        label(run, proposed)
        path = run.files.reviews
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(taken)))
    else:
        click.echo(f"{review_counts(taken)} → {path}")
    return 0
