"""`acbench relabel`: the main job."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench._util.text import json_text
from acbench.cli.model_options import dry_run_option, proposer_options
from acbench.cli.options import (
    Command,
    benchmark_argument,
    dataset_options,
    engine_options,
    json_option,
    named,
    opened,
    option,
    out_option,
    project_option,
    with_run_options,
)
from acbench.cli.plan import plan_facts
from acbench.cli.screen import facts_table, finding_line, review_counts
from acbench.errors import AcbenchError
from acbench.records import short_name
from acbench.review.audit import AuditSize

if TYPE_CHECKING:
    from acbench.data.findings import FindingClass
    from acbench.storage.project import BenchmarkFiles
    from acbench.workflows.answer_counts import AnswerCounts
    from acbench.workflows.plan_report import PlanReport
    from acbench.workflows.relabel import Relabelled
    from acbench.workflows.run import Options
    from acbench.workflows.summary import RelabelReport

SHOWN = 3
"""How many kinds of findings are printed."""

EPILOG = """\b
Examples:
  acbench relabel sample
  acbench relabel mvtec_ac --root ~/data/mvtec_ad
  acbench relabel mvtec_ac --reviews .acbench/mvtec_ac/queue.csv --reviewer ada
"""


class AuditOption(click.ParamType[float | str]):
    """How many labels are audited."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """As the settings keep it."""
        try:
            return AuditSize.parse(value).setting
        except AcbenchError as error:
            self.fail(f"{error.message}: {error.hint}", param, ctx)


@click.command(cls=Command, epilog=EPILOG)
@benchmark_argument
@dataset_options
@proposer_options
@dry_run_option
@option(
    "--audit",
    section="Queue",
    type=AuditOption(),
    metavar="SIZE",
    help="Add so many of the labels that would be accepted without a look to the queue, drawn at random, to learn how"
    " many of them are wrong: a share (5%), a count (300), or the share of wrong ones to rule out (error=1%)."
    "  [default: 5%, and at most as many as rule out 1%]",
)
@option("--seed", section="Queue", type=int, metavar="N", help="Draw the audit sample with this seed.  [default: 0]")
@option(
    "--reviews",
    section="Queue",
    type=click.Path(dir_okay=False, path_type=Path),
    help="First take in the decisions of a filled-in queue.csv.",
)
@option(
    "--reviewer",
    section="Queue",
    metavar="NAME",
    help="Record this person as the reviewer of rows that name nobody.",
)
@option(
    "--review",
    section="Queue",
    type=click.Choice(["label-studio"]),
    help="First take in decisions from Label Studio; at the end, put the queue there.",
)
@engine_options
@out_option
@json_option
@project_option
@with_run_options
def relabel(
    benchmark: str,
    project: Path,
    options: Options,
    reviews: Path | None,
    reviewer: str | None,
    review: str | None,
    dry_run: bool,
    out: str | None,
    as_json: bool,
) -> int:
    """Read the dataset, ask the proposers, rank what people should see, and write labels with reasons.

    BENCHMARK is sample, mvtec_ac, visa_ac, or the path of your own label schema.

    It works like make: it does only what is not done yet, and you can stop it and run it again at any moment.
    """
    from acbench.cli.dry_run import print_dry_runs
    from acbench.workflows.ingest import ingest
    from acbench.workflows.propose import dry_run as dry_run_proposers
    from acbench.workflows.relabel import RelabelTask, run_relabel

    task = RelabelTask(reviews=reviews, reviewer=reviewer, label_studio=review is not None, out=out)
    with opened(project, benchmark, options) as run:
        if dry_run:
            return print_dry_runs(dry_run_proposers(run, ingest(run)), as_json=as_json)
        done = run_relabel(run, task)
    if as_json:
        click.echo(json_text(_to_json(done)))
    else:
        _print(done, benchmark, run.files)
        if not run.build.written and not done.label_studio:
            click.echo("Nothing had changed, so nothing was done.", err=True)
    return 3 if done.report.has_failures else 0


def _to_json(done: Relabelled) -> dict[str, Any]:
    from acbench.cli.label_studio import cycle_facts

    return {
        **done.report.to_json(),
        "reviews": dataclasses.asdict(done.reviews) if done.reviews else None,
        "desk": cycle_facts(done.label_studio) if done.label_studio else None,
    }


def _print(done: Relabelled, benchmark: str, files: BenchmarkFiles) -> None:
    from acbench._util.console import table
    from acbench.cli.label_studio import cycle_words
    from acbench.review.wording import ASKED_BECAUSE

    report = done.report
    queue, labels = map(_relative, (files.queue, files.labels.place))
    if done.reviews is not None:
        click.echo(f"Reviews: {review_counts(done.reviews)}\n")
    click.echo(f"{report.title} (schema {report.schema.version}, {report.schema.digest})")
    click.echo(facts_table(_facts(report, benchmark)))
    if report.top:
        rows = [
            (str(entry.rank), entry.image, ASKED_BECAUSE.get(entry.why, entry.why), " · ".join(entry.proposals))
            for entry in report.top
        ]
        click.echo(f"\nThe first to look at\n{table(rows)}")
    click.echo("\n" + facts_table([("queue", queue), ("labels", labels)]))
    if done.label_studio:
        click.echo(f"\nNext: {cycle_words(done.label_studio, named(benchmark))}")
    else:
        click.echo(f"\nNext: {_next_step(report, benchmark, queue)}")


def _facts(report: RelabelReport, benchmark: str) -> list[tuple[str, str]]:
    """What a report says, as names and sentences."""
    from acbench.review.wording import answers_counted, labels_counted, one_voice, reasons_counted
    from acbench.workflows.answer_counts import one_family
    from acbench.workflows.summary import WRONG_UNSEEN

    answers = [
        f"{_who(name, counts)} {answers_counted(dataclasses.asdict(counts))}"
        for name, counts in report.witnesses.items()
    ]
    queue = f"{report.queue.waiting:,} of {report.images.all:,} images wait for people"
    reasons = reasons_counted(report.queue.by_why)
    by_people = f"{report.decided_by_people:,} decided by people"
    return [
        ("images", report.dataset),
        *(("", finding) for finding in _findings(report.finding_classes, benchmark)),
        ("proposers", "; ".join(answers)),
        *(("", one_voice(names, family)) for family, names in one_family(report.witnesses).items()),
        ("queue", f"{queue}: {reasons}" if reasons else queue),
        ("labels", f"{labels_counted(dataclasses.asdict(report.labels))}; {by_people}"),
        ("audit", f"{WRONG_UNSEEN}: {report.audit.in_words()}"),
        *(plan_facts(report.plan, benchmark) if report.plan else []),
        *([("", f"probably wrong: {_curve(report.plan)}")] if report.plan else []),
    ]


def _findings(classes: Sequence[FindingClass], benchmark: str) -> list[str]:
    """The weightiest kinds of findings, and where to see the others."""
    lines = [finding_line(each) for each in classes[:SHOWN]]
    if len(classes) > SHOWN:
        lines.append(f"! and {len(classes) - SHOWN} more kinds: acbench ingest {named(benchmark)}")
    return lines


def _who(name: str, counts: AnswerCounts) -> str:
    """A proposer, with the models that answered."""
    return f"{short_name(name)} ({', '.join(counts.models)})" if counts.models else short_name(name)


def _curve(plan: PlanReport) -> str:
    """A few points of the curve of expected errors, in words."""
    points = [point for point in plan.curve if point.images <= plan.to_see]
    few = [*points[: -1 : max(1, len(points) // 3)], *points[-1:]]
    return ", ".join(
        f"{point.expected:.2%} {f'after {point.images:,} more' if point.images else 'now'}" for point in few
    )


def _next_step(report: RelabelReport, benchmark: str, queue: str) -> str:
    if not report.queue.waiting:
        if report.plan and report.plan.is_done:
            return f"{report.plan.why()}. The labels stand: acbench status {named(benchmark)}"
        return f"no image waits for people. The labels stand: acbench status {named(benchmark)}"
    command = f"acbench relabel {named(benchmark)} --reviews {shlex.quote(queue)} --reviewer YOUR_NAME"
    return f"look at the pictures in the queue's column `evidence`, fill in `label`, then\n  {command}"


def _relative(path: Path) -> str:
    """A path as a person types it here."""
    here = Path().resolve()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
