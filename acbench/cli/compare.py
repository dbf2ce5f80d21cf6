"""`acbench compare`: compares proposers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench._util.text import json_text
from acbench.cli.options import benchmark_argument, json_option, opened, option, project_option

if TYPE_CHECKING:
    from acbench.evaluation.proposers import ProposerComparison

MISTAKES = 3
"""How many of a proposer's most frequent mistakes are shown."""


@click.command(epilog="\b\nExample:\n  acbench compare sample")
@benchmark_argument
@option(
    "--truth",
    type=click.Choice(["people", "labels"]),
    help="Judge by what people decided, or by all current labels, which the proposers helped to make."
    "  [default: people, if they decided anything]",
)
@json_option
@project_option
def compare(benchmark: str, project: Path, truth: str | None, as_json: bool) -> int:
    """Compare proposers: accuracy, agreement, calibration, cost per right label, and most frequent mistakes."""
    from acbench.cli.screen import Screen
    from acbench.workflows import compare as comparing

    with opened(project, benchmark) as run:
        compared = comparing.compare(run, people_only=None if truth is None else truth == "people")
        picture = comparing.draw_comparison(run, compared)
    if as_json:
        click.echo(json_text(compared.to_json()))
        return 0
    click.echo(_text(compared))
    click.echo(f"\npicture  {picture}")
    if truth is None and not compared.people_only:
        Screen().note("nobody has decided anything yet: proposers are judged by labels that they helped to make")
    return 0


def _text(compared: ProposerComparison) -> str:
    from acbench._util.console import table
    from acbench.evaluation import proposer_tables as tables
    from acbench.review.calibrated import CAUTION, METHOD

    parts = [
        f"{compared.images:,} anomalous images, judged by {compared.truth}",
        table(tables.proposer_rows(compared)),
    ]
    if reliability := tables.reliability_rows(compared):
        judged_by = {own.reliability.judged_by for own in compared.proposers.values() if own.reliability}
        parts.append(f"{table(reliability)}\n{METHOD}." + (f"\n{CAUTION}." if "people" in judged_by else ""))
    parts += [table(rows) for rows in (tables.pair_rows(compared), tables.mistake_rows(compared, MISTAKES)) if rows]
    return "\n\n".join(parts)
