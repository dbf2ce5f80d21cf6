"""Rows as columns of text, as wide as the screen."""

from __future__ import annotations

import shutil
from collections.abc import Sequence


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
