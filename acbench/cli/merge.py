"""`acbench merge`, and the report of a single shard."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench._util.text import json_text
from acbench.cli.options import Command, benchmark_argument, json_option, named, project_option

if TYPE_CHECKING:
    from acbench.storage.shard import Shard
    from acbench.workflows.shards import ShardResult

EPILOG = "\b\nExample, after `acbench propose mvtec_ac --shard 1/4` to `4/4`:\n  acbench merge mvtec_ac"


@click.command(cls=Command, epilog=EPILOG)
@benchmark_argument
@json_option
@project_option
def merge(benchmark: str, project: Path, as_json: bool) -> int:
    """Merge the results of shards into the project, once all shards have ended.

    A shard that was killed can be run again, before or after the merge.
    """
    from acbench._util.console import table
    from acbench.cli.screen import Screen
    from acbench.workflows import shards

    merged = shards.merge(project, benchmark, Screen())
    if as_json:
        records = [{"shard": str(part.shard), **dataclasses.asdict(part.results)} for part in merged]
        click.echo(json.dumps(records, indent=1))
        return 0
    if not merged:
        click.echo("No shard has brought anything since the last merge.")
        return 0
    rows = [("shard", "files", "vectors", "answers", "failures", "dollars")]
    rows += [
        (
            str(part.shard),
            f"{part.results.files:,}",
            f"{part.results.vectors:,}",
            f"{part.results.answers:,}",
            f"{part.results.failures:,}",
            f"{part.results.dollars:,.4g}",
        )
        for part in merged
    ]
    click.echo(table(rows))
    click.echo(f"Next: acbench relabel {named(benchmark)}")
    return 0


def print_shard(shard: Shard, results: Sequence[ShardResult], benchmark: str, *, as_json: bool) -> int:
    """Print what one shard did; gives the exit status of its command."""
    if as_json:
        click.echo(json_text([dataclasses.asdict(result) for result in results]))
    else:
        for result in results:
            of = "" if result.of is None else f" of {result.of:,}"
            click.echo(f"shard {shard}: {result.took:,}{of} {result.what}")
            for reason, count in result.failed.items():
                click.echo(f"  {count:,} failed: {reason}")
            if result.unasked:
                click.echo(f"  {result.unasked:,} questions were not asked; run again to go on")
        click.echo(f"Next, when all shards have ended: acbench merge {named(benchmark)}")
    return 3 if any(result.failed or result.unasked for result in results) else 0
