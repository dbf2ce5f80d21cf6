"""`acbench review serve | push | pull`: the desk in Label Studio."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench.cli.options import benchmark_argument, json_option, opened, option, project_option, together
from acbench.errors import AnnotationToolError
from acbench.storage.project import Project, existing_project

if TYPE_CHECKING:
    from acbench.integrations.label_studio.tool import LabelStudio
    from acbench.review.pull import PullResult
    from acbench.review.push import PushResult
    from acbench.workflows.propose import Proposed
    from acbench.workflows.queue import Queue
    from acbench.workflows.run import Run

QUEUES = ("all", "disputed", "audit")
URL, KEY = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"


push_options = together(
    option("--round", "turn", type=click.IntRange(min=1), help="Of the tasks.  [default: the one each is due]"),
    option(
        "--queue",
        "part",
        type=click.Choice(QUEUES),
        default="all",
        show_default=True,
        help="All that waits; only where people or witnesses differ; only the audit sample.",
    ),
    option(
        "--blind",
        type=click.FloatRange(0, 1),
        default=0.1,
        show_default=True,
        help="Share of the tasks without proposals, drawn by the seed.",
    ),
    option("--annotators", type=click.IntRange(1, 100), help="People each image is put to.  [default: 1]"),
    option("--restore-form", is_flag=True, help="Put back a form that was edited by hand."),
)
"""What is put on the desk."""


@click.command(epilog="\b\nExample:\n  acbench review serve")
@option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="On this machine alone.")
@json_option
@project_option
def serve(project: Path, port: int, as_json: bool) -> int:
    """Start a Label Studio for this project, and stay until Ctrl-C.

    Its password can be chosen before the first start: LABEL_STUDIO_PASSWORD.
    """
    from acbench.integrations.label_studio import server as servers

    place = existing_project(project)
    pictures = place.annotation_tool / "pictures"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    click.echo("Starting Label Studio; the first time takes half a minute …", err=True)
    password = os.environ.get("LABEL_STUDIO_PASSWORD")
    server, process = servers.start(place.annotation_tool, pictures, port=port, password=password)
    try:
        chosen = None if server.password is None or password else server.password
        if as_json:
            click.echo(json.dumps({"url": server.url, "user": servers.USER, "password": chosen}))
        else:
            known = "as in LABEL_STUDIO_PASSWORD" if server.password else "as at the first start"
            click.echo(
                f"{server.url}\n"
                f"  user      {servers.USER}\n"
                f"  password  {chosen or known}\n"
                f"  others    sign up at {server.url}/user/signup\n"
                "Commands in this project find it by themselves: acbench review push BENCHMARK\n"
                "Ctrl-C ends it."
            )
        while process.poll() is None:
            time.sleep(0.2)
    finally:
        servers.stop(process, place.annotation_tool)
    raise AnnotationToolError(
        f"Label Studio ended ({process.returncode})", f"see why: tail {place.annotation_tool / 'label-studio.log'}"
    )


@click.command(
    epilog="\b\nExamples:\n  acbench review push sample\n  acbench review push mvtec_ac --queue disputed --annotators 2"
)
@benchmark_argument
@push_options
@json_option
@project_option
def push(benchmark: str, project: Path, as_json: bool, **options: Any) -> int:
    """Put the queue on the desk, each image once, however often this is run."""
    from acbench.workflows.label import label, prepare
    from acbench.workflows.queue import rank

    with opened(project, benchmark) as run, annotation_tool(run.files.project) as found:
        result = push_to(run, rank(run, label(run, prepare(run))), found, **options)
    if as_json:
        from acbench.storage.typed_json import to_json

        click.echo(json.dumps({key: to_json(each) for key, each in result.items()}, indent=1))
    else:
        click.echo(pushed_words(result, found.url))
    return 0


@click.command(epilog="\b\nExample:\n  acbench review pull sample")
@benchmark_argument
@json_option
@project_option
def pull(benchmark: str, project: Path, as_json: bool) -> int:
    """Bring home what people decided on the desk, and make labels of it."""
    from acbench.workflows import annotate
    from acbench.workflows.label import label, prepare

    with opened(project, benchmark) as run, annotation_tool(run.files.project) as found:
        proposed = prepare(run)
        result = annotate.pull(run, found, proposed.dataset)
        label(run, proposed)
        where = run.files.reviews
    if as_json:
        click.echo(json.dumps({**pulled_facts(result)}, indent=1, ensure_ascii=False))
    else:
        click.echo(f"{pulled_words(result)} → {where}")
    return 0


def cycle(run: Run, proposed: Proposed) -> tuple[dict[str, Any], dict[str, Any], str]:
    """`relabel` with an annotation tool: pull, relabel, push.

    Gives the facts of `relabel` and of the tool, and the next step.
    """
    from acbench.storage.typed_json import to_json
    from acbench.workflows import annotate
    from acbench.workflows.relabel import relabel

    with annotation_tool(run.files.project) as found:
        pulled = annotate.pull(run, found, proposed.dataset)
        facts, queue = relabel(run, proposed)
        pushed = push_to(run, queue, found)
    said = f"{pulled_words(pulled)}; {pushed_words(pushed, found.url)}"
    again = f"acbench relabel {run.schema.argument} --review label-studio"
    step = f"decide at {found.url}, then\n  {again}" if pushed else "nothing waits for people"
    result = {"pulled": pulled_facts(pulled), "pushed": {key: to_json(each) for key, each in pushed.items()}}
    return facts, result, f"{step}\n\nDesk: {said}"


@contextmanager
def annotation_tool(project: Project) -> Iterator[LabelStudio]:
    """The Label Studio of the environment, or the one that `serve` started for this project."""
    from acbench.integrations.label_studio import server as servers
    from acbench.integrations.label_studio.tool import LabelStudio

    own = servers.running(project.annotation_tool)
    url, key = os.environ.get(URL), os.environ.get(KEY)
    if url is None and own is not None:
        url, key = own
    if url is None:
        raise AnnotationToolError(
            "there is no review desk",
            f"start one and leave it running: acbench review serve; or set {URL} and {KEY} to your team's",
        )
    if key is None:
        raise AnnotationToolError(f"{KEY} is not set", f"copy the key from Account & Settings at {url}: export {KEY}=…")
    served = project.annotation_tool / "pictures" if own is not None and url.rstrip("/") == own[0] else None
    found = LabelStudio(url, key, served=served)
    try:
        yield found
    finally:
        found.close()


def push_to(run: Run, queue: Queue, found: LabelStudio, **options: Any) -> dict[str, PushResult]:
    """Push with the options of a command."""
    from acbench.integrations.label_studio.tool import check
    from acbench.storage.atomic import sweep
    from acbench.workflows import annotate

    sweep(run.files.task_pictures)
    return annotate.push(run, found, annotate.Plan(**options), queue, check)


def pushed_words(result: dict[str, PushResult], url: str) -> str:
    """What came of a push, in words."""
    if not result:
        return "Nothing waits for people."
    total = {name: sum(getattr(each, name) for each in result.values())
             for name in ("sent", "blind", "there", "held", "removed", "twice")}  # fmt: skip
    text = f"{total['sent']:,} tasks put on the desk ({total['blind']:,} blind), {total['there']:,} were there"
    more = (
        ("held", "wait until an earlier round is decided"),
        ("removed", "were there twice and untouched: the spare one is gone"),
        ("twice", "are there twice, and people worked on both: both are pulled"),
    )
    text += "".join(f"; {total[name]:,} {words}" for name, words in more if total[name])
    return f"{text} → {url}"


WORDS = {
    "new": "new decisions",
    "changed": "changed",
    "withdrawn": "withdrawn",
    "same": "known already",
    "skipped": "skipped",
    "drafts": "drafts",
    "empty": "without a choice",
    "contradictory": "contradictory",
    "unknown_class": "of unknown classes",
    "edited_form": "from an edited form",
    "unknown_item": "of unknown images",
    "not_ours": "tasks that acbench did not make",
    "task_gone": "whose task is gone",
    "prefilled": "on a form that a proposal had filled in",
}
ALWAYS = ("new", "changed", "withdrawn", "same")


def pulled_words(result: PullResult) -> str:
    """What came of a pull, in words; what a person should look at stands on lines of its own."""
    words = ", ".join(f"{result.counts[k]:,} {w}" for k, w in WORDS.items() if result.counts[k] or k in ALWAYS)
    if result.undecided:
        words += f"; {len(result.undecided):,} images were looked at and not decided: the next push puts them up again"
    return "\n".join([*(f"! {remark}" for remark in result.remarks), words])


def pulled_facts(result: PullResult) -> dict[str, Any]:
    """The same as JSON-ready values."""
    return {**{name: result.counts[name] for name in WORDS}, "remarks": result.remarks}
