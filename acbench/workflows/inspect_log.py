"""Gives the answers of a log of Inspect as rows of a CSV that `acbench score` reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from acbench.integrations.inspect import logs


def answer_rows(log: Path) -> Iterator[Sequence[object]]:
    """The columns, then the answers of a log of `acbench/classify`. Raises AcbenchError for any other file."""
    answers = sorted(logs.answers(log))
    yield logs.COLUMNS
    yield from answers
