"""`acbench report`: one HTML file that says where a benchmark stands."""

from __future__ import annotations

import json
from pathlib import Path

import click

from acbench.cli.options import benchmark_argument, json_option, opened, option, project_option


@click.command(epilog="\b\nExample:\n  acbench report sample --out report.html")
@benchmark_argument
@option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it here.  [default: .acbench/BENCHMARK/report.html]",
)
@json_option
@project_option
def report(benchmark: str, project: Path, out: Path | None, as_json: bool) -> int:
    """One self-contained HTML page: counts, agreement, confusions, the images to look at, and what changed and why.

    It holds pictures of the dataset: mind the dataset's licence before you pass it on.
    """
    from acbench._util import templates
    from acbench.storage.atomic import write_bytes
    from acbench.workflows import html_report as reporting
    from acbench.workflows.compare import compare
    from acbench.workflows.relabel import relabel

    with opened(project, benchmark) as run:
        facts, queue = relabel(run)
        labelled, proposed = queue.labelled, queue.labelled.proposed
        content = reporting.report(
            facts=facts,
            comparison=compare(run, labelled),
            items=proposed.dataset.by_id,
            labels=labelled.labels,
            proposals=proposed.by_item,
            waiting=queue.waiting,
            schema=run.schema,
            draw=lambda item_id: reporting.shrunk(run.files.evidence / f"{item_id}.jpg"),
        )
        page = templates.html("report", **content).encode()
        path = out or run.files.workspace / "report.html"
        write_bytes(path, page)
    pictures = sum(bool(each["picture"]) for each in content["queue"])
    if as_json:
        click.echo(json.dumps({"file": str(path), "bytes": len(page), "pictures": pictures}))
    else:
        click.echo(f"{pictures:,} pictures, {len(page) / 1e6:.1f} MB → {path}")
    return 0
