"""`acbench review serve | push | pull`: people decide in Label Studio."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acbench._util.text import json_text
from acbench.cli.options import benchmark_argument, json_option, opened, option, project_option
from acbench.storage.project import existing_project

if TYPE_CHECKING:
    from acbench.review.pull import PullResult
    from acbench.workflows.label_studio import Pushed
    from acbench.workflows.relabel import Cycle

QUEUES = ("all", "disputed", "audit")


@click.command(epilog="\b\nExample:\n  acbench review serve --user ada@example.org")
@option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    default=8080,
    show_default=True,
    help="Serve Label Studio on this port.",
)
@option("--user", metavar="ADDRESS", help="Make an account for this person, unless they have one.")
@option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Listen at this address of this machine. Any but the default lets others reach it, unencrypted.",
)
@option(
    "--public-url",
    metavar="URL",
    default="",
    help="The address under which a reverse proxy shows it, such as https://labels.example.org/ls.",
)
@json_option
@project_option
def serve(project: Path, port: int, user: str | None, host: str, public_url: str, as_json: bool) -> int:
    """Start a Label Studio for this project, and stay until Ctrl-C.

    Only this machine can reach it, unless --host says otherwise. Decisions count for people alone: everybody has an
    account of their own, from --user, `acbench review people add` or the link for signing up. LABEL_STUDIO_PASSWORD
    sets the password of an account that is made.
    """
    from acbench.integrations.label_studio import server as servers
    from acbench.workflows import label_studio, people

    place = existing_project(project)
    _check_public(public_url)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    click.echo("Starting Label Studio; the first time takes half a minute …", err=True)
    with label_studio.serving(place, port=port, host=host, public=public_url) as (server, process):
        shown = public_url.rstrip("/") or server.url
        if user is None and not as_json and sys.stdin.isatty() and not people.admit(place, None).accounts:
            user = click.prompt("Who decides? Decisions are recorded under your name. Your e-mail address", err=True)
        admission = people.admit(place, user)
        made = admission.made
        if as_json:
            facts = {"user": user, "password": made and made.password, "invitation": admission.invitation}
            click.echo(json.dumps({"url": shown, **facts}))
        else:
            click.echo(shown)
            if user is None:
                known = "sign in as before" if admission.accounts else "nobody has an account yet"
                click.echo(f"  {known}; who decides: acbench review people")
            elif made is None:
                click.echo(f"  user      {user}\n  password  as before; if lost: acbench review people password {user}")
            else:
                is_set = bool(os.environ.get(label_studio.PASSWORD))
                password = f"as in {label_studio.PASSWORD}" if is_set else made.password
                click.echo(f"  user      {user}\n  password  {password}")
            click.echo(
                f"  others    acbench review people add ADDRESS, or send them this link: {admission.invitation}\n"
                "Commands in this project find it by themselves: acbench review push BENCHMARK\n"
                "Ctrl-C ends it."
            )
        if host != servers.HOST:
            click.echo(_exposed(host, port, public_url), err=True)
        servers.wait(process, place.annotation_tool)
    return 0


def _check_public(url: str) -> None:
    """Refuse what is no address of a web server."""
    if url and not url.startswith(("http://", "https://")):
        raise click.BadParameter("give it whole, as in https://labels.example.org/ls", param_hint="--public-url")


def _exposed(host: str, port: int, public_url: str) -> str:
    """What others on the network can do to a server that listens at more than loopback, and how it is done better."""
    name = public_url or "https://labels.example.org"
    return (
        f"! Whoever can reach port {port} of {host} sees the sign-in page, and passwords, pictures, decisions\n"
        "  travel there unencrypted. Whoever has an account can change and delete every project.\n"
        "  Better: leave --host out, and let people in\n"
        f"    by a tunnel, from their machine:   ssh -N -L {port}:127.0.0.1:{port} YOU@THIS_MACHINE\n"
        f"    or through a reverse proxy here:   caddy reverse-proxy --from {name} --to 127.0.0.1:{port}\n"
        f"                                       acbench review serve --public-url {name}"
    )


@click.command(
    epilog="\b\nExamples:\n  acbench review push sample\n  acbench review push mvtec_ac --queue disputed --annotators 2"
)
@benchmark_argument
@option(
    "--round",
    type=click.IntRange(min=1),
    metavar="N",
    help="Send all tasks in this round.  [default: the round that is due for each image]",
)
@option(
    "--queue",
    "part",
    type=click.Choice(QUEUES),
    default="all",
    show_default=True,
    help="Send the whole queue, only images where people or proposers differ, or only the sample drawn at random.",
)
@option(
    "--blind",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    default=0.1,
    show_default=True,
    help="Send this share of the tasks without proposals; the benchmark's seed draws them.",
)
@option(
    "--annotators",
    type=click.IntRange(1, 100),
    metavar="N",
    help="Ask this many people about each image, in its first round.  [default: 1 for a new project]",
)
@option(
    "--adjudicators",
    type=click.IntRange(1, 100),
    metavar="N",
    help="Ask this many others about each image that people have not settled.  [default: 1 for a new project]",
)
@option("--restore-form", is_flag=True, help="Put back a form that was edited by hand.")
@json_option
@project_option
def push(benchmark: str, project: Path, as_json: bool, **plan: Any) -> int:
    """Put the queue into Label Studio, each image once, however often this is run."""
    from acbench.workflows import label_studio
    from acbench.workflows.annotate import PushOptions

    with opened(project, benchmark) as run:
        pushed = label_studio.push(run, PushOptions(**plan))
    click.echo(json.dumps(pushed_facts(pushed), indent=1) if as_json else pushed_words(pushed))
    return 0


@click.command(epilog="\b\nExample:\n  acbench review pull sample")
@benchmark_argument
@option(
    "--claim",
    metavar="NAME",
    help="Take in what was decided under the server's own account, acbench@localhost, as decided by this person.",
)
@json_option
@project_option
def pull(benchmark: str, project: Path, claim: str | None, as_json: bool) -> int:
    """Bring home what people decided in Label Studio, and make labels of it.

    An answer of somebody who decided the image before is not taken where a later round asks others; it is named, and
    kept in `.acbench/BENCHMARK/refused_answers.json`.
    """
    from acbench.workflows import label_studio

    with opened(project, benchmark) as run:
        pulled = label_studio.pull(run, claim)
        where = run.files.reviews.place
    if as_json:
        click.echo(json_text(pulled_facts(pulled)))
    else:
        click.echo(f"{pulled_words(pulled)} → {where}")
    return 0


def cycle_facts(cycle: Cycle) -> dict[str, Any]:
    """What came of pull and push, as `relabel --json` prints it."""
    return {"pulled": pulled_facts(cycle.pulled), "pushed": pushed_facts(cycle.pushed)}


def cycle_words(cycle: Cycle, argument: str) -> str:
    """The next step after pull, relabel and push, and what came of them. `argument`: see `options.named`."""
    again = f"acbench relabel {argument} --review label-studio"
    waiting = cycle.pushed.results
    step = f"decide at {cycle.pushed.url}, then\n  {again}" if waiting else "nothing waits for people"
    return f"{step}\n\nLabel Studio: {pulled_words(cycle.pulled)}; {pushed_words(cycle.pushed)}"


def pushed_facts(pushed: Pushed) -> dict[str, Any]:
    """What came of a push, by category, as JSON-ready values."""
    from acbench.storage.typed_json import to_json

    return {category: to_json(result) for category, result in pushed.results.items()}


def pushed_words(pushed: Pushed) -> str:
    """What came of a push, in words."""
    results = pushed.results.values()
    if not results:
        return "Nothing waits for people."
    sent, blind, there = (
        sum(result.sent for result in results),
        sum(result.blind for result in results),
        sum(result.there for result in results),
    )
    notes = (
        (sum(result.held for result in results), "wait until an earlier round is decided"),
        (sum(result.removed for result in results), "were there twice and untouched: the spare one is gone"),
        (sum(result.twice for result in results), "are there twice, and people worked on both: both are pulled"),
    )
    text = f"{sent:,} tasks sent ({blind:,} blind), {there:,} were there"
    text += "".join(f"; {count:,} {words}" for count, words in notes if count)
    return f"{text} → {pushed.url}"


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
    "former_class": "of classes that the schema no longer has",
    "unknown_item": "of unknown images",
    "not_ours": "tasks that acbench did not make",
    "task_gone": "whose task is gone",
    "cut": "with a note that was cut off",
    "prefilled": "on a form that a proposal had filled in",
    "nobody": "not taken: made under the server's own account",
    "asked_before": "not taken: by people who had decided the image before",
}
ALWAYS = ("new", "changed", "withdrawn", "same")


def pulled_words(result: PullResult) -> str:
    """What came of a pull, in words; what a person should look at stands on lines of its own."""
    counts = result.counts
    text = ", ".join(f"{counts[name]:,} {words}" for name, words in WORDS.items() if counts[name] or name in ALWAYS)
    if result.undecided:
        text += f"; {len(result.undecided):,} images were looked at and not decided: the next push puts them up again"
    if unread := sum(result.unread.values()):
        text += f"; {unread:,} cannot be read, and what was decided there before stands"
    return "\n".join([*(f"! {remark}" for remark in result.remarks), text])


def pulled_facts(result: PullResult) -> dict[str, Any]:
    """What came of a pull, as JSON-ready values."""
    return {**{name: result.counts[name] for name in WORDS}, "remarks": result.remarks}
