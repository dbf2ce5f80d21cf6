"""`acbench export`: records in files that other programs, and other projects, read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
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
    from acbench.workflows.proposal_rows import proposal_rows

    return _written(proposal_rows(project, benchmark, proposer), out)


@export.command(epilog="\b\nExample:\n  acbench export answers logs/2026-01-31_classify.eval --out answers.csv")
@click.argument("log", type=click.Path(path_type=Path))
@_out_option
def answers(log: Path, out: Path | None) -> int:
    """Write what a model answered in Inspect as CSV, for `acbench score --predictions FILE`.

    LOG is the log of `inspect eval acbench/classify`. The file has the labels, the model's own words, and the dollars
    of each answer where Inspect knows them.
    """
    from acbench.workflows.inspect_log import answer_rows

    return _written(answer_rows(log), out)


def _written(rows: Iterable[Sequence[object]], out: Path | None) -> int:
    """Print a table, whose first row are its columns; or write it to a file, and say how many further rows it has."""
    from acbench.storage.atomic import replacing

    if out is None:
        for line in _lines(rows):
            click.echo(line, nl=False)
        return 0
    with replacing(out) as file:
        count = sum(1 for line in _lines(rows) if file.write(line.encode())) - 1
    click.echo(f"{count:,} rows → {out}")
    return 0


def _lines(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Each row as CSV; a cell may have several lines."""
    for row in rows:
        sink = io.StringIO(newline="")
        csv.writer(sink, lineterminator="\n").writerow(row)
        yield sink.getvalue()
