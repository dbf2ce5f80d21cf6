"""Reads the answers of a log of Inspect, as rows that `acbench score` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from acbench.errors import TableError
from acbench.records import JOIN

COLUMNS = ("item_id", "image", "labels", "raw", "parse", "system", "cost")
"""Those of a table of Prediction records, the path of the image, and dollars where Inspect knows them."""
_PARSE = {"ok": "ok", "empty": "empty", "error": "error", "unknown": "unknown"}


def answers(path: Path) -> Iterator[tuple[str, ...]]:
    """The rows of a log, one an image, under COLUMNS.

    Raises TableError for what is no log of `acbench/classify`, or of one that has not ended.
    """
    from inspect_ai.log import read_eval_log

    if not path.is_file():
        raise TableError(f"{path} is not there, or is no file", "inspect log list")
    try:
        log = read_eval_log(str(path))
    except Exception as error:  # whatever its reader raises
        raise TableError(f"{path} is no log of Inspect: {type(error).__name__}", "name a file of `logs/`") from None
    if not log.samples:
        raise TableError(f"{path} has no samples", "run the evaluation to its end")
    for sample in log.samples:
        score = (sample.scores or {}).get("class_named")
        if score is None or not score.metadata or sample.epoch != 1:
            continue
        said, facts = sample.metadata, score.metadata
        costs = [usage.total_cost for usage in sample.model_usage.values()]
        cost = "" if None in costs else repr(sum(each for each in costs if each is not None))
        raw = sample.output.completion if sample.output.choices else ""
        labels = JOIN.join(facts["labels"])
        yield (
            *(facts["item_id"], said.get("image", ""), labels, raw, _PARSE[facts["status"]]),
            *(log.eval.model, cost if sample.model_usage else ""),
        )
