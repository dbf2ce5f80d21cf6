"""`acbench app`: the benchmark in the FiftyOne App, and what was marked there back into the reviews."""

from __future__ import annotations

import dataclasses
import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench.cli.options import Command, benchmark_argument, json_option, opened, option, project_option
from acbench.errors import AcbenchError

if TYPE_CHECKING:
    from acbench.integrations.fiftyone.dataset import Shelf, Updated

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
@option("--port", type=click.IntRange(1, 65535), default=5151, show_default=True, help="Of the App, on this machine.")
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

    if collect:
        return _collect(benchmark, project, systems, reviewer, yes, as_json)
    if not only_update:
        server.see_that_free(port)
    shelf, done = _updated(benchmark, project, systems)
    count = len(shelf.data)
    if as_json:
        click.echo(json.dumps({"dataset": shelf.data.name, "images": count, **dataclasses.asdict(done)}))
    else:
        click.echo(f"{shelf.data.name}: {count:,} images, {done}")
    if only_update:
        return 0
    with server.app(shelf, port, browser=not remote) as session:
        click.echo(f"App: http://127.0.0.1:{port}   (Ctrl-C ends it)", err=True)
        if remote:
            click.echo(f"From another machine: ssh -N -L {port}:127.0.0.1:{port} USER@THIS_MACHINE", err=True)
        _wait(session)
    again = shlex.join(["acbench", "app", benchmark, "--collect", "--reviewer", "YOUR_NAME"])
    click.echo(f"Next, if you marked anything: {again}", err=as_json)
    return 0


def _collect(
    benchmark: str, project: Path, systems: tuple[str, ...], reviewer: str | None, yes: bool, as_json: bool
) -> int:
    from acbench import schema as schemas
    from acbench.cli.screen import Screen
    from acbench.integrations.fiftyone import dataset as viewer
    from acbench.review.app_marks import RECHECK
    from acbench.workflows import app as viewing
    from acbench.workflows.label import prepare
    from acbench.workflows.relabel import relabel
    from acbench.workflows.reviews import collect_marks

    who = (reviewer or "").strip()
    if not who:
        raise AcbenchError("who marked it? A review names its reviewer", "acbench app … --collect --reviewer YOUR_NAME")
    name = viewer.dataset_name(schemas.load(benchmark).benchmark, project.resolve())
    shelf = viewer.shelf(name, make=False)
    if shelf is None:
        raise AcbenchError("this benchmark was never opened in the App", f"acbench app {shlex.quote(benchmark)}")
    with opened(project, benchmark) as run, viewer.database_errors():
        viewing.refuse_remote(run)
        proposed = prepare(run)
        found = collect_marks(run, proposed, shelf.flags(), who, sure=yes)
        _, queue = relabel(run, proposed)  # so that status and report tell of it
        where = run.files.project.relative(run.files.reviews)
        shelf.settle(found.taken)
        viewing.update(run, queue, shelf, systems)
    counts = dataclasses.asdict(found.counts) | {"waiting": len(queue.waiting)}
    if as_json:
        click.echo(json.dumps(counts))
        return 0
    said = f"{counts['decided']:,} decisions, {counts[RECHECK]:,} to be seen again, {counts['same']:,} known already"
    said += f", {counts['undone']:,} taken back" if counts["undone"] else ""
    click.echo(f"{said} → {where}")
    click.echo(f"{counts['waiting']:,} images wait for people → {run.files.project.relative(run.files.queue)}")
    if found.other_tags:
        Screen().note(
            f"tags that are no class of their image and no word of acbench stay: {', '.join(sorted(found.other_tags))}"
        )
    return 0


def _updated(benchmark: str, project: Path, systems: tuple[str, ...]) -> tuple[Shelf, Updated]:
    """The dataset, brought up to date, and what that did."""
    from acbench.cli.screen import Screen
    from acbench.integrations.fiftyone import dataset as viewer
    from acbench.workflows import app as viewing
    from acbench.workflows.label import label, prepare
    from acbench.workflows.queue import rank

    screen = Screen()
    with opened(project, benchmark) as run:
        viewing.refuse_remote(run)
        shelf = viewer.shelf(viewer.dataset_name(run.files.benchmark, run.files.project.folder))
        assert shelf is not None, "made if it was not there"
        with viewer.database_errors():
            done = viewing.update(run, rank(run, label(run, prepare(run))), shelf, systems)
    if done.older:
        screen.note("the FiftyOne dataset was of an older acbench: everything was written anew, tags were kept")
    if done.left:
        screen.note(
            f"{done.left:,} images with marks that nobody has collected stay as they were;"
            f" collect them: acbench app {shlex.quote(benchmark)} --collect --reviewer YOUR_NAME"
        )
    return shelf, done


def _wait(session: Any) -> None:
    """Until Ctrl-C, or the end of the server."""
    with suppress(KeyboardInterrupt):
        session.wait(-1)
