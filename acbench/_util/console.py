"""How work in progress is shown to people, and how rows become columns of text."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from acbench._util.text import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

GAP = 2
"""Spaces between two columns, and before the first."""
BREAKABLE = 16
"""Characters above which a word may be broken: it is a path, or a name that somebody gave."""


def table(rows: Sequence[Sequence[object]]) -> str:
    """Rows as aligned columns.

    A long cell is wrapped on a screen; where a screen is too narrow even so, the columns come in several blocks, each
    with the first one. Elsewhere a row is one line, which ends with a mark where it was cut off.
    """
    texts = [[plain(str(cell)) for cell in row] for row in rows]
    columns = max(map(len, texts), default=0)
    if has_screen():
        least = [min(_longest_word(row[column] for row in texts), BREAKABLE) for column in range(columns)]
        return "\n\n".join(
            _wrapped([[row[column] for column in block] for row in texts], [least[column] for column in block])
            for block in _blocks(least)
        )
    widths = [max((len(row[column]) for row in texts), default=0) for column in range(columns)]
    lines = ("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in texts)
    return "\n".join(line if len(line) <= width() else line[: width() - 1] + "…" for line in lines)


def _longest_word(cells: Iterable[str]) -> int:
    return max((len(word) for cell in cells for word in cell.split()), default=0)


def _blocks(least: Sequence[int]) -> Iterator[list[int]]:
    """The columns that fit beside each other on the screen, by the least characters that each needs."""
    block: list[int] = []
    for column, characters in enumerate(least):
        if len(block) > 1 and GAP * (len(block) + 2) + sum(least[each] for each in block) + characters > width():
            yield block
            block = [0]
        block.append(column)
    if block:
        yield block


def _wrapped(rows: Sequence[Sequence[str]], least: Sequence[int]) -> str:
    from rich.padding import Padding
    from rich.table import Column, Table
    from rich.text import Text

    columns = (Column(overflow="fold", min_width=characters) for characters in least)
    grid = Table.grid(*columns, padding=(0, GAP, 0, 0))
    for row in rows:
        grid.add_row(*map(Text, row))
    return render(Padding(grid, (0, 0, 0, GAP)))


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
