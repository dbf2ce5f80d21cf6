"""`acbench review report`: what reviews say about people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from acbench.cli.options import benchmark_argument, json_option, project_option
from acbench.cli.wire import pipeline


@click.command(epilog="\b\nExample:\n  acbench review report sample")
@benchmark_argument
@json_option
@project_option
def report(benchmark: str, project: Path, as_json: bool) -> int:
    """How far people agree, what proposals do to them, and whether a proposer could be one of them."""
    from acbench import store
    from acbench.aligned import table
    from acbench.plots import agreement as drawn
    from acbench.records import short_name
    from acbench.stages.agreement import agreement
    from acbench.stages.triage import by_item

    with pipeline(project, benchmark) as line:
        facts = agreement(line.ingested.items, line.proposals, by_item(line.reviews), line.schema)
        picture = line.bench.work / "agreement.png"
        store.write_bytes(picture, drawn(facts))
    if as_json:
        click.echo(json.dumps(facts, indent=1, ensure_ascii=False))
        return 0
    click.echo(f"{facts['images']:,} images reviewed, {facts['shared']:,} by more than one person\n")
    people = [
        (name, f"{one['decisions']:,}", f"{one['blind']:,}", f"{one['unsure']:,}", _number(one["seconds"]["median"], 1))
        for name, one in facts["reviewers"].items()
    ]
    click.echo(table([("reviewer", "decisions", "blind", "unsure", "median seconds"), *people]))
    rows = [_figures(name, one) for name, one in [("all", facts["agreement"]), *facts["by_category"].items()]]
    click.echo("\n" + table([("agreement", "shared", "unanimous", "alpha (MASI)", "Fleiss' kappa"), *rows]))
    classes = [
        (name, label, f"{one['images']:,}", _interval(one["alpha"]))
        for name, found in facts["by_category"].items()
        for label, one in found["by_class"].items()
        if one["alpha"]
    ]
    if classes:
        click.echo("\n" + table([("category", "class", "images", "alpha, there or not"), *classes]))
    pairs = [
        (name, f"{one['images']:,}", _number(one["same"]), _interval(one["kappa"]))
        for name, one in facts["pairs"].items()
    ]
    if pairs:
        click.echo("\n" + table([("two people", "images", "same", "Cohen's kappa"), *pairs]))
    proposers = [
        (short_name(name), *map(_interval, (one["shown"]["same"], one["blind"]["same"], one["kappa"])),
         _alternative(one["alternative"]))
        for name, one in facts["proposers"].items()
    ]  # fmt: skip
    if proposers:
        head = ("proposer", "same, in sight", "same, hidden", "kappa, hidden", "in a person's place")
        click.echo("\n" + table([head, *proposers]))
        click.echo("In sight: beside the picture, or to be unfolded there. Hidden: a blind task.")
    if thin := {one["alternative"] for one in facts["proposers"].values() if isinstance(one["alternative"], str)}:
        click.echo(f"\nAlternative-annotator test: {'; '.join(sorted(thin))}")
    click.echo(f"\npicture  {picture}")
    return 0


def _figures(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    figures = (_interval(found[key]) for key in ("unanimous", "alpha", "fleiss"))
    return (name, f"{found['shared']:,} of {found['images']:,}", *figures)


def _alternative(found: dict[str, Any] | str) -> str:
    """What came of the alternative-annotator test."""
    if isinstance(found, str):
        return "–"
    verdict = "yes" if found["passes"] else "no"
    return f"{verdict}, {found['winning_rate']:.0%} of {found['people']}"


def _interval(found: dict[str, Any] | None) -> str:
    if found is None:
        return "–"
    ends = f" ({found['low']:.2f} to {found['high']:.2f})" if found["low"] is not None else ""
    return f"{found['value']:.2f}{ends}"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
