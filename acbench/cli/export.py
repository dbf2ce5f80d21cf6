"""`acbench export`: records in files that other programs, and other projects, read."""

from __future__ import annotations

from pathlib import Path

import click

from acbench.cli.options import benchmark_argument, option, project_option


@click.group()
def export() -> None:
    """Write records as files that other programs read."""


@export.command(epilog="\b\nExample:\n  acbench export proposals sample neighbours --out neighbours.csv")
@benchmark_argument
@click.argument("proposer")
@option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the table to this file.  [default: stdout]",
)
@project_option
def proposals(benchmark: str, proposer: str, project: Path, out: Path | None) -> int:
    """Write what a proposer answered as CSV, for `--with file:FILE` and `acbench score --predictions FILE`.

    PROPOSER is as it is asked for, such as llm:NAME, or as `acbench compare` shows one that is no longer asked. The
    file also says which model answered, of which family, and what it saw.
    """
    from acbench.storage.atomic import write_bytes
    from acbench.workflows.proposals_csv import proposals_csv

    text = proposals_csv(project, benchmark, proposer)
    if out is None:
        click.echo(text, nl=False)
        return 0
    write_bytes(out, text.encode())
    click.echo(f"{text.count(chr(10)) - 1:,} rows → {out}")
    return 0
