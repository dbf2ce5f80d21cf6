"""Writes and reads tables of records: sorted, replaced as a whole, and the same bytes for the same records.

A table is `.parquet` if a machine can make it again, and `.jsonl` (one record a line) if it is kept in git.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from acbench.errors import StorageError
from acbench.storage import parquet
from acbench.storage.atomic import replacing, write_bytes
from acbench.storage.parquet import ParquetFile, R
from acbench.storage.typed_json import decode, decode_lines, merge_mark, to_json

if TYPE_CHECKING:
    import pyarrow as pa

MAX_LINE = 1 << 20
"""Bytes of the longest line that is read."""

MADE_ANEW = ("Label",)
"""Records that follow from others, though their files are kept in git."""

_FITS = "mend the value: text has to be Unicode, and a number finite and of no more than 64 bits"


def write(path: Path, rows: Iterable[R], kind: type[R], *, key: Callable[[R], Any]) -> None:
    """Write rows, sorted by `key`, to a `.parquet` or `.jsonl` file.

    Raises StorageError for a value that no table can hold, such as half a character.
    """
    write_bytes(path, encoded(path, sorted(rows, key=key), kind))


def encoded(path: Path, rows: list[R], kind: type[R]) -> bytes:
    """What `write` writes. Raises StorageError for a value that no table can hold."""
    with _fitting(path, kind):
        return b"".join(map(_line, rows)) if path.suffix == ".jsonl" else parquet.encoded(rows, kind)


@contextmanager
def _fitting(path: Path, kind: type[Any]) -> Iterator[None]:
    try:
        yield
    except (ValueError, OverflowError) as error:  # Unicode errors are ValueErrors
        raise StorageError(f"{path} cannot hold these {kind.__name__} records: {error}", _FITS) from None


def read(path: Path, kind: type[R]) -> list[R]:
    """The records of a table; an empty list if the file does not exist.

    Raises StorageError, naming line or row and field, for a file that is damaged or holds other records.
    """
    return list(each(path, kind))


def each(path: Path, kind: type[R]) -> Iterator[R]:
    """As `read`, one record after the other, of which only a few are in memory."""
    if not os.path.lexists(path):  # a link to nowhere is something: what it led to is not known
        return
    if path.suffix == ".jsonl":
        yield from _read_jsonl(path, kind)
        return
    file = ParquetFile(path, kind)
    for group in range(len(file.sizes)):
        yield from file.group(group)


def write_in_order(
    path: Path,
    parts: Iterable[Sequence[R] | pa.Table],
    kind: type[R],
    *,
    without: Collection[str] = (),
    notes: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Write a `.parquet` table part by part, in the order that is given: one part is in memory at a time.

    A part may be records, or a table: see `parquet.write`, also for `without` and `notes`. Raises StorageError for a
    value that no table can hold.
    """
    with replacing(path) as file, _fitting(path, kind):
        parquet.write(file, parts, kind, without=without, notes=notes)


def write_parts(path: Path, parts: Iterable[Sequence[Any]]) -> list[int]:
    """Write records to a JSONL file part by part, so that workers can take a part each: see `read_part`.

    Gives the offset in the file where each part begins, and where the last one ends. One part is in memory at a time.
    """
    offsets = [0]
    with replacing(path) as file:
        for rows in parts:
            offsets.append(offsets[-1] + file.write(b"".join(map(_line, rows))))
    return offsets


def read_part(path: Path, begin: int, end: int, kind: type[R]) -> list[R]:
    """The records of one part, between two offsets that `write_parts` gave."""
    with path.open("rb") as file:
        file.seek(begin)
        return [decode(line, kind, str(path)) for line in file.read(end - begin).splitlines()]


_LINE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def _line(row: object) -> bytes:
    return _LINE.encode(to_json(row)).encode() + b"\n"


def _read_jsonl(path: Path, kind: type[R]) -> Iterator[R]:
    number = 0
    try:
        with path.open("rb") as file:
            while lines := list(_block(file)):
                found = decode_lines(lines, kind)
                yield from found if found is not None else _read_lines(path, kind, lines, number)
                number += len(lines)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", _mend(path)) from None


def _block(file: BinaryIO) -> Iterator[bytes]:
    """The next lines of a file, the last of which may be the beginning of one that is too long."""
    size = 0
    while size < MAX_LINE and (line := file.readline(MAX_LINE + 1)):
        size += len(line)
        yield line


def _read_lines(path: Path, kind: type[R], lines: Sequence[bytes], before: int) -> list[R]:
    """The records of some lines, of which one may be wrong; `before`: how many lines stand before them."""
    rows, hint = [], _mend(path)
    for number, line in enumerate(lines, start=before + 1):
        if len(line) > MAX_LINE:
            raise StorageError(f"{path}, line {number}: longer than {MAX_LINE} bytes", hint)
        if merge_mark(line):
            raise StorageError(
                f"{path}, line {number}: a merge of two branches was left half done here ({merge_mark(line)})",
                _merge_hint(path, kind),
            )
        if line.strip():
            rows.append(decode(line, kind, f"{path}, line {number}", hint=hint))
    return rows


def _merge_hint(path: Path, kind: type[Any]) -> str:
    """What to do about a file that holds what two branches say."""
    if kind.__name__ in MADE_ANEW:
        return f"it is made anew by machines: rm {path}, then run the same command again"
    return (
        f"keep the rows of both in {path}, and delete the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>"
    )


def _mend(path: Path) -> str:
    return f"mend the line, or take the file's last good version: git checkout -- {path}"
