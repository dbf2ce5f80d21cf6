"""Reads the answers of a log of Inspect, as rows that `acbench score` reads. Of several epochs the first counts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from acbench.errors import AcbenchError, TableError
from acbench.records import JOIN

COLUMNS = ("item_id", "image", "labels", "raw", "parse", "system", "cost")
"""Those of a table of Prediction records, the path of the image, and dollars where Inspect knows them."""
SCORER = "class_named"
"""The scorer of the task."""


def answers(path: Path) -> Iterator[tuple[str, ...]]:
    """The rows of a log, one an image, under COLUMNS.

    Raises TableError for what is no log of `acbench/classify`, or of one that has not ended; AcbenchError without
    Inspect.
    """
    try:
        from inspect_ai.log import read_eval_log
    except ImportError as error:
        raise AcbenchError(f"inspect_ai cannot be imported: {error}", "pip install 'acbench[inspect]'") from None
    if not path.is_file():
        raise TableError(f"{path} is not there, or is no file", "inspect log list")
    try:
        log = read_eval_log(str(path))
    except Exception as error:  # whatever its reader raises
        raise TableError(f"{path} is no log of Inspect: {type(error).__name__}", "name a file of `logs/`") from None
    if log.status != "success":
        raise TableError(f"{path} has not ended: {log.status}", f"inspect eval-retry {shlex.quote(str(path))}")
    scored = [sample for sample in log.samples or () if SCORER in (sample.scores or {}) and sample.epoch == 1]
    if not scored:
        raise TableError(
            f"{path} has no answers of acbench/classify", "name the log of `inspect eval acbench/classify`"
        )
    for sample in scored:
        facts = sample.scores[SCORER].metadata if sample.scores else None
        assert facts is not None, "the scorer gives them"
        costs = [usage.total_cost for usage in sample.model_usage.values()]
        cost = "" if not costs or None in costs else repr(sum(each for each in costs if each is not None))
        raw = sample.output.completion if sample.output.choices else ""
        yield (
            *(facts["item_id"], sample.metadata["image"], JOIN.join(facts["labels"]), _inert(raw), facts["status"]),
            *(log.eval.model, cost),
        )


def _inert(text: str) -> str:
    """A model's words, so that no spreadsheet program takes them for a formula. Spaces play no part in an answer."""
    return f" {text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
