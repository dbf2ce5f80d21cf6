"""`acbench ledger`: the file that keeps what was computed and paid for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from acbench._util.text import json_text
from acbench.cli.options import json_option, project_option


@click.group()
def ledger() -> None:
    """Look after the ledger, the file that keeps what was computed and paid for."""


@ledger.command(
    epilog="""\b
Examples:
  acbench ledger recover
  acbench ledger recover ~/project/.acbench/ledger.sqlite
"""
)
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@json_option
@project_option
def recover(file: Path | None, project: Path, as_json: bool) -> int:
    """Get out of a damaged ledger what can be read, answers that were paid for first, and go on with that.

    FILE is the ledger that an error named, by default that of the project. The damaged file stays beside the new one,
    under another name. A sound ledger is left alone. The exit status is 3 if something could not be read.
    """
    from acbench._util.text import plain
    from acbench.workflows.recover import recover_ledger

    done = recover_ledger(project, file)
    if as_json:
        facts = {**dataclasses.asdict(done), "damaged": str(done.damaged) if done.damaged else None}
        click.echo(json_text(facts))
        return 3 if done.unread else 0
    if done.damaged is None:
        click.echo("The ledger is sound: nothing was changed.")
        return 0
    kept = ", ".join(f"{number:,} {name}" for name, number in done.rows.items() if number) or "nothing"
    click.echo(f"Recovered {done.answers:,} answers of models, which cost at most ${done.dollars:,.2f}.")
    click.echo(f"In all: {kept}.")
    for name, why in done.unread.items():
        click.echo(f"! some rows of `{name}` could not be read: {plain(why)}")
    click.echo(f"The damaged file is kept: {done.damaged}")
    return 3 if done.unread else 0
