"""`acbench report`: one HTML page that says where a benchmark stands."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench.cli.options import benchmark_argument, json_option, opened, option, project_option

if TYPE_CHECKING:
    from acbench.workflows.html_report import WrittenPage

UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
"""Units of a size, in lower case → bytes."""
LARGEST = 10**9
"""Bytes. A browser reads the page as a whole."""


def _size(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Bytes that a text such as `20MB` names."""
    match = re.fullmatch(r"\s*([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z]*)\s*", value)
    unit = UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise click.BadParameter(f"{value[:40]!r} is no size, such as 20MB or 8.5MB", ctx, param)
    size = round(float(match[1]) * unit)
    if not 0 < size <= LARGEST:
        raise click.BadParameter(f"{value} is not between nothing and 1GB, which a browser still opens", ctx, param)
    return size


@click.command(epilog="\b\nExample:\n  acbench report sample --out report.html --max-size 8MB")
@benchmark_argument
@option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page to this file.  [default: .acbench/BENCHMARK/report.html]",
)
@option(
    "--max-size",
    "max_bytes",
    metavar="SIZE",
    default="20MB",
    show_default=True,
    callback=_size,
    help="Make the page no larger than this: pictures become smaller, and those without room are left out and named.",
)
@option("--pseudonyms", is_flag=True, help="Name nobody: pseudonyms stand for those who decided, as in a release.")
@json_option
@project_option
def report(benchmark: str, project: Path, out: Path | None, max_bytes: int, pseudonyms: bool, as_json: bool) -> int:
    """Write one self-contained HTML page to work with: how right the labels are, what changed, and each image.

    Images of the queue and changed ones can be searched and filtered, with pictures and their history; a link to a
    choice or an image shows the same again. The page holds pictures of the dataset and, without --pseudonyms, names
    those who decided: mind the dataset's licence, and them, before you pass it on.
    """
    from acbench.workflows.html_report import write_page

    with opened(project, benchmark) as run:
        page = write_page(run, out, max_bytes=max_bytes, pseudonyms=pseudonyms)
    if as_json:
        facts = dataclasses.asdict(page)
        click.echo(json.dumps({"file": str(facts.pop("path")), "pictures": page.thumbnails, **facts}, indent=1))
    else:
        _print(page, max_bytes)
    return 0


def _print(page: WrittenPage, max_bytes: int) -> None:
    from acbench._util.plural import counted

    pictures = f"{counted(page.thumbnails, 'picture')} {page.height} pixels high, {page.large:,} of them also large"
    click.echo(f"{counted(page.images, 'image')}, {pictures}, {page.bytes / 1e6:.1f} MB → {page.path}")
    if page.left_out:
        named = ", ".join(page.left_out[:3]) + (f" and {len(page.left_out) - 3:,} more" if page.left_out[3:] else "")
        click.echo(f"! {max_bytes / 1e6:g} MB have no room for the pictures of {named}: give a larger --max-size")
    if page.unreadable:
        click.echo(f"! {counted(len(page.unreadable), 'image')} could not be read: {', '.join(page.unreadable[:3])}")
    if page.people:
        click.echo(f"It names {counted(page.people, 'person', 'people')} who decided; --pseudonyms names nobody.")
