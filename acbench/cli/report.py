"""`acbench report`: one HTML page that says where a benchmark stands."""

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
    help="Write the page to this file.  [default: .acbench/BENCHMARK/report.html]",
)
@json_option
@project_option
def report(benchmark: str, project: Path, out: Path | None, as_json: bool) -> int:
    """Write one self-contained HTML page: counts, agreement, confusions, images to look at, and changes with reasons.

    The page holds pictures of the dataset: mind the dataset's licence before you pass it on.
    """
    from acbench.workflows.html_report import write_page

    with opened(project, benchmark) as run:
        page = write_page(run, out)
    if as_json:
        click.echo(json.dumps({"file": str(page.path), "bytes": page.bytes, "pictures": page.pictures}))
    else:
        click.echo(f"{page.pictures:,} pictures, {page.bytes / 1e6:.1f} MB → {page.path}")
    return 0
