"""What a person is told while work goes on, and rows as columns of text."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol


def table(rows: Sequence[Sequence[object]]) -> str:
    """Rows as aligned columns; what does not fit the screen is cut off with a mark."""
    texts = [[str(cell) for cell in row] for row in rows]
    columns = max(map(len, texts), default=0)
    widths = [max((len(row[column]) for row in texts), default=0) for column in range(columns)]
    lines = ("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in texts)
    return "\n".join(line if len(line) <= width() else line[: width() - 1] + "…" for line in lines)


def width() -> int:
    """Characters a line: the screen's, within reason."""
    return max(60, min(shutil.get_terminal_size((110, 24)).columns, 160))


Progress = Callable[[int, int], None]
"""Told (done, of how many) as work goes on."""


class Console(Protocol):
    """Where a person is told."""

    def stage(self, title: str) -> AbstractContextManager[Progress]:
        """Show one stage's progress while it lasts."""

    def note(self, text: str) -> None:
        """Tell something that is no error."""
