"""`acbench plan`: how many images people still have to see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench._util.text import json_text
from acbench.cli.options import benchmark_argument, json_option, named, opened, option, project_option
from acbench.cli.screen import facts_table

if TYPE_CHECKING:
    from acbench.workflows.plan_report import PlanReport

SHOWN = 8
"""How many points of the curve are printed, about."""


@click.command(
    epilog="\b\nExamples:\n  acbench plan sample\n  acbench plan mvtec_ac --error 0.02\n  acbench plan sample --drop"
)
@benchmark_argument
@option(
    "--error",
    type=click.FloatRange(0, 0.5, min_open=True),
    metavar="SHARE",
    help="Have at most this share of the accepted labels wrong, with 95 % confidence."
    "  [default: that of the plan so far, or 0.01]",
)
@option("--anew", is_flag=True, help="Choose what people see anew, although the audit has begun; it begins again.")
@option("--drop", is_flag=True, help="Have the queue follow no plan.")
@json_option
@project_option
def plan(benchmark: str, project: Path, error: float | None, anew: bool, drop: bool, as_json: bool) -> int:
    """Plan how many images people still have to see, and have the queue end there.

    The plan is kept in annotations/BENCHMARK/plan.json, for git. Run it again as decisions come in: until somebody has
    decided an image of its audit, it learns from them which labels are doubtful. After that only --error changes it.
    """
    from acbench.workflows.plan import PlanTask, draw_curve, make_plan

    if drop and (anew or error is not None):
        raise click.UsageError("--drop goes with neither --error nor --anew")
    with opened(project, benchmark) as run:
        report = make_plan(run, PlanTask(error=error, anew=anew, drop=drop))
        picture = draw_curve(run, report)
        kept, queue = (run.files.project.relative(path) for path in (run.files.plan, run.files.queue))
    assert report.plan is not None
    if as_json:
        facts = {**report.plan.to_json(), "queue": queue, "picture": str(picture) if picture else None}
        click.echo(json_text(facts))
    else:
        _print(
            report.plan,
            benchmark,
            [("plan", kept), ("queue", queue), *([("picture", str(picture))] if picture else [])],
        )
    return 3 if report.has_failures else 0


def plan_facts(plan: PlanReport, benchmark: str) -> list[tuple[str, str]]:
    """What a plan says, as names and sentences, for the screen of any command."""
    facts = [("plan", plan.why())]
    if plan.beyond:
        detail = "but an earlier one of the draw is open: they do not count yet"
        facts.append(("", f"! {plan.beyond:,} images of the audit are decided, {detail}"))
    if plan.state != "followed":
        facts.append(("", f"make it: acbench plan {named(benchmark)}"))
    elif plan.cheaper is not None:
        command = f"acbench plan {named(benchmark)} --anew"
        facts.append(("", f"a new plan, whose audit begins again, probably takes {plan.cheaper:,}: {command}"))
    return facts


def _print(plan: PlanReport, benchmark: str, files: list[tuple[str, str]]) -> None:
    from acbench._util.console import table

    now = f"at most {plan.at_most:,} wrong, with {100 * plan.confidence:g} % confidence, and {plan.allowed:,} may be"
    errors = f"{plan.audited:,} seen of {plan.rest:,} that it is drawn from, {plan.found:,} wrong"
    click.echo(facts_table([
        *plan_facts(plan, benchmark),
        ("labels", f"{plan.accepted:,} accepted of test images: {now}; {plan.decided:,} images decided by people"),
        ("audit", errors),
        ("to find", f"about {plan.expected_errors:.1f} wrong labels among the images that people still see"),
        ("scores", _scores(plan)),
        ("time", plan.pace()),
        ("rule", plan.rule()),
    ]))  # fmt: skip
    step = max(1, (len(plan.curve) - 1) // (SHOWN - 1))
    points = [*plan.curve[:-1:step], *plan.curve[-1:]]
    rows = [(f"{point.images:,}", f"{point.expected:.2%}", f"{point.bound:.2%}") for point in points]
    click.echo(f"\n{table([('more images seen', 'wrong, probably', 'wrong, at most'), *rows])}")
    click.echo("\n" + facts_table(files))
    queue = f"acbench relabel {named(benchmark)}"
    click.echo(f"\nNext: {'the labels stand' if plan.is_done else f'decide what is in the queue, and go on: {queue}'}")


def _scores(plan: PlanReport) -> str:
    if not plan.scored:
        return "no proposer gives scores for these labels, so nothing tells which are doubtful"
    return f"known of {plan.scored:,} labels; the others count as equally doubtful"
