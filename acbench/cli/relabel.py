"""`acbench relabel`: the main job."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

import click

from acbench.cli.options import (
    Command,
    benchmark_argument,
    dataset_options,
    dry_run_option,
    engine_options,
    json_option,
    of_queue,
    opened,
    out_option,
    project_option,
    proposer_options,
    send,
)
from acbench.cli.screen import show

EPILOG = """\b
Examples:
  acbench relabel sample
  acbench relabel mvtec_ac --root ~/data/mvtec_ad
  acbench relabel mvtec_ac --reviews .acbench/mvtec_ac/queue.csv --reviewer ada
"""


@click.command(cls=Command, epilog=EPILOG)
@benchmark_argument
@dataset_options
@proposer_options
@dry_run_option
@of_queue(
    "--audit",
    type=click.FloatRange(0, 1),
    help="Share of the labels nobody needs to see that are put into"
    " the queue all the same, to estimate their error.  [default: 0.05]",
)
@of_queue("--seed", type=int, help="Of the audit sample.  [default: 0]")
@of_queue("--reviews", type=click.Path(dir_okay=False, path_type=Path), help="Take in a filled-in queue.csv first.")
@of_queue("--reviewer", metavar="NAME", help="Who decided, where the file does not say.")
@of_queue(
    "--review",
    type=click.Choice(["label-studio"]),
    help="Bring home what people decided at the desk first, and put on it what waits for them.",
)
@engine_options
@out_option
@json_option
@project_option
def relabel(
    benchmark: str,
    project: Path,
    reviews: Path | None,
    reviewer: str | None,
    review: str | None,
    dry_run: bool,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Read the dataset, ask the proposers, rank what people should see, and write labels with reasons.

    BENCHMARK is sample, mvtec_ac, visa_ac, or the path of your own label schema.

    Works like make: what is there already is not done again, and it can be stopped and run again at any moment.
    """
    if dry_run:  # it asks nobody, and prints while the project is held
        options["engine"] = "local"
    from acbench.workflows import propose
    from acbench.workflows.ingest import ingest
    from acbench.workflows.label import prepare
    from acbench.workflows.relabel import relabel as work
    from acbench.workflows.reviews import take_reviews

    with opened(project, benchmark, **options) as run:
        if dry_run:
            return show(run.files, propose.dry_run(run, ingest(run)), as_json)
        proposed = prepare(run)
        taken = dataclasses.asdict(take_reviews(run, proposed, reviews, reviewer)) if reviews else None
        at_desk, step = None, ""
        if review:
            from acbench.cli.label_studio import cycle

            made, at_desk, step = cycle(run, proposed)
        else:
            made, _ = work(run, proposed)
        facts = made.to_json()
        send(run, out, proposers=proposed.keys, labels=True)
        files = run.files
        written = list(run.build.written)
    if as_json:
        click.echo(json.dumps({**facts, "reviews": taken, "desk": at_desk}, indent=1, ensure_ascii=False))
    else:
        from acbench.cli.screen import report, review_counts

        if taken is not None:
            click.echo(f"Reviews: {review_counts(taken)}\n")
        here = Path().resolve()
        queue, labels = (_short(path, here) for path in (files.queue, files.labels))
        step = step or _next(benchmark, facts, queue)
        click.echo(report(facts, benchmark, queue=queue, labels=labels, next_step=step))
        if not written and not review:
            click.echo("Nothing had changed, so nothing was done.", err=True)
    return 3 if made.has_failures else 0


def _next(benchmark: str, facts: dict[str, Any], queue: str) -> str:
    if not facts["queue"]["waiting"]:
        return f"nothing waits for people. The labels stand: acbench status {shlex.quote(benchmark)}"
    command = f"acbench relabel {shlex.quote(benchmark)} --reviews {shlex.quote(queue)} --reviewer YOUR_NAME"
    return f"look at the pictures in the queue's column `evidence`, fill in `label`, then\n  {command}"


def _short(path: Path, here: Path) -> str:
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
