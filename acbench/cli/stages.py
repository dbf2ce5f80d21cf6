"""The stages one by one, for people who want the parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from acbench.cli.merge import shard_of, told
from acbench.cli.options import (
    Command,
    benchmark_argument,
    dataset_options,
    dry_run_option,
    engine_options,
    json_option,
    of_proposers,
    opened,
    out_option,
    project_option,
    proposer_options,
    send,
    shard_option,
)
from acbench.cli.screen import show


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
    from acbench.storage.typed_json import to_json

    with opened(project, benchmark, **options) as run:
        if shard := shard_of(run, out):
            from acbench.workflows import shards

            return told([shards.ingest(run, shard)], run, as_json)
        from acbench.data.ingest import describe
        from acbench.workflows.ingest import ingest as read

        dataset = read(run)
        what = describe(run.source, dataset)
        send(run, out)
    if as_json:
        rows = [to_json(finding) for finding in dataset.findings]
        click.echo(
            json.dumps(
                {"dataset": what, "items": len(dataset.items), "findings": rows},
                indent=1,
                ensure_ascii=False,
            )
        )
    else:
        click.echo(what)
        for finding in dataset.findings:
            click.echo(
                f"{'✗' if finding.failed else '!'} {finding.path}: {finding.detail}"
                + (f"\n    → {finding.hint}" if finding.hint else "")
            )
    return 3 if any(finding.failed for finding in dataset.findings) else 0


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
    from acbench._util.console import table

    if dry_run:  # it asks nobody, and prints while the project is held
        options["engine"] = "local"
    from acbench.workflows import propose as asking
    from acbench.workflows.ingest import ingest as read

    with opened(project, benchmark, **options) as run:
        dataset = read(run)
        if dry_run:
            return show(run.files, asking.dry_run(run, dataset, names), as_json)
        if shard := shard_of(run, out):
            from acbench.workflows import shards

            return told(shards.propose(run, shard, dataset, names), run, as_json)
        counts = asking.tallies(run, asking.propose(run, dataset, names))
        send(run, out, proposers=counts)
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
    from acbench.workflows.label import label, prepare
    from acbench.workflows.summary import status_counts

    with opened(project, benchmark, **options) as run:
        counts = status_counts(label(run, prepare(run)).labels.values())
        where = run.files.labels
    click.echo(json.dumps(counts) if as_json else f"{label_counts(counts)} → {where}")
    return 0
