"""Writes and reads tables of records: sorted, replaced as a whole, and the same bytes for the same records.

A table is `.parquet` if a machine can make it again, and `.jsonl` (one record a line) if it is kept in git.
"""

from __future__ import annotations

import json
import os
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from acbench.errors import StorageError
from acbench.storage.atomic import replacing, write_bytes
from acbench.storage.typed_json import convert_all, decode, decode_lines, merge_mark, sparse_fields, to_json

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")
"""A record: a flat dataclass, such as those of `acbench.records`."""

MAX_LINE = 1 << 20
"""Bytes of the longest line that is read."""

TOGETHER = 20_000
"""Records of a Parquet table that are written, and read, together: the others take no memory meanwhile."""
_OFTEN = 10
"""A text is one object in all records of a table if it comes so often in those that are read together."""

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
    try:
        return b"".join(map(_line, rows)) if path.suffix == ".jsonl" else _parquet_bytes(rows, kind)
    except (ValueError, OverflowError) as error:  # Unicode errors are ValueErrors
        raise StorageError(f"{path} cannot hold these {kind.__name__} records: {error}", _FITS) from None


def read(path: Path, kind: type[R]) -> list[R]:
    """The records of a table; an empty list if the file does not exist.

    Raises StorageError, naming line or row and field, for a file that is damaged or holds other records.
    """
    if not os.path.lexists(path):  # a link to nowhere is something: what it led to is not known
        return []
    return _read_jsonl(path, kind) if path.suffix == ".jsonl" else _read_parquet(path, kind)


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


def _read_jsonl(path: Path, kind: type[R]) -> list[R]:
    rows: list[R] = []
    number = 0
    try:
        with path.open("rb") as file:
            while lines := list(_block(file)):
                found = decode_lines(lines, kind)
                rows += found if found is not None else _read_lines(path, kind, lines, number)
                number += len(lines)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", _mend(path)) from None
    return rows


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


def _parquet_bytes(rows: list[Any], kind: type[Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    empty = {name for name in sparse_fields(kind) if not any(getattr(row, name) for row in rows)}
    schema = _arrow_schema(kind, empty)
    with pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer:
        for begin in range(0, len(rows), TOGETHER):
            writer.write_table(_arrow_table(rows[begin : begin + TOGETHER], schema))
    return bytes(sink.getvalue())


def _arrow_table(rows: Sequence[Any], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    def column(field: pa.Field) -> pa.Array:
        values = map(attrgetter(field.name), rows)
        return pa.array(map(_pairs, values) if pa.types.is_map(field.type) else list(values), type=field.type)

    return pa.Table.from_arrays([column(field) for field in schema], schema=schema)


def _read_parquet(path: Path, kind: type[R]) -> list[R]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = typing.get_type_hints(kind)
    rows: list[R] = []
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        metadata = file.schema_arrow.metadata or {}
        if metadata.get(b"acbench.record") != kind.__name__.encode():
            raise StorageError(f"{path} does not hold {kind.__name__} records", _mend(path))
        names = [name for name in file.schema_arrow.names if name in fields]
        shared: dict[str, str] = {}
        for group in range(file.num_row_groups):
            part = file.read_row_group(group, columns=names)
            values = zip(*(_from_arrow(part.column(name).combine_chunks(), shared) for name in names), strict=True)
            found = [dict(zip(names, row, strict=True)) for row in values]
            rows += convert_all(found, kind, _numbered(path, len(rows)), hint=_mend(path))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StorageError(f"{path} is not a readable table: {error}", _mend(path)) from None
    if len(rows) != file.metadata.num_rows:
        raise StorageError(f"{path} is not a readable table: rows are missing", _mend(path))
    return rows


def _numbered(path: Path, before: int) -> Callable[[int], str]:
    return lambda number: f"{path}, row {before + number}"


def _arrow_schema(kind: type[Any], without: Collection[str] = ()) -> pa.Schema:
    import pyarrow as pa

    def arrow_type(hint: Any) -> pa.DataType:
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin is types.UnionType:
            return arrow_type(args[0])
        if origin is tuple:
            return pa.list_(arrow_type(args[0]))
        if origin is Mapping:
            return pa.map_(pa.string(), pa.float64())
        return {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}.get(hint, pa.string())

    hints = {name: hint for name, hint in typing.get_type_hints(kind).items() if name not in without}
    fields = [pa.field(name, arrow_type(hint)) for name, hint in hints.items()]
    return pa.schema(fields, metadata={"acbench.record": kind.__name__})


def _pairs(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(value.items())


def _from_arrow(column: pa.Array, shared: dict[str, str]) -> list[Any]:
    """The values of a column. Equal texts are one object; those that come often are those in `shared`."""
    import pyarrow as pa

    if pa.types.is_string(column.type):
        coded = column.dictionary_encode()
        texts = coded.dictionary.to_pylist()
        if len(texts) * _OFTEN < len(column):
            texts = [shared.setdefault(text, text) for text in texts]
        return [None if number is None else texts[number] for number in coded.indices.to_pylist()]
    values: list[Any] = column.to_pylist()
    return [pairs if pairs is None else dict(pairs) for pairs in values] if pa.types.is_map(column.type) else values


def _merge_hint(path: Path, kind: type[Any]) -> str:
    """What to do about a file that holds what two branches say."""
    if kind.__name__ in MADE_ANEW:
        return f"it is made anew by machines: rm {path}, then run the same command again"
    return (
        f"keep the rows of both in {path}, and delete the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>"
    )


def _mend(path: Path) -> str:
    if path.suffix == ".parquet":
        return f"delete {path} and run the same command again: it is remade"
    return f"mend the line, or take the file's last good version: git checkout -- {path}"
