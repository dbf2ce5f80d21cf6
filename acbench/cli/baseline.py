"""Options and steps that the commands which run baselines share."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench.cli.options import of_proposers, option, together
from acbench.errors import AcbenchError

if TYPE_CHECKING:
    from acbench.pipeline import Pipeline

BACKBONE = "Image model of the detector and of `few_shot`: efficientnet-lite0, timm:MODEL[@FILE].  [default: bundled]"


def _detector(ctx: click.Context, param: click.Parameter, value: str) -> str:
    kind, _, folder = value.partition(":")
    if kind == "heatmaps" and folder:
        return f"{kind}:{Path(folder).resolve()}"
    if value in {"patchcore", "oracle", "none"}:
        return value
    raise click.BadParameter("patchcore, heatmaps:FOLDER, oracle or none", ctx, param)


detector_options = together(
    option(
        "--detector",
        default="patchcore",
        show_default=True,
        callback=_detector,
        metavar="DETECTOR",
        help="patchcore, heatmaps:FOLDER (maps of your own, by the images' paths), oracle (ground truth), none.",
    ),
    option(
        "--false-alarms",
        type=click.FloatRange(0, 0.5),
        default=0.05,
        show_default=True,
        help="Share of normal training images that the detector's threshold lets through as anomalous.",
    ),
    of_proposers("--backbone", metavar="MODEL", help=BACKBONE),
)
"""Who says what is anomalous, and where."""


def answered(line: Pipeline, name: str, view: Any, choices: dict[str, Any]) -> int:
    """Have a baseline answer for every test image; gives how many questions are open."""
    from acbench import systems
    from acbench.adapters.patches import patch_model
    from acbench.baselines import Options
    from acbench.scoring.benchmark import labelled

    truth = None
    if name != "velm":  # it needs no labels, and a first run may have none
        truth = labelled(line.bench, line.schema).truth(line.schema, view=view, categories=line.settings.categories)
    given = systems.setup(line, view, truth, Options(**choices), lambda: patch_model(line.settings.backbone))
    return systems.predict(line, name, given)


def predictions_of(bench: Any, benchmark: str, name: str) -> Path:
    """The table of a system that has answered. Raises AcbenchError if it has not."""
    from acbench.baselines import names

    path: Path = bench.predictions(name)
    if name not in names():
        raise AcbenchError(f"there is no file {name}, and no system of that name", f"systems: {', '.join(names())}")
    if not path.exists():
        which = shlex.quote(benchmark)
        command = f"acbench velm {which}" if name == "velm" else f"acbench score {which} --system {name}"
        raise AcbenchError(f"{name} has not answered yet", command)
    return path
