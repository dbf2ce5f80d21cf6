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

OF_FIRST_ANSWERS = "First answers: before anybody was asked again, or was asked to settle what others dispute."
OF_PROPOSERS = (
    "Proposals to unfold lie folded beside the picture; whether somebody unfolded them is not recorded.\n"
    "Kappa and the last column are of people who had not had the proposer's answer in reach."
)


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
    from acbench.stats import MIN_COMPARED, MIN_INTERVAL

    parts = [
        f"{report.images:,} images reviewed, {report.shared:,} by more than one person on their own",
        table(_reviewer_rows(report)),
        f"{table(_group_rows(report))}\n{OF_FIRST_ANSWERS}",
    ]
    if classes := _class_rows(report):
        parts.append(table([("category", "class", "images", "alpha, there or not"), *classes]))
    if report.pairs:
        pairs = [
            (name, f"{pair.images:,}", _interval(pair.same), _interval(pair.kappa, pair.missing))
            for name, pair in report.pairs.items()
        ]
        parts.append(table([("two people", "images", "same", "Cohen's kappa"), *pairs]))
    if report.proposers:
        parts.append(f"{table(_proposer_rows(report))}\n{OF_PROPOSERS}")
    if too_few := sorted({proposer.alternative.too_few for proposer in report.proposers.values()} - {""}):
        parts.append(f"Alternative-annotator test: {'; '.join(too_few)}")
    parts.append(
        f"A coefficient takes {MIN_COMPARED} images, and its interval {MIN_INTERVAL} and answers that differ somewhere."
    )
    return "\n\n".join(parts)


def _reviewer_rows(report: AgreementReport) -> list[tuple[str, ...]]:
    from acbench.review.sight import WORDS

    states = [sight for sight in WORDS if any(sight in own.by_sight for own in report.reviewers.values())]
    head = ("reviewer", "decisions", *(WORDS[sight] for sight in states), "unsure", "median seconds")
    rows = [
        (
            name,
            f"{own.decisions:,}",
            *(f"{own.by_sight.get(sight, 0):,}" for sight in states),
            f"{own.unsure:,}",
            f"{_number(own.seconds.median, 1)} of {own.seconds.n:,}" if own.seconds.n else "–",
        )
        for name, own in report.reviewers.items()
    ]
    return [head, *rows]


def _group_rows(report: AgreementReport) -> list[tuple[str, ...]]:
    groups = [("all", report.agreement)]
    groups += [(name, category.overall) for name, category in report.by_category.items()]
    if report.adjudicated != report.agreement:
        groups.append(("all, as settled since", report.adjudicated))
    rows: list[tuple[str, ...]] = [("agreement", "shared", "unanimous", "alpha (MASI)", "Fleiss' kappa")]
    for name, group in groups:
        alpha = _interval(group.alpha, group.missing)
        figures = (_interval(group.unanimous), alpha, _interval(group.fleiss))
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
    from acbench.review.sight import WORDS

    rows: list[tuple[str, ...]] = [("proposer", "to people", "n", "same", "kappa, not in reach", "in a person's place")]
    for name, proposer in report.proposers.items():
        figures = _interval(proposer.kappa, proposer.missing), _verdict(proposer.alternative)
        for sight, share in proposer.same.items():
            rows.append((short_name(name), WORDS[sight], f"{share.n:,}", _ends(share), *figures))
            figures = "", ""  # they are of the proposer, once
    return rows


def _verdict(test: AlternativeAnnotatorTest) -> str:
    if test.winning_rate is None:
        return "–"
    return f"{'yes' if test.passes else 'no'}, {test.winning_rate:.0%} of {test.people}"


def _interval(estimate: Estimate | None, missing: str = "") -> str:
    """A figure with its interval and n; without one, a dash and why: `missing`."""
    if estimate is None:
        return f"– ({missing})" if missing else "–"
    return f"{_ends(estimate)}, n = {estimate.n:,}"


def _ends(estimate: Estimate) -> str:
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
    from acbench.workflows.label import prepare
    from acbench.workflows.relabel import relabel
    from acbench.workflows.reviews import take_reviews

    with opened(project, benchmark) as run:
        proposed = prepare(run)
        taken = take_reviews(run, proposed, file, reviewer)
        relabel(run, proposed)  # so that status and report tell of it
        path = run.files.reviews
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(taken)))
    else:
        click.echo(f"{review_counts(taken)} → {path}")
    return 0
