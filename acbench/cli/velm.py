"""`acbench velm`: the baseline VELM."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from acbench.cli.detector_options import check_gate, detector_options
from acbench.cli.model_options import llm_option, llm_options
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
    shard_option,
    with_run_options,
)

if TYPE_CHECKING:
    from acbench.schema.views import View
    from acbench.workflows.run import Options
    from acbench.workflows.velm import VelmReport

EPILOG = """\b
Examples:
  acbench velm mvtec_ac --root ~/data/mvtec_ad --llm gpt-4o --llm-price 2.50/10 --dry-run
  acbench velm mvtec_ac --llm gpt-4o --budget 5
"""


@click.command(cls=Command, epilog=EPILOG)
@benchmark_argument
@dataset_options
@detector_options
@option(
    "--question",
    type=click.Choice(["paper", "acbench"]),
    default="paper",
    show_default=True,
    help="Ask the paper's question, or acbench's, which has close-ups and measures what is marked.",
)
@option("--no-reference", is_flag=True, help="Ablation: do not show a normal image.")
@option("--no-contour", is_flag=True, help="Ablation: do not outline the defect.")
@option("--no-descriptions", is_flag=True, help="Ablation: give only the names of the classes.")
@option("--no-strategy", is_flag=True, help="Ablation: do not say in which order to decide.")
@option(
    "--view",
    type=click.Choice(["published", "sets"]),
    default="published",
    show_default=True,
    help="Tell apart the classes of the published benchmark, or those of the label schema.",
)
@llm_options
@llm_option("--dry-run", is_flag=True, help="Print what it would cost and an example question; ask nothing.")
@engine_options
@shard_option
@out_option
@json_option
@project_option
@with_run_options
def velm(
    benchmark: str,
    project: Path,
    options: Options,
    detector: str,
    false_alarms: float,
    question: Literal["paper", "acbench"],
    gate: tuple[float, float] | None,
    input_size: int,
    no_reference: bool,
    no_contour: bool,
    no_descriptions: bool,
    no_strategy: bool,
    view: View,
    dry_run: bool,
    out: str | None,
    as_json: bool,
) -> int:
    """Classify every test image: a detector finds the defect, a multimodal LLM names it (arXiv 2505.02626).

    Anomaly maps and answers are kept: nothing is computed or paid for twice.
    """
    from acbench.cli.dry_run import print_dry_runs
    from acbench.cli.merge import print_shard
    from acbench.predictors.base import BaselineOptions
    from acbench.workflows import velm as workflow
    from acbench.workflows.export import export, prediction_files

    check_gate(gate)
    velm_options = BaselineOptions(
        detector=detector,
        false_alarms=false_alarms,
        gate=gate,
        input_size=input_size,
        reference=not no_reference,
        contour=not no_contour,
        descriptions=not no_descriptions,
        strategy=not no_strategy,
        question=question,
    )
    with opened(project, benchmark, options) as run:
        if dry_run:
            return print_dry_runs(workflow.velm_dry_run(run, view, velm_options), as_json=as_json)
        if run.shard:
            result = workflow.velm_shard(run, run.shard, view, velm_options)
            return print_shard(run.shard, [result], benchmark, as_json=as_json)
        report = workflow.velm(run, view, velm_options)
        export(run, out, prediction_files(run.files, workflow.NAME))
    _print(report, benchmark, as_json=as_json)
    return 3 if report.not_asked_yet or report.error else 0


def _print(report: VelmReport, benchmark: str, *, as_json: bool) -> None:
    facts = dataclasses.asdict(report)
    if as_json:
        click.echo(json.dumps({**facts, "predictions": str(report.predictions)}, indent=1))
    else:
        del facts["predictions"]
        marked_by = facts.pop("marked_by")
        dollars = facts.pop("dollars")
        counts = [f"{count:,} {name.replace('_', ' ')}" for name, count in facts.items()]
        click.echo(", ".join([*counts, f"{dollars:,.4g} dollars"]))
        if marked_by:
            click.echo(f"Marked by {marked_by}")
        click.echo(f"{report.predictions}\nNext: acbench score {named(benchmark)} --system velm")
    if report.not_asked_yet:
        click.echo("Note: run again to ask what is left", err=True)
