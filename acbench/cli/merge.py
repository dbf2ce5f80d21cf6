"""`acbench merge`, and what a shard tells."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench.cli.options import Command, benchmark_argument, json_option, project_option
from acbench.errors import AcbenchError
from acbench.storage.project import existing_project

if TYPE_CHECKING:
    from acbench.storage.shard import Shard
    from acbench.workflows.run import Run
    from acbench.workflows.shards import Done

EPILOG = "\b\nExample, after `acbench propose mvtec_ac --shard 1/4` to `4/4`:\n  acbench merge mvtec_ac"


@click.command(cls=Command, epilog=EPILOG)
@benchmark_argument
@json_option
@project_option
def merge(benchmark: str, project: Path, as_json: bool) -> int:
    """Bring together what shards have read, looked at and asked, once all of them have ended.

    Shards that were killed can be run again, before or after.
    """
    from acbench import schema as schemas
    from acbench._util.console import table
    from acbench.cli.screen import Screen
    from acbench.workflows import shards

    place = existing_project(project)
    with place.locked():
        merged = shards.merge(place.benchmark(schemas.load(benchmark).benchmark), Screen().note)
    if as_json:
        rows = [{"shard": str(shard), **dataclasses.asdict(found)} for shard, found in merged]
        click.echo(json.dumps(rows, indent=1))
        return 0
    if not merged:
        click.echo("No shard has brought anything since the last merge.")
        return 0
    names = ("shard", "files", "vectors", "answers", "failures", "dollars")
    told_rows = [(f"{shard}", *(f"{value:,.4g}" for value in dataclasses.astuple(found))) for shard, found in merged]
    click.echo(table([names, *told_rows]))
    click.echo(f"Next: acbench relabel {shlex.quote(benchmark)}")
    return 0


def shard_of(run: Run, out: str | None) -> Shard | None:
    """The part of the work to do, if it is not all. Raises AcbenchError if a part is to be sent somewhere."""
    if run.shard and out:
        raise AcbenchError("--out sends what is whole, and a shard is a part", "give it to a command after the merge")
    return run.shard


def told(done: Sequence[Done], run: Run, as_json: bool) -> int:
    """Print what a shard did; gives the exit status."""
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) for each in done], indent=1, ensure_ascii=False))
    else:
        for each in done:
            of = "" if each.of is None else f" of {each.of:,}"
            click.echo(f"shard {run.shard}: {each.took:,}{of} {each.what}")
            for reason, count in each.failed.items():
                click.echo(f"  {count:,} failed: {reason}")
            if each.unasked:
                click.echo(f"  {each.unasked:,} questions were not asked; run again to go on")
        click.echo(f"Next, when all shards have ended: acbench merge {shlex.quote(run.settings.schema)}")
    return 3 if any(each.failed or each.unasked for each in done) else 0
