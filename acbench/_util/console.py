"""How work in progress is shown to people, and how rows become columns of text."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from acbench._util.text import plain

if TYPE_CHECKING:
    from rich.console import RenderableType


def table(rows: Sequence[Sequence[object]]) -> str:
    """Rows as aligned columns.

    A long cell is wrapped on a screen. Elsewhere a row is one line, which ends with a mark where it was cut off.
    """
    texts = [[plain(str(cell)) for cell in row] for row in rows]
    columns = max(map(len, texts), default=0)
    if has_screen():
        from rich.padding import Padding
        from rich.table import Column, Table
        from rich.text import Text

        grid = Table.grid(*(Column(overflow="fold") for _ in range(columns)), padding=(0, 2, 0, 0))
        for row in texts:
            grid.add_row(*map(Text, row))
        return render(Padding(grid, (0, 0, 0, 2)))
    widths = [max((len(row[column]) for row in texts), default=0) for column in range(columns)]
    lines = ("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in texts)
    return "\n".join(line if len(line) <= width() else line[: width() - 1] + "…" for line in lines)


def has_screen() -> bool:
    """Whether stdout goes to a terminal, or COLUMNS says how wide the reader's screen is."""
    return sys.stdout.isatty() or bool(os.environ.get("COLUMNS"))


def width() -> int:
    """Characters in a line: those of the screen, within reason."""
    return max(60, min(shutil.get_terminal_size((110, 24)).columns, 160))


def render(content: RenderableType) -> str:
    """What rich makes of some content, as plain text of the screen's width."""
    import io

    from rich.console import Console as RichConsole

    sink = io.StringIO()
    RichConsole(file=sink, width=width(), color_system=None).print(content)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines())


Progress = Callable[[int, int], None]
"""Called with (done, total) as work goes on."""


class Console(Protocol):
    """Shows a person what goes on."""

    def stage(self, title: str) -> AbstractContextManager[Progress]:
        """Show the progress of one stage while it lasts."""

    def note(self, text: str) -> None:
        """Tell something that is not an error."""
