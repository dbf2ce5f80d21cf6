"""`acbench export`: records in files that other programs, and other projects, read."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import click

from acbench.cli.options import benchmark_argument, option, project_option

_out_option = option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the table to this file.  [default: stdout]",
)


@click.group()
def export() -> None:
    """Write records as files that other programs read."""


@export.command(epilog="\b\nExample:\n  acbench export proposals sample neighbours --out neighbours.csv")
@benchmark_argument
@click.argument("proposer")
@_out_option
@project_option
def proposals(benchmark: str, proposer: str, project: Path, out: Path | None) -> int:
    """Write what a proposer answered as CSV, for `--with file:FILE` and `acbench score --predictions FILE`.

    PROPOSER is as it is asked for, such as llm:NAME, or as `acbench compare` shows one that is no longer asked. The
    file also says which model answered, of which family, and what it saw.
    """
    from acbench.workflows.proposals_csv import proposals_csv

    return _written(proposals_csv(project, benchmark, proposer), out)


@export.command(epilog="\b\nExample:\n  acbench export answers logs/2026-01-31_classify.eval --out answers.csv")
@click.argument("log", type=click.Path(path_type=Path))
@_out_option
def answers(log: Path, out: Path | None) -> int:
    """Write what a model answered in Inspect as CSV, for `acbench score --predictions FILE`.

    LOG is the log of `inspect eval acbench/classify`. The file has the labels, the model's own words, and the dollars
    of each answer where Inspect knows them.
    """
    from acbench.workflows.inspect_log import inspect_csv

    return _written(inspect_csv(log), out)


def _written(text: str, out: Path | None) -> int:
    """Print a table, or write it to a file and say how many rows it has."""
    from acbench.storage.atomic import write_bytes

    if out is None:
        click.echo(text, nl=False)
        return 0
    write_bytes(out, text.encode())
    rows = sum(1 for _ in csv.reader(io.StringIO(text))) - 1  # a cell may have several lines
    click.echo(f"{rows:,} rows → {out}")
    return 0
