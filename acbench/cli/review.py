"""What people decide: through a queue in a file, or at a desk in Label Studio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from acbench.cli.label_studio import pull, push, serve
from acbench.cli.options import benchmark_argument, json_option, opened, option, project_option


@click.command(epilog="\b\nExample:\n  acbench review report sample")
@benchmark_argument
@json_option
@project_option
def report(benchmark: str, project: Path, as_json: bool) -> int:
    """How far people agree, what proposals do to them, and whether a proposer could be one of them."""
    from acbench._util.console import table
    from acbench.evaluation.plots import agreement as drawn
    from acbench.records import short_name
    from acbench.storage.atomic import write_bytes
    from acbench.workflows.compare import agree

    with opened(project, benchmark) as run:
        facts = agree(run)
        picture = run.files.workspace / "agreement.png"
        write_bytes(picture, drawn(facts))
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


@click.group()
def review() -> None:
    """What people decide: through a queue in a file, or at a desk in Label Studio."""


for _command in (serve, push, pull, report):
    review.add_command(_command)


@review.command(epilog="\b\nExample:\n  acbench review queue sample")
@benchmark_argument
@json_option
@project_option
def queue(benchmark: str, project: Path, as_json: bool) -> int:
    """Write the queue as CSV, with an evidence picture for each row."""
    from acbench.storage.typed_json import to_json
    from acbench.workflows.label import label, prepare
    from acbench.workflows.queue import rank, write_queue

    with opened(project, benchmark) as run:
        queue = rank(run, label(run, prepare(run)))
        write_queue(run, queue)
        waiting, where = queue.waiting, run.files.queue
    if as_json:
        click.echo(json.dumps([to_json(each) for each in waiting], indent=1))
    else:
        click.echo(f"{len(waiting):,} rows → {where}")
    return 0


@review.command(epilog="\b\nExample:\n  acbench review take sample .acbench/sample/queue.csv --reviewer ada")
@benchmark_argument
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option("--reviewer", metavar="NAME", help="Who decided, where the file does not say.")
@json_option
@project_option
def take(benchmark: str, file: Path, project: Path, reviewer: str | None, as_json: bool) -> int:
    """Take in a filled-in queue: all of it or, if a line is wrong, nothing."""
    from acbench.cli.screen import review_counts
    from acbench.workflows.label import label, prepare
    from acbench.workflows.reviews import take_reviews

    with opened(project, benchmark) as run:
        proposed = prepare(run)
        taken = take_reviews(run, proposed, file, reviewer)
        label(run, proposed)
        where = run.files.reviews
    if as_json:
        click.echo(json.dumps(taken))
    else:
        click.echo(f"{review_counts(taken)} → {where}")
    return 0
