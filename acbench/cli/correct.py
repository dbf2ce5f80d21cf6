"""`acbench correct`: writes down a wrong label of a release, for whoever maintains it."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from acbench._util.text import json_text
from acbench.cli.options import Command, json_option, option

EPILOG = """\b
Examples:
  acbench correct my-org/mvtec-ac@v1.0.0 bottle/test/broken_small/003.png --label broken_large --because "120 degrees"
  acbench correct my-org/mvtec-ac bottle/test/good/004.png --label bad_image --because "out of focus"
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("release", metavar="REPO|FOLDER")
@click.argument("image", metavar="IMAGE")
@option(
    "--label",
    required=True,
    metavar="CLASSES",
    help="What it shows: class ids joined by ` + `; or `good`, `unsure`, `bad_image`, `bad_mask`.",
)
@option("--because", required=True, metavar="TEXT", help="What shows it; it goes along with the label.")
@option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="corrections.csv",
    show_default=True,
    metavar="FILE",
    help="The file to add a row to.",
)
@option(
    "--reviewer",
    default="",
    metavar="NAME",
    help="Your name, if the decision may be kept under it.  [default: whoever takes the file in gives one]",
)
@option("--schema", metavar="FILE", help="Label schema of a benchmark of your own.  [default: that of the release]")
@json_option
def correct(
    release: str, image: str, label: str, because: str, out: Path, reviewer: str, schema: str | None, as_json: bool
) -> int:
    """Write down that an image of a release has another label, and why.

    IMAGE is an `item_id` or an `image_path`. Each call adds a row to a file that maintainers of the benchmark take in
    as they do their own queue. Where to send it stands in the card of the release.
    """
    from acbench import schema as schemas
    from acbench.workflows.correct import correct as run_correct

    known = schemas.load(schema, Path()) if schema else None
    done = run_correct(release, image, label, because, out, reviewer=reviewer, schema=known)
    if as_json:
        facts = {
            "item_id": done.entry.item_id,
            "image": done.entry.image,
            "labels": list(done.entry.labels),
            "label": done.label,
            "file": str(done.file),
            "rows": done.rows,
            "known": done.known,
        }
        click.echo(json_text(facts))
        return 0
    now = ", ".join(done.entry.labels) or done.entry.status
    what = "said so already" if done.known else f"has {done.rows:,} row{'s' * (done.rows != 1)}"
    click.echo(f"{done.entry.image}: {now} → {done.label}; {out} {what}.")
    name = "" if reviewer else " --reviewer NAME"
    click.echo("Send the file to whoever maintains the benchmark: the card of the release says where. They run")
    click.echo(f"  acbench relabel {shlex.quote(done.benchmark)} --reviews {shlex.quote(str(out))}{name}")
    return 0
