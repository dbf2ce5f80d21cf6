"""`acbench app`: a benchmark in the FiftyOne App, and what people mark there as reviews."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench.cli.options import Command, benchmark_argument, json_option, named, opened, option, project_option
from acbench.errors import AcbenchError, ProjectBusy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acbench.workflows.app import Collected, Shown

MAX_LISTED = 20
"""How many marks that were not taken are listed."""
EPILOG = """\b
Examples:
  acbench app sample
  acbench app mvtec_ac --remote --port 5152
  acbench app sample --collect --reviewer ada

In the App, the panel Decide records what you press at once, in the name that you give at the start; Benchmark counts.
Tags work too: tag an image with a class (or `good`, `bad_image`, `bad_mask`) to decide it, with `recheck` or
`recheck: why` to see it again, with `undo` to take back what you decided about it there. Then collect.
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
@option(
    "--reviewer", metavar="NAME", help="Who decides in the App, or marked what is collected; asked for on a screen."
)
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
    from acbench.cli.screen import Screen
    from acbench.integrations.fiftyone import server
    from acbench.workflows import app as workflow

    if collect:
        who = (reviewer or "").strip()
        if not who:
            raise AcbenchError(
                "who marked it? A review names its reviewer",
                f"acbench app {named(benchmark)} --collect --reviewer YOUR_NAME",
            )
        with opened(project, benchmark) as run:
            collected = workflow.collect(run, who, systems, sure=yes)
            files = _here(run.files.reviews.place), _here(run.files.queue)
        _print_collected(collected, *files, as_json)
        return 3 if collected.problems else 0
    if not only_update:
        server.check_free(port)
        reviewer = _reviewer(reviewer)
    with opened(project, benchmark) as run:
        shown = workflow.show(run, systems)
        log, before = run.files.workspace / "app.log", workflow.reviews_mark(run)
        desk = workflow.desk_address(run, shown, reviewer or "")
    _print_shown(shown, benchmark, as_json)
    if only_update:
        return 0
    with server.running_app(shown.dataset, port, browser=not remote, desk=desk, log=log) as session:
        click.echo(f"App: http://127.0.0.1:{port}   (Ctrl-C ends it)", err=True)
        if remote:
            click.echo(f"From another machine: ssh -N -L {port}:127.0.0.1:{port} USER@THIS_MACHINE", err=True)
        who = f"in the name of {reviewer}" if reviewer else "by nobody: for decisions give --reviewer YOUR_NAME"
        click.echo(f"The panel Decide records what is pressed there {who}", err=True)
        ended = server.wait(session)
    if not ended:
        Screen().note(f"the server of the App has ended by itself; what it said is in {_here(log)}")
    try:
        with opened(project, benchmark) as run:
            if workflow.reviews_mark(run) != before:
                report = workflow.bring_home(run)
                click.echo(f"{report.queue.waiting:,} images wait for people → {_here(run.files.queue)}", err=as_json)
    except ProjectBusy as error:
        Screen().note(f"{error.message}: labels and queue follow with acbench relabel {named(benchmark)}")
    if workflow.marked(shown):
        again = f"acbench app {named(benchmark)} --collect --reviewer {shlex.quote(reviewer or 'YOUR_NAME')}"
        click.echo(f"Next, to take in what was marked with tags: {again}", err=as_json)
    return 0


def _reviewer(given: str | None) -> str:
    """In whose name decisions are recorded: as it was given, or asked for on a screen; empty for nobody's."""
    from acbench.review.decisions import DecisionError, reviewer_name

    if given is None and sys.stdin.isatty():
        given = click.prompt("Who decides? Your name, or Enter to look only", default="", show_default=False, err=True)
    name = (given or "").strip()
    if name:
        try:
            reviewer_name(name)
        except DecisionError as error:
            raise AcbenchError(str(error), "give --reviewer NAME") from None
    return name


def _here(path: Path) -> str:
    """A path as it is typed where one stands."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _print_shown(shown: Shown, benchmark: str, as_json: bool) -> None:
    from acbench.cli.screen import Screen

    data, updated, screen = shown.dataset.data, shown.updated, Screen()
    if updated.older:
        screen.note("the FiftyOne dataset was of an older acbench: everything was written anew, tags were kept")
    for view in updated.views:
        screen.note(f"your saved view {view} looks for class ids, and labels show names now: make it again")
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

    counts, screen = dataclasses.asdict(collected.counts), Screen()
    for problem in _listed(collected.problems):
        screen.note(f"not taken: {problem}")
    for line in _listed([f"{image}: {tag}" for image, tag in collected.other_tags]):
        screen.note(f"a tag that is no class of its image and no word of acbench stays: {line}")
    if as_json:
        left = {"problems": list(collected.problems), "other_tags": [list(pair) for pair in collected.other_tags]}
        click.echo(json.dumps({**counts, "waiting": collected.waiting, **left}))
        return
    words = f"{counts['decided']:,} decisions, {counts[RECHECK]:,} to be seen again, {counts['same']:,} known already"
    words += f", {counts['undone']:,} taken back" if counts["undone"] else ""
    click.echo(f"{words} → {reviews}")
    click.echo(f"{collected.waiting:,} images wait for people → {queue}")


def _listed(lines: Sequence[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - MAX_LISTED
    return [*lines[:MAX_LISTED], *([f"and {more:,} more"] if more > 0 else [])]
