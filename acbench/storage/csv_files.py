"""Reads CSV files from people, strictly and within bounds; a fault is named by file and line."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from acbench.errors import TableError

MAX_BYTES = 64 << 20
"""A larger file is not read."""
MAX_CELL = 10_000
"""Characters that a cell may have."""
PART = 1 << 20
"""Characters that are looked at together."""

_SAID = re.compile(r"sep=([,;\t])", re.IGNORECASE)
"""The line by which spreadsheet programs say which delimiter follows."""
_JOINED, _TYPED = re.compile(r";| \+ "), re.compile(r"[;,+]")


class CsvRow(NamedTuple):
    """One row of a file."""

    line: int
    """Where the row ends in the file, counted from 1."""
    cells: dict[str, str]
    """Column → text."""


def names_in(cell: str, *, typed: bool = False) -> list[str]:
    """The names in a cell, which are joined by `;` or ` + `; in a cell that people `typed`, also by `,` or `+`.

    People type class ids. In other cells a name may itself hold a comma or a plus.
    """
    return [name for part in (_TYPED if typed else _JOINED).split(cell) if (name := part.strip())]


def read_csv(path: Path, needed: Collection[str]) -> list[CsvRow]:
    """The rows of a file, as `csv_rows` gives them; a fault in any line is told before any is used."""
    return list(csv_rows(path, needed))


def csv_rows(path: Path, needed: Collection[str], *, max_cell: int = MAX_CELL) -> Iterator[CsvRow]:
    """The rows of a UTF-8 CSV file with commas, semicolons or tabs, as spreadsheet programs save them.

    A first line such as `sep=;` names the delimiter. The file needs all columns in `needed`. A cell has at
    most `max_cell` characters. Raises TableError: file, line, and what to do.
    """
    with _opened(path) as file:
        head = file.readline()
        said = _SAID.fullmatch(head.strip())
        delimiter = said[1] if said else max(",;\t", key=head.count)
        line = above = 1 if said else 0
        reader = csv.reader(file if said else itertools.chain([head], file), delimiter=delimiter, strict=True)
        try:
            names = next(reader, [])
            line = above + reader.line_num
            _check_header(path, names, needed)
            for cells in reader:
                line = above + reader.line_num
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise TableError(f"{path}, line {line}: not as many cells as the header", "mend the line")
                if len(max(cells, key=len)) > max_cell:
                    raise TableError(f"{path}, line {line}: a cell is over {max_cell} characters", "shorten it")
                yield CsvRow(line, dict(zip(names, cells, strict=True)))
        except csv.Error as error:
            raise TableError(f"{path}, line {line + 1}: not CSV: {error}", "mend the line") from None


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The text of a file, all of which has been looked at before."""
    try:
        if not path.is_file():
            raise TableError(f"{path} does not exist, or is not a file", "check the path")
        if path.stat().st_size > MAX_BYTES:
            raise TableError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "give a smaller table")
        with path.open(encoding="utf-8-sig") as file:
            if any("\0" in part for part in iter(lambda: file.read(PART), "")):
                raise TableError(f"{path} is not a text file", "save it as CSV UTF-8")
            file.seek(0)
            yield file
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}", "check the path") from None
    except UnicodeDecodeError:
        raise TableError(f"{path} is not UTF-8", "save it as CSV UTF-8") from None


def _check_header(path: Path, names: list[str], needed: Collection[str]) -> None:
    columns = f"it has {', '.join(names)[:300] or 'none'}"
    if missing := [name for name in needed if name not in names]:
        raise TableError(f"{path} has no column {', '.join(missing)}; {columns}", "name the column in the first line")
    # Spreadsheet programs save empty columns beside the table.
    if repeated := sorted(name for name, count in Counter(names).items() if name and count > 1):
        raise TableError(f"{path} has the column {', '.join(repeated)[:300]} twice", "keep one of them")
