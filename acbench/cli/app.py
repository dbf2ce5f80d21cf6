"""`acbench app`: the benchmark in the FiftyOne App, and what was marked there back into the reviews."""

from __future__ import annotations

import dataclasses
import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench.cli.options import Command, benchmark_argument, json_option, option, project_option
from acbench.cli.wire import pipeline
from acbench.errors import AcbenchError

if TYPE_CHECKING:
    from acbench.adapters.fiftyone_app import Updated

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
    from acbench.adapters import fiftyone_server as server

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
    from acbench.adapters import fiftyone_app as viewer
    from acbench.cli.screen import Screen
    from acbench.stages.flags import RECHECK

    who = (reviewer or "").strip()
    if not who:
        raise AcbenchError("who marked it? A review names its reviewer", "acbench app … --collect --reviewer YOUR_NAME")
    name = viewer.dataset_name(schemas.load(benchmark).benchmark, project.resolve())
    shelf = viewer.shelf(name, make=False)
    if shelf is None:
        raise AcbenchError("this benchmark was never opened in the App", f"acbench app {shlex.quote(benchmark)}")
    with pipeline(project, benchmark) as line, viewer.database_errors():
        _refuse_remote(line)
        found = line.collect(shelf.flags(), who, sure=yes)
        line.relabel()  # so that status and report tell of it
        queue = line.waiting()
        where = line.bench.project.relative(line.bench.reviews)
        shelf.settle(found.taken)
        _show(line, shelf, systems)
    counts = found.counts | {"waiting": len(queue)}
    if as_json:
        click.echo(json.dumps(counts))
        return 0
    said = f"{counts['decided']:,} decisions, {counts[RECHECK]:,} to be seen again, {counts['same']:,} known already"
    said += f", {counts['undone']:,} taken back" if counts["undone"] else ""
    click.echo(f"{said} → {where}")
    click.echo(f"{counts['waiting']:,} images wait for people → {line.bench.project.relative(line.bench.queue)}")
    if found.other_tags:
        Screen().note(
            f"tags that are no class of their image and no word of acbench stay: {', '.join(found.other_tags)}"
        )
    return 0


def _updated(benchmark: str, project: Path, systems: tuple[str, ...]) -> tuple[Any, Updated]:
    """The dataset, brought up to date, and what that did."""
    from acbench.adapters import fiftyone_app as viewer
    from acbench.cli.screen import Screen

    screen = Screen()
    with pipeline(project, benchmark) as line:
        _refuse_remote(line)
        shelf = viewer.shelf(viewer.dataset_name(line.bench.benchmark, line.bench.project.folder))
        assert shelf is not None, "made if it was not there"
        with viewer.database_errors():
            done = _show(line, shelf, systems)
    if done.older:
        screen.note("the FiftyOne dataset was of an older acbench: everything was written anew, tags were kept")
    if done.left:
        screen.note(
            f"{done.left:,} images with marks that nobody has collected stay as they were;"
            f" collect them: acbench app {shlex.quote(benchmark)} --collect --reviewer YOUR_NAME"
        )
    return shelf, done


def _refuse_remote(line: Any) -> None:
    """FiftyOne reads pictures from the paths in its database, and knows paths of this machine only."""
    from acbench.roots import root_at
    from acbench.urls import Url

    root = root_at(line.settings.root or "")
    if isinstance(root, Url):
        copy = f"f, p = url_to_fs({str(root)!r}); f.get(p.rstrip('/') + '/', 'COPY/', recursive=True)"
        raise AcbenchError(
            f"the FiftyOne App shows pictures of this machine only, and the dataset is at {root}",
            "copy it, and name the copy; labels and answers stay as they are:\n"
            f'    python -c "from fsspec.core import url_to_fs; {copy}"\n'
            f"    acbench relabel {shlex.quote(line.settings.schema)} --root COPY",
        )


def _show(line: Any, shelf: Any, systems: tuple[str, ...]) -> Updated:
    """Bring the dataset up to date, unless it is."""
    from acbench.adapters.fiftyone_app import Updated
    from acbench.proposers import neighbours

    key = _key(line, systems)
    if shelf.key == key:
        return Updated()
    with line.console.stage("update the App") as progress:
        done: Updated = shelf.update(
            _cards(line, systems),
            key=key,
            classes=_classes(line),
            vectors=neighbours.build(line.setup).known(line.ingested.items),
            model=line.embedder.name,
            progress=progress,
        )
    return done


def _key(line: Any, systems: tuple[str, ...]) -> str:
    """Of all that the cards depend on."""
    from acbench.cards import FORMAT
    from acbench.ledger import digest, sha256_file

    tables = [(name, sha256_file(_table(line, name))) for name in sorted(set(systems))]
    line.queue()
    bench = line.bench
    inputs = [bench.items, bench.labels, bench.triage, bench.queue, bench.reviews]
    inputs += [bench.proposals(each) for each in line.proposer_names()]
    hashes = [sha256_file(path) for path in inputs]
    return digest(FORMAT, str(line.ingested.root), line.schema.digest, tables, hashes)


def _cards(line: Any, systems: tuple[str, ...]) -> Any:
    from acbench import store
    from acbench.records import Prediction
    from acbench.stages.show import cards

    return cards(
        line.ingested.items,
        line.ingested.root,
        labels=line.labels(),
        proposals=line.proposals,
        reviews=line.reviews,
        ranked=line.ranked(),
        waiting=line.waiting(),
        predictions={name: store.read(_table(line, name), Prediction) for name in sorted(set(systems))},
        schema=line.schema,
    )


def _classes(line: Any) -> list[str]:
    from acbench.records import GOOD

    return [GOOD, *sorted({one for category in line.schema.categories.values() for one in category.class_ids})]


def _table(line: Any, system: str) -> Path:
    folder = line.bench.work / "predictions"
    known = sorted(path.stem for path in folder.glob("*.parquet"))
    if system not in known:
        raise AcbenchError(
            f"there are no predictions of {system!r} for {line.bench.benchmark}",
            f"known: {', '.join(known) or 'none yet'}",
        )
    return Path(folder / f"{system}.parquet")


def _wait(session: Any) -> None:
    """Until Ctrl-C, or the end of the server."""
    with suppress(KeyboardInterrupt):
        session.wait(-1)
