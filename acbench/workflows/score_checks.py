"""Judges what can be judged of `acbench score` before labels, images or a network are needed."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from acbench import schema as schemas
from acbench.errors import AcbenchError
from acbench.evaluation.answer_files import check_file
from acbench.evaluation.scoring import check_leaderboard
from acbench.evaluation.truth import check_categories, read_aliases
from acbench.predictors.registry import baseline_names
from acbench.schema import Schema
from acbench.workflows import settings

if TYPE_CHECKING:
    from acbench.workflows.score import ScoreOptions

MASKS = "oracle"
"""The detector that is none."""


def check(options: ScoreOptions) -> None:
    """Raises AcbenchError for an unknown benchmark, system, category or class; for a file that is not there or cannot
    be read as answers; and for what no leaderboard takes."""
    schema = schemas.load(options.benchmark, options.project) if options.benchmark else None
    if options.system is not None:
        check_system(options.system)
    for name in (*options.answers, *(options.pair or ())):
        if is_system(options, name):
            check_system(name)
        else:
            check_file(Path(name))
    if options.predictions is not None:
        check_file(options.predictions)
    if options.aliases is not None:
        read_aliases(options.aliases)
    if schema is not None:
        _check_names(options, schema)
    if options.leaderboard:
        masks = options.system is not None and options.detector == MASKS
        said = "ground_truth" if masks else "detector" if options.system else options.localisation or "not_stated"
        chosen = tuple(name for name in options.categories if name != settings.ALL)
        check_leaderboard(options.system or "the system", said, chosen)


def is_system(options: ScoreOptions, name: str) -> bool:
    """Whether one of several names is that of a system, and of no file."""
    return options.benchmark is not None and not Path(name).exists() and not Path(name).suffix


def check_system(name: str) -> None:
    """Raises AcbenchError if there is no baseline of that name."""
    names = baseline_names()
    if name not in names:
        close = get_close_matches(name, names, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise AcbenchError(
            f"there is no file {name}, and no system of that name", f"{meant}systems: {', '.join(names)}"
        )


def _check_names(options: ScoreOptions, schema: Schema) -> None:
    if options.categories != (settings.ALL,):
        check_categories(map(schema.key_of, options.categories), schema.categories)
    for name in options.negligible:
        category, _, label = name.partition("/")
        known = schema.categories.get(category)
        classes = {*known.class_ids, *(each.id for each in known.published)} if known else set()
        if label not in classes:
            some = [f"{key}/{each.id}" for key, own in schema.categories.items() for each in own.classes[:1]]
            raise AcbenchError(
                f"--negligible {name}: {schema.benchmark} has no such class", f"such as {', '.join(some[:5])}"
            )
