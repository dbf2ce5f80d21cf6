"""`acbench compare`: proposers side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from acbench.cli.options import benchmark_argument, json_option, opened, project_option


@click.command(epilog="\b\nExample:\n  acbench compare sample")
@benchmark_argument
@click.option(
    "--truth",
    type=click.Choice(["people", "labels"]),
    help="Judge by what people decided, or by all current labels, which the proposers helped to make."
    "  [default: people, if they decided anything]",
)
@json_option
@project_option
def compare(benchmark: str, project: Path, truth: str | None, as_json: bool) -> int:
    """Proposers side by side: accuracy, agreement, calibration, cost per right label, and where they fail."""
    from acbench._util.console import table
    from acbench.cli.screen import Screen
    from acbench.evaluation.plots import comparison
    from acbench.storage.atomic import write_bytes
    from acbench.workflows import compare as comparing

    with opened(project, benchmark) as run:
        facts = comparing.compare(run, people_only=None if truth is None else truth == "people")
        picture = run.files.workspace / "compare.png"
        write_bytes(picture, comparison(facts))
    if as_json:
        click.echo(json.dumps(facts, indent=1, ensure_ascii=False))
        return 0
    click.echo(f"{facts['images']:,} anomalous images, judged by {facts['truth']}\n")
    head = ("proposer", "answered", "accuracy", "kappa", "calibration error", "dollars", "per right label")
    click.echo(table([head, *(_row(name, found) for name, found in facts["proposers"].items())]))
    pairs = [
        (f"{each['one']} and {each['other']}", f"{each['images']:,}", _number(each["same"]), _number(each["kappa"]))
        for each in facts["agreement"]
    ]
    if pairs:
        click.echo("\n" + table([("agreement of", "images", "same", "kappa"), *pairs]))
    wrong = [
        (name, each["category"], each["true"], each["said"], str(each["images"]))
        for name, found in facts["proposers"].items()
        for each in found["confusions"][:3]
    ]
    if wrong:
        click.echo("\n" + table([("fails most", "category", "true", "said", "images"), *wrong]))
    click.echo(f"\npicture  {picture}")
    if truth is None and facts["truth"] != "people's decisions":
        Screen().note("nobody has decided anything yet: proposers are judged by labels that they helped to make")
    return 0


def _row(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    accuracy, calibration = found["accuracy"], found["calibration"]
    return (
        name,
        f"{found['answered']:,}",
        f"{accuracy['value']:.3f} ({accuracy['low']:.3f}–{accuracy['high']:.3f})" if accuracy else "–",
        _number(found["kappa"]),
        _number(calibration["error"] if calibration else None),
        f"{found['dollars']:.2f}" if found["calls"] else "–",
        _number(found["dollars_per_right"], 4),
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
