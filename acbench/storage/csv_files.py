"""Reads CSV files from people, strictly and within bounds; a fault is named by file and line."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from acbench.errors import TableError

MAX_BYTES = 64 << 20
"""A larger file is not read."""
MAX_CELL = 10_000
"""Characters that a cell may have."""

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


def read_csv(
    path: Path, needed: Collection[str], *, any_of: Collection[str] = (), max_cell: int = MAX_CELL
) -> list[CsvRow]:
    """The rows of a file, as `csv_rows` gives them; a fault in any line is told before any is used."""
    return list(csv_rows(path, needed, any_of=any_of, max_cell=max_cell))


def csv_rows(
    path: Path, needed: Collection[str], *, any_of: Collection[str] = (), max_cell: int = MAX_CELL
) -> Iterator[CsvRow]:
    """The rows of a UTF-8 CSV file with commas, semicolons or tabs, as spreadsheet programs save them.

    A first line such as `sep=;` names the delimiter. The file needs all columns in `needed`, and one of `any_of` if
    that is given. A cell has at most `max_cell` characters. Raises TableError: file, line, and what to do.
    """
    text = _text(path)
    head, _, rest = text.partition("\n")
    said = _SAID.fullmatch(head.strip())
    above = 1 if said else 0
    delimiter = said[1] if said else max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(rest if said else text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = list(reader.fieldnames or ())
        _check_header(path, names, needed, any_of)
        for row in reader:
            line = above + reader.line_num
            if None in row or None in row.values():
                raise TableError(f"{path}, line {line}: not as many cells as the header", "mend the line")
            if any(len(value) > max_cell for value in row.values()):
                raise TableError(f"{path}, line {line}: a cell is over {max_cell} characters", "shorten it")
            yield CsvRow(line, row)
    except csv.Error as error:
        raise TableError(f"{path}, line {above + reader.line_num + 1}: not CSV: {error}", "mend the line") from None


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise TableError(f"{path} does not exist, or is not a file", "check the path")
        if path.stat().st_size > MAX_BYTES:
            raise TableError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "give a smaller table")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}", "check the path") from None
    except UnicodeDecodeError:
        raise TableError(f"{path} is not UTF-8", "save it as CSV UTF-8") from None
    if "\0" in text:
        raise TableError(f"{path} is not a text file", "save it as CSV UTF-8")
    return text


def _check_header(path: Path, names: list[str], needed: Collection[str], any_of: Collection[str]) -> None:
    columns = f"it has {', '.join(names)[:300] or 'none'}"
    if missing := [name for name in needed if name not in names]:
        raise TableError(f"{path} has no column {', '.join(missing)}; {columns}", "name the column in the first line")
    if any_of and not set(any_of) & set(names):
        raise TableError(f"{path} has no column {' or '.join(any_of)}; {columns}", "name the column in the first line")
    # Spreadsheet programs save empty columns beside the table.
    if repeated := sorted(name for name, count in Counter(names).items() if name and count > 1):
        raise TableError(f"{path} has the column {', '.join(repeated)[:300]} twice", "keep one of them")
