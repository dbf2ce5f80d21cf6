"""Writes the answers of a log of Inspect as a CSV that `acbench score` reads."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from acbench.integrations.inspect import logs


def inspect_csv(log: Path) -> str:
    """The answers of a log of `acbench/classify`, one row each. Raises AcbenchError for any other file."""
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(logs.COLUMNS)
    writer.writerows(sorted(logs.answers(log)))
    return sink.getvalue()
