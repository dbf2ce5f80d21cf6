"""The option `--publish` of `acbench score`: enters a system in the leaderboard of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from acbench._util.text import json_text

if TYPE_CHECKING:
    from acbench.workflows.score import ScoreOptions

NOT_FOR_ENTRIES = ("pair", "view", "categories", "negligible", "severity", "resamples", "seed", "out", "shots",
                   "detector", "false_alarms", "gate", "input_size", "backbone", "clip_model", "clip_weights", "root",
                   "shown_as", "markdown")  # fmt: skip
"""Options of `acbench score` that an entry does not take: every entry is scored in one way."""
FLAGS = {"pair": "--compare", "categories": "--category", "shown_as": "--format"}


def enter(options: ScoreOptions, *, as_json: bool, dry_run: bool) -> int:
    """Enter the answers of one system, and print what became of it. Raises UsageError for what entries do not take."""
    from acbench.evaluation import tables
    from acbench.workflows.entering import enter as run_enter

    _check(options)
    done = run_enter(options, lambda text: click.echo(f"Note: {text}", err=True), dry_run=dry_run)
    entry = done.entry
    if as_json:
        facts = {
            "repo": entry.repo,
            "version": entry.manifest.version,
            "path": entry.path,
            "pull_request": done.url or None,
            "already_there": done.there,
            "others": done.others,
            "score": entry.scored.facts,
        }
        click.echo(json_text(facts))
        return 0
    click.echo(tables.text(entry.scored, f"Truth: {entry.manifest.title} {entry.manifest.version}, {entry.repo}"))
    for path, data in sorted(entry.files.items()):
        click.echo(f"  {path}, {len(data):,} bytes")
    for other in done.others:
        click.echo(f"Of the same system there is {other} already; it stays, and both are listed.")
    if done.there:
        click.echo(f"It is proposed already: {done.url}" if done.url else f"It is in {entry.repo} already.")
    elif dry_run:
        click.echo("Nothing was proposed.")
    else:
        click.echo(f"Proposed: {done.url}\nIt is in the leaderboard once an owner of {entry.repo} merges it.")
    return 0


def _check(options: ScoreOptions) -> None:
    """Raises UsageError for options that entries do not take, or without a file of answers."""
    context = click.get_current_context()
    typed = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    for name in NOT_FOR_ENTRIES:
        if context.get_parameter_source(name) in typed:
            flag = FLAGS.get(name, f"--{name.replace('_', '-')}")
            raise click.UsageError(f"{flag} does not go with --publish: every entry is scored in one way")
    if options.system is not None or len(options.answers) > 1 or options.predictions is None:
        raise click.UsageError("--publish takes the file of one system's answers: --predictions FILE")
    if options.benchmark is None and options.truth is None:
        raise click.UsageError("give the release: --truth ORG/NAME@v1.0.0")
