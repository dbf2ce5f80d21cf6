"""`acbench app`: a benchmark in the FiftyOne App, and what people mark there as reviews."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench.cli.options import Command, benchmark_argument, json_option, named, opened, option, project_option
from acbench.errors import AcbenchError

if TYPE_CHECKING:
    from acbench.workflows.app import Collected, Shown

EPILOG = """\b
Examples:
  acbench app sample
  acbench app mvtec_ac --remote --port 5152
  acbench app sample --collect --reviewer ada

In the App, tag an image with a class (or `good`, `bad_image`, `bad_mask`) to decide it, with `recheck` or
`recheck: why` to see it again, with `undo` to take back what you decided about it there; or put another class into
its label. Then collect.
"""


@click.command(cls=Command, epilog=EPILOG)
@benchmark_argument
@option(
    "--predictions", "systems", multiple=True, metavar="SYSTEM", help="Show this scored system too; can be repeated."
)
@option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    default=5151,
    show_default=True,
    help="Serve the App on this port of this machine.",
)
@option("--remote", is_flag=True, help="Open no browser, and say how to reach the App from another machine.")
@option("--update", "only_update", is_flag=True, help="Bring the FiftyOne dataset up to date, and open nothing.")
@option("--collect", is_flag=True, help="Turn what was marked in the App into reviews, and open nothing.")
@option("--reviewer", metavar="NAME", help="Who marked it; needed by --collect.")
@option("--yes", is_flag=True, help="Collect even what looks like a slip: many images with one mark.")
@json_option
@project_option
def app(
    benchmark: str,
    project: Path,
    systems: tuple[str, ...],
    port: int,
    remote: bool,
    only_update: bool,
    collect: bool,
    reviewer: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Look at a benchmark in the FiftyOne App.

    Images, masks, labels, proposals, reviews and the queue become a FiftyOne dataset, which is updated in place.
    Needs the MongoDB that comes with FiftyOne, or one that FIFTYONE_DATABASE_URI names.
    """
    from acbench.integrations.fiftyone import server
    from acbench.workflows import app as workflow

    if collect:
        who = (reviewer or "").strip()
        if not who:
            raise AcbenchError(
                "who marked it? A review names its reviewer", "acbench app … --collect --reviewer YOUR_NAME"
            )
        with opened(project, benchmark) as run:
            collected = workflow.collect(run, who, systems, sure=yes)
            reviews, queue = (run.files.project.relative(path) for path in (run.files.reviews, run.files.queue))
        _print_collected(collected, reviews, queue, as_json)
        return 0
    if not only_update:
        server.check_free(port)
    with opened(project, benchmark) as run:
        shown = workflow.show(run, systems)
    _print_shown(shown, benchmark, as_json)
    if only_update:
        return 0
    with server.running_app(shown.dataset, port, browser=not remote) as session:
        click.echo(f"App: http://127.0.0.1:{port}   (Ctrl-C ends it)", err=True)
        if remote:
            click.echo(f"From another machine: ssh -N -L {port}:127.0.0.1:{port} USER@THIS_MACHINE", err=True)
        with suppress(KeyboardInterrupt):
            session.wait(-1)  # until Ctrl-C, or the end of the server
    again = f"acbench app {named(benchmark)} --collect --reviewer YOUR_NAME"
    click.echo(f"Next, if you marked anything: {again}", err=as_json)
    return 0


def _print_shown(shown: Shown, benchmark: str, as_json: bool) -> None:
    from acbench.cli.screen import Screen

    data, updated, screen = shown.dataset.data, shown.updated, Screen()
    if updated.older:
        screen.note("the FiftyOne dataset was of an older acbench: everything was written anew, tags were kept")
    if updated.left:
        screen.note(
            f"{updated.left:,} images with marks that nobody has collected stay as they were;"
            f" collect them: acbench app {named(benchmark)} --collect --reviewer YOUR_NAME"
        )
    if as_json:
        click.echo(json.dumps({"dataset": data.name, "images": len(data), **dataclasses.asdict(updated)}))
    else:
        click.echo(f"{data.name}: {len(data):,} images, {updated}")


def _print_collected(collected: Collected, reviews: str, queue: str, as_json: bool) -> None:
    """`reviews` and `queue`: the files that were written."""
    from acbench.cli.screen import Screen
    from acbench.review.app_marks import RECHECK

    counts = dataclasses.asdict(collected.counts)
    if as_json:
        click.echo(json.dumps({**counts, "waiting": collected.waiting}))
        return
    words = f"{counts['decided']:,} decisions, {counts[RECHECK]:,} to be seen again, {counts['same']:,} known already"
    words += f", {counts['undone']:,} taken back" if counts["undone"] else ""
    click.echo(f"{words} → {reviews}")
    click.echo(f"{collected.waiting:,} images wait for people → {queue}")
    if collected.other_tags:
        Screen().note(
            f"tags that are no class of their image and no word of acbench stay: {', '.join(collected.other_tags)}"
        )
