"""`acbench ingest`, `propose` and `resolve`: the steps of `relabel`, one by one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench._util.text import json_text
from acbench.cli.model_options import dry_run_option, proposer_option, proposer_options
from acbench.cli.options import (
    Command,
    benchmark_argument,
    dataset_options,
    engine_options,
    json_option,
    opened,
    out_option,
    project_option,
    shard_option,
    with_run_options,
)

if TYPE_CHECKING:
    from acbench.workflows.run import Options


_INGEST = """\b
Examples:
  acbench ingest mvtec_ac --root ~/data/mvtec_ad
  acbench ingest ~/data/my_tiles
  acbench ingest ~/data/my_tiles --reading normal=free --reading 'mask=masks/{class}/{stem}.*'
"""


@click.command(cls=Command, epilog=_INGEST)
@benchmark_argument
@dataset_options
@engine_options
@shard_option
@out_option
@json_option
@project_option
@with_run_options
def ingest(benchmark: str, project: Path, options: Options, out: str | None, as_json: bool) -> int:
    """Read a dataset: hash every image, pair it with its mask, and list everything that is wrong.

    In place of BENCHMARK, a folder of images that has no label schema yet: it says how they seem to lie, what would not
    be used, and which --reading would use it.
    """
    from acbench.cli.merge import print_shard
    from acbench.cli.recognise import is_folder, print_recognised
    from acbench.cli.screen import finding_line
    from acbench.data.ingest import describe
    from acbench.storage.typed_json import to_json
    from acbench.workflows import ingest as workflow
    from acbench.workflows import shards
    from acbench.workflows.export import export

    if is_folder(benchmark, project):
        return print_recognised(benchmark, options, out=out, as_json=as_json)
    with opened(project, benchmark, options) as run:
        if run.shard:
            return print_shard(run.shard, [shards.ingest(run, run.shard)], benchmark, as_json=as_json)
        dataset = workflow.ingest(run)
        description = describe(run.origin, dataset)
        export(run, out)
    if as_json:
        findings = [to_json(finding) for finding in dataset.findings]
        facts = {"dataset": description, "items": len(dataset.items), "findings": findings}
        click.echo(json_text(facts))
    else:
        click.echo(description)
        for each in dataset.finding_classes:
            click.echo(finding_line(each) + (f"\n    → {each.examples[0].hint}" if each.examples[0].hint else ""))
    return 3 if any(finding.failed for finding in dataset.findings) else 0


@click.command(cls=Command, epilog="\b\nExample:\n  acbench propose sample --proposer neighbours")
@benchmark_argument
@proposer_option(
    "--proposer",
    "names",
    multiple=True,
    metavar="PROPOSER",
    help="Ask only this one; can be repeated.  [default: the usual ones]",
)
@dataset_options
@proposer_options
@dry_run_option
@engine_options
@shard_option
@out_option
@json_option
@project_option
@with_run_options
def propose(
    benchmark: str,
    project: Path,
    options: Options,
    names: tuple[str, ...],
    dry_run: bool,
    out: str | None,
    as_json: bool,
) -> int:
    """Ask proposers for labels, and keep their answers."""
    from acbench._util.console import table
    from acbench.cli.dry_run import print_dry_runs
    from acbench.cli.merge import print_shard
    from acbench.review.wording import NO_ANSWER
    from acbench.workflows import propose as workflow
    from acbench.workflows import shards
    from acbench.workflows.export import export, proposal_files
    from acbench.workflows.ingest import ingest

    with opened(project, benchmark, options) as run:
        dataset = ingest(run)
        if dry_run:
            return print_dry_runs(workflow.dry_run(run, dataset, names), as_json=as_json)
        if run.shard:
            results = shards.propose(run, run.shard, dataset, names)
            return print_shard(run.shard, results, benchmark, as_json=as_json)
        counts = workflow.tallies(run, workflow.propose(run, dataset, names))
        export(run, out, proposal_files(run.files, counts))
    if as_json:
        click.echo(json.dumps(counts, indent=1))
    else:
        rows = [("proposer", "named a class", *NO_ANSWER.values())]
        rows += [(name, f"{of['ok']}", f"{of['abstained']}", f"{of['error']}") for name, of in counts.items()]
        click.echo(table(rows))
    return 3 if any(of["error"] for of in counts.values()) else 0


@click.command(cls=Command, epilog="\b\nExample:\n  acbench resolve sample")
@benchmark_argument
@dataset_options
@proposer_options
@json_option
@project_option
@with_run_options
def resolve(benchmark: str, project: Path, options: Options, as_json: bool) -> int:
    """Make labels from proposals and reviews, and write them to `annotations/`."""
    from acbench.review.wording import labels_counted
    from acbench.workflows.label import figures_of, label, prepare

    with opened(project, benchmark, options) as run:
        counts = dataclasses.asdict(figures_of(run, label(run, prepare(run))).labels)
        path = run.files.labels.place
    click.echo(json.dumps(counts) if as_json else f"{labels_counted(counts)} → {path}")
    return 0
