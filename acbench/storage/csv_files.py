"""CSV files that people and strangers made: read whole, strictly and within bounds, or refused by line."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from acbench.errors import TableError

IMAGE = ("image", "image_path")
"""Columns that may hold an image's path relative to the dataset's root: our releases have the second."""
ANSWERS = ("labels", "label", "prediction", "answer", "raw")
"""Columns that may hold what somebody says an image shows."""
MAX_BYTES = 64 << 20
"""Of a file."""
MAX_CELL = 10_000
"""Characters of a cell."""

_JOINED, _TYPED = re.compile(r";| \+ "), re.compile(r"[;,+]")

Row = tuple[int, dict[str, str]]
"""Line of the file, 1-based, and its cells by column."""


def names_in(cell: str, *, typed: bool = False) -> list[str]:
    """The names in a cell, joined by `;` or ` + `; if people `typed` it, also by `,` or a bare `+`.

    A name of a class may hold a comma or a plus, so only people, who are asked for ids, may join by these.
    """
    return [name for part in (_TYPED if typed else _JOINED).split(cell) if (name := part.strip())]


def read_csv(
    path: Path, needed: Collection[str], *, any_of: Collection[str] = (), max_cell: int = MAX_CELL
) -> list[Row]:
    """The rows of a UTF-8 CSV file with commas, semicolons or tabs, as spreadsheet programs save them.

    `needed` columns must be there, and one of `any_of` if given; a cell has `max_cell` characters at most.
    Raises TableError: file, line, and what to do.
    """
    text = _text(path)
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = list(reader.fieldnames or ())
        _check_header(path, names, needed, any_of)
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise TableError(f"{path}, line {reader.line_num}: not as many cells as the header", "mend the line")
            if any(len(value) > max_cell for value in row.values()):
                raise TableError(f"{path}, line {reader.line_num}: a cell is over {max_cell} characters", "shorten it")
            rows.append((reader.line_num, row))
    except csv.Error as error:
        raise TableError(f"{path}, line {reader.line_num + 1}: not CSV: {error}", "mend the line") from None
    return rows


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise TableError(f"{path} is not there, or is no file", "check the path")
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
    there = f"it has {', '.join(names)[:300] or 'none'}"
    if missing := [name for name in needed if name not in names]:
        raise TableError(f"{path} has no column {', '.join(missing)}; {there}", "name the column in the first line")
    if any_of and not set(any_of) & set(names):
        raise TableError(f"{path} has no column {' or '.join(any_of)}; {there}", "name the column in the first line")
    # Spreadsheet programs save empty columns beside the table.
    if twice := sorted(name for name, count in Counter(names).items() if name and count > 1):
        raise TableError(f"{path} has the column {', '.join(twice)[:300]} twice", "keep one of them")
