"""The stages one by one, for people who want the parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from acbench.cli.dry_run import show
from acbench.cli.options import (
    Command,
    benchmark_argument,
    dataset_options,
    dry_run_option,
    engine_options,
    json_option,
    of_proposers,
    project_option,
    proposer_options,
    shard_option,
)
from acbench.cli.out import out_option, send
from acbench.cli.shards import is_shard, told
from acbench.cli.wire import pipeline


@click.command(cls=Command, epilog="\b\nExample:\n  acbench ingest mvtec_ac --root ~/data/mvtec_ad")
@benchmark_argument
@dataset_options
@engine_options
@shard_option
@out_option
@json_option
@project_option
def ingest(benchmark: str, project: Path, out: str | None, as_json: bool, **options: Any) -> int:
    """Read a dataset: hash every image, pair its mask by path, and list whatever is wrong."""
    from acbench.store import to_json

    with pipeline(project, benchmark, **options) as line:
        if is_shard(line, out):
            from acbench import shardwork

            return told([shardwork.ingest(line)], line, as_json)
        from acbench.stages.ingest import describe

        ingested = line.ingested
        what = describe(line.source, ingested)
        send(line, out)
    if as_json:
        rows = [to_json(finding) for finding in ingested.findings]
        click.echo(
            json.dumps(
                {"dataset": what, "items": len(ingested.items), "findings": rows},
                indent=1,
                ensure_ascii=False,
            )
        )
    else:
        click.echo(what)
        for finding in ingested.findings:
            click.echo(
                f"{'✗' if finding.failed else '!'} {finding.path}: {finding.detail}"
                + (f"\n    → {finding.hint}" if finding.hint else "")
            )
    return 3 if any(finding.failed for finding in ingested.findings) else 0


@click.command(cls=Command, epilog="\b\nExample:\n  acbench propose sample --proposer neighbours")
@benchmark_argument
@of_proposers("--proposer", "names", multiple=True, help="Only this one; can be repeated.  [default: the usual ones]")
@dataset_options
@proposer_options
@dry_run_option
@engine_options
@shard_option
@out_option
@json_option
@project_option
def propose(
    benchmark: str,
    project: Path,
    names: tuple[str, ...],
    dry_run: bool,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Ask proposers for labels and keep their answers."""
    from acbench.aligned import table

    if dry_run:  # it asks nobody, and prints while the project is held
        options["engine"] = "local"
    with pipeline(project, benchmark, **options) as line:
        if dry_run:
            return show(line.bench, line.asking.dry_run(names or None), as_json)
        if is_shard(line, out):
            from acbench import shardwork

            return told(shardwork.propose(line, names or None), line, as_json)
        counts = line.asking.tallies(names or None)
        send(line, out, proposers=counts)
    if as_json:
        click.echo(json.dumps(counts, indent=1))
    else:
        click.echo(
            table(
                [
                    ("proposer", "answered", "abstained", "failed"),
                    *((name, *each.values()) for name, each in counts.items()),
                ]
            )
        )
    return 3 if any(each["error"] for each in counts.values()) else 0


@click.command(cls=Command, epilog="\b\nExample:\n  acbench resolve sample")
@benchmark_argument
@dataset_options
@proposer_options
@json_option
@project_option
def resolve(benchmark: str, project: Path, as_json: bool, **options: Any) -> int:
    """Make labels from proposals and reviews, under the policy, and write them to `annotations/`."""
    from acbench.cli.screen import label_counts

    with pipeline(project, benchmark, **options) as line:
        from acbench.stages.summary import status_counts

        counts = status_counts(line.labels().values())
        where = line.bench.labels
    click.echo(json.dumps(counts) if as_json else f"{label_counts(counts)} → {where}")
    return 0
