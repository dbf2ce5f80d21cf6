"""`acbench velm`: the baseline of detector and multimodal LLM."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench.cli.baseline import answered, detector_options
from acbench.cli.dry_run import show
from acbench.cli.options import (
    Command,
    benchmark_argument,
    dataset_options,
    engine_options,
    json_option,
    llm_options,
    of_llm,
    option,
    project_option,
    shard_option,
)
from acbench.cli.out import out_option, send
from acbench.cli.shards import is_shard, told
from acbench.cli.wire import pipeline

if TYPE_CHECKING:
    from acbench.baselines import Setup
    from acbench.pipeline import Pipeline
    from acbench.proposers import DryRun
    from acbench.shardwork import Done

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
    view: str,
    dry_run: bool,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Classify every test image: a detector finds the place, a multimodal LLM names the defect (arXiv 2505.02626).

    Maps and answers are kept: what was computed or paid for is not done again.
    """
    from acbench import store
    from acbench.records import Prediction
    from acbench.scoring.figures import UNUSABLE

    switches = {name: not options.pop(f"no_{name}") for name in ("reference", "contour", "descriptions", "strategy")}
    choices: dict[str, Any] = {"detector": detector, "false_alarms": false_alarms, **switches}
    if dry_run:  # it asks nobody, and prints while the project is held
        options["engine"] = "local"
    with pipeline(project, benchmark, **options) as line:
        if dry_run:
            return show(line.bench, {"velm": _dry_run(line, view, choices)}, as_json)
        if is_shard(line, out):
            return told([_shard(line, view, choices)], line, as_json)
        path = line.bench.predictions("velm")
        if options["retry_errors"] and any(each.parse == "error" for each in store.read(path, Prediction)):
            path.unlink()  # what was answered is in the ledger
        left = answered(line, "velm", view, choices)
        send(line, out, system="velm")
        rows = store.read(path, Prediction)
        dollars = line.ledger.dollars(call for row in rows for call in row.calls)
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


def _setup(line: Pipeline, view: Any, choices: dict[str, Any]) -> Setup:
    from acbench import systems
    from acbench.adapters.patches import patch_model
    from acbench.baselines import Options

    return systems.setup(line, view, None, Options(**choices), lambda: patch_model(line.settings.backbone))


def _shard(line: Pipeline, view: Any, choices: dict[str, Any]) -> Done:
    from acbench import baselines, shardwork, systems

    system = baselines.build("velm", _setup(line, view, choices))
    return shardwork.predict(line, system, "velm", systems.tested(line))


def _dry_run(line: Pipeline, view: Any, choices: dict[str, Any]) -> DryRun:
    from acbench import systems
    from acbench.baselines import velm

    system = velm.build(_setup(line, view, choices))
    with line.console.stage("detect") as progress:
        return system.dry_run(systems.tested(line), progress)
