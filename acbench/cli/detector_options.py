"""The options of the detector, which `acbench velm` and the baselines of `acbench score` share."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from acbench.cli.model_options import proposer_option
from acbench.cli.options import option, together

BACKBONE = "Image model of the detector and of `few_shot`: efficientnet-lite0, timm:MODEL[@FILE].  [default: bundled]"


def _detector(ctx: click.Context, param: click.Parameter, value: str) -> str:
    kind, _, folder = value.partition(":")
    if kind == "heatmaps" and folder:
        if not Path(folder).is_dir():
            raise click.BadParameter(f"there is no folder {folder}", ctx, param)
        return f"{kind}:{Path(folder).resolve()}"
    if value in {"patchcore", "oracle", "none"}:
        return value
    raise click.BadParameter("patchcore, heatmaps:FOLDER, oracle or none", ctx, param)


def _gate(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    if value is None:
        return None
    miss, _, alarm = value.partition(":")
    try:
        costs = float(miss), float(alarm)
    except ValueError:
        costs = 0.0, 0.0
    if not all(0 < cost < float("inf") for cost in costs):
        raise click.BadParameter("two costs above 0, such as 10:1", ctx, param)
    return costs


def check_gate(gate: tuple[float, float] | None) -> None:
    """Raises UsageError if the user gave both a share and costs."""
    if gate is not None and is_typed("false_alarms"):
        raise click.UsageError("--false-alarms and --gate exclude each other")


detector_options = together(
    option(
        "--detector",
        default="patchcore",
        show_default=True,
        callback=_detector,
        metavar="DETECTOR",
        help="Who finds the anomaly: patchcore, heatmaps:FOLDER (your own maps, under the images' paths),"
        " oracle (ground truth) or none.",
    ),
    option(
        "--false-alarms",
        type=click.FloatRange(0, 0.5),
        default=0.05,
        show_default=True,
        help="Share of normal images that the detector may call anomalous; it decides the threshold.",
    ),
    option(
        "--gate",
        callback=_gate,
        metavar="MISS:ALARM",
        help="What a missed anomaly and a false alarm cost, each times how often such images come, as in 10:1;"
        " it decides the threshold instead.",
    ),
    option(
        "--input-size",
        type=click.IntRange(64, 2048),
        default=448,
        show_default=True,
        metavar="PIXELS",
        help="Edge of the input of patchcore, where images are larger: smaller is faster and sees less.",
    ),
    proposer_option("--backbone", metavar="MODEL", help=BACKBONE),
)
"""Which images are anomalous, and where."""


def is_typed(name: str, *, in_environment: bool = True) -> bool:
    """Whether the user gave an option of the current command, on the command line or in its variable."""
    sources = {ParameterSource.COMMANDLINE} | ({ParameterSource.ENVIRONMENT} if in_environment else set())
    return click.get_current_context().get_parameter_source(name) in sources
