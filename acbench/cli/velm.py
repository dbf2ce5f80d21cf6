"""`acbench velm`: the baseline of detector and multimodal LLM."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench.cli.merge import shard_of, told
from acbench.cli.options import (
    Command,
    benchmark_argument,
    dataset_options,
    engine_options,
    json_option,
    llm_options,
    of_llm,
    opened,
    option,
    out_option,
    project_option,
    send,
    shard_option,
)
from acbench.cli.score import detector_options
from acbench.cli.screen import show

if TYPE_CHECKING:
    from acbench.data.ingest import Dataset
    from acbench.predictors.base import BaselineSetup, DryRun
    from acbench.schema.views import View
    from acbench.workflows.run import Run

EPILOG = """\b
Examples:
  acbench velm mvtec_ac --root ~/data/mvtec_ad --llm gpt-4o --llm-price 2.50/10 --dry-run
  acbench velm mvtec_ac --llm gpt-4o --budget 5
"""


@click.command(cls=Command, epilog=EPILOG)
@benchmark_argument
@dataset_options
@detector_options
@option("--no-reference", is_flag=True, help="Without: show no normal image.")
@option("--no-contour", is_flag=True, help="Without: do not outline the defect.")
@option("--no-descriptions", is_flag=True, help="Without: tell the classes' names alone.")
@option("--no-strategy", is_flag=True, help="Without: do not tell in which order to decide.")
@option(
    "--view",
    type=click.Choice(["published", "sets"]),
    default="published",
    show_default=True,
    help="Which classes to tell apart.",
)
@llm_options
@of_llm("--dry-run", is_flag=True, help="Print what it would cost, with an example question, and ask nobody.")
@engine_options
@shard_option
@out_option
@json_option
@project_option
def velm(
    benchmark: str,
    project: Path,
    detector: str,
    false_alarms: float,
    view: View,
    dry_run: bool,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Classify every test image: a detector finds the place, a multimodal LLM names the defect (arXiv 2505.02626).

    Maps and answers are kept: what was computed or paid for is not done again.
    """
    from acbench.evaluation.metrics import UNUSABLE
    from acbench.predictors.base import BaselineOptions
    from acbench.predictors.registry import build_baseline
    from acbench.records import Prediction
    from acbench.storage import tables
    from acbench.workflows import shards
    from acbench.workflows.baselines import baseline_setup, predict, tested
    from acbench.workflows.ingest import ingest

    switches = {name: not options.pop(f"no_{name}") for name in ("reference", "contour", "descriptions", "strategy")}
    if dry_run:  # it asks nobody, and prints while the project is held
        options["engine"] = "local"
    chosen = BaselineOptions(detector=detector, false_alarms=false_alarms, **switches)
    with opened(project, benchmark, **options) as run:
        dataset = ingest(run)
        setup = baseline_setup(run, dataset, view=view, truth=None, options=chosen)
        if dry_run:
            return show(run.files, {"velm": _dry_run(run, dataset, setup)}, as_json)
        if shard := shard_of(run, out):
            baseline = build_baseline("velm", setup)
            return told([shards.predict(run, shard, baseline, "velm", tested(run, dataset))], run, as_json)
        path = run.files.predictions("velm")
        if run.retry_errors and any(answer.parse == "error" for answer in tables.read(path, Prediction)):
            path.unlink()  # what was answered is in the ledger
        left = predict(run, dataset, "velm", setup)
        send(run, out, system="velm")
        rows = tables.read(path, Prediction)
        dollars = run.ledger.calls.dollars(call for row in rows for call in row.calls)
    counts = {
        "images": len(rows),
        "called_normal": sum(row.labels == ("good",) and not row.calls for row in rows),
        "asked": sum(bool(row.calls) for row in rows),
        **{name: sum(row.parse == name for row in rows) for name in UNUSABLE if name != "missing"},
        "not_asked_yet": left,
        "dollars": dollars,
    }
    if as_json:
        click.echo(json.dumps({**counts, "predictions": str(path)}, indent=1))
    else:
        click.echo(", ".join(f"{value:,.4g} {name.replace('_', ' ')}" for name, value in counts.items()))
        click.echo(f"{path}\nNext: acbench score {shlex.quote(benchmark)} --system velm")
    if left:
        click.echo("Note: run again to ask what is left", err=True)
    return 3 if left or counts["error"] else 0


def _dry_run(run: Run, dataset: Dataset, setup: BaselineSetup) -> DryRun:
    from acbench.predictors.baselines import velm
    from acbench.workflows.baselines import tested

    system = velm.build(setup)
    with run.console.stage("detect") as progress:
        return system.dry_run(tested(run, dataset), progress)
