"""What `acbench score` refuses: options that do not go together, or that would be given for nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench.cli.detector_options import check_gate, is_typed

if TYPE_CHECKING:
    from acbench.workflows.score import ScoreOptions

_DETECTOR = frozenset({"detector", "false_alarms", "gate", "input_size", "backbone"})
_OF_BASELINES = _DETECTOR | {"root", "shots", "clip_model", "clip_weights"}
_USED: Mapping[str, frozenset[str]] = {
    "majority": frozenset({"root"}),
    "clip": _DETECTOR | {"root", "clip_model", "clip_weights"},
    "few_shot": _DETECTOR | {"root", "shots"},
    "velm": frozenset(),
}
"""Our baselines → the options of `_OF_BASELINES` that they use; one of another package may use any."""


def named(options: ScoreOptions) -> ScoreOptions:
    """The options with one of ANSWERS as the predictions or the system. With --truth, the first may be a file, too."""
    from acbench.evaluation.answer_files import ANSWER_FILES

    first = options.benchmark
    answers = options.answers
    if options.truth is None and first is not None and names_release(first):
        return named(dataclasses.replace(options, benchmark=None, truth=first))
    if options.truth is not None and first is not None and Path(first).suffix.lower() in ANSWER_FILES:
        options, answers = dataclasses.replace(options, benchmark=None), (first, *answers)
    if len(answers) == 1 and options.system is None and not Path(answers[0]).suffix and not Path(answers[0]).exists():
        return dataclasses.replace(options, system=answers[0], answers=())
    if len(answers) == 1 and options.predictions is None:
        return dataclasses.replace(options, predictions=Path(answers[0]), answers=())
    return dataclasses.replace(options, answers=answers)


def names_release(text: str) -> bool:
    """Whether a text is ORG/NAME@REVISION, and no file."""
    from acbench.integrations.huggingface.hub import looks_like_repo

    repo, at, revision = text.partition("@")
    return bool(at and revision) and looks_like_repo(repo) and not Path(text).exists()


def check(options: ScoreOptions) -> None:
    """Raises UsageError for options that do not go together, or that nothing would use."""
    from acbench.workflows.score import KEPT_SYSTEM, is_table

    if options.benchmark is None and options.truth is None:
        raise click.UsageError("give a benchmark, or --truth RELEASE_OR_FILE")
    if sum(map(bool, (options.predictions, options.system, options.pair, options.answers))) != 1:
        raise click.UsageError("give the file of the answers (or several), --system NAME, or --compare A B")
    if options.answers:
        _refuse({"name", "localisation", "leaderboard"}, "goes with one system")
    if options.pair:
        unused = {"localisation", "leaderboard", "negligible", "severity", "out"}
        _refuse(unused, "goes with figures of a system, and --compare prints those of a difference")
    if options.column and options.system:
        raise click.UsageError("--column goes with files; the answers of a system are kept in one place")
    if options.truth and options.system:
        raise click.UsageError("--system goes with a project's labels, not with --truth, which has no images")
    if options.truth and is_table(options.truth):
        if options.benchmark:
            raise click.UsageError("a table has classes of its own: give either the benchmark or --truth FILE")
        _refuse({"view"}, "goes with a label schema, and a table has none")
    if options.name is not None and (options.pair or not options.name.strip()):
        raise click.UsageError("--name goes with one system, and is not empty")
    if options.negligible and options.severity:
        raise click.UsageError("--negligible names the classes that --severity would draw: give one of them")
    check_gate(options.gate)
    if options.system is None:
        _refuse(_OF_BASELINES, "goes with a baseline that runs, and these answers are there already")
        return
    _refuse({"localisation"}, f"goes with a file: {options.system} says itself who told it the place")
    if options.system == KEPT_SYSTEM:
        _refuse(_OF_BASELINES, "goes with `acbench velm`, which asks anew: the answers of velm are kept")
    _refuse(_OF_BASELINES - _USED.get(options.system, _OF_BASELINES), f"is not used by {options.system}")


def _refuse(names: Collection[str], why: str) -> None:
    """Raises UsageError if one of these options was typed. A variable may be there for other commands, and is not."""
    for name in sorted(names):
        if is_typed(name, in_environment=False):
            raise click.UsageError(f"--{name.replace('_', '-')} {why}")
