"""Tables of records on disk: whole or not there, sorted, and the same bytes for the same records.

`.parquet` for what a machine can remake, `.jsonl` (one record a line) for what is kept in git and read in a diff.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import sys
import tempfile
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from acbench.errors import StorageError

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")
"""A record: any dataclass of `acbench.records`."""

MAX_LINE = 1 << 20
"""Longest line of a JSONL table, in bytes; a longer one is not ours."""

_FITS = "mend the value: text has to be Unicode, and a number finite and of no more than 64 bits"


def write(path: Path, rows: Iterable[R], kind: type[R], *, key: Callable[[R], Any]) -> None:
    """Write `rows`, sorted by `key`, to `path` (`.parquet` or `.jsonl`), atomically.

    Raises StoreError for a value that no table can hold, such as half a character.
    """
    ordered = sorted(rows, key=key)
    try:
        data = b"".join(map(_line, ordered)) if path.suffix == ".jsonl" else _parquet_bytes(ordered, kind)
    except (ValueError, OverflowError) as error:  # Unicode errors are ValueErrors
        raise StorageError(f"{path} cannot hold these {kind.__name__} records: {error}", _FITS) from None
    write_bytes(path, data)


def read(path: Path, kind: type[R]) -> list[R]:
    """The records of a table; an empty list if the file does not exist.

    Raises StoreError, naming the line, for a file that is damaged or holds other records.
    """
    if not path.exists():
        return []
    return _read_jsonl(path, kind) if path.suffix == ".jsonl" else _read_parquet(path, kind)


def write_parts(path: Path, parts: Iterable[Sequence[Any]]) -> list[int]:
    """Write records part by part, one a line; gives where in the file each part begins, and where the last one ends.

    One part is in memory at a time, and `read_part` reads no other: a table to share out work by.
    """
    offsets = [0]
    with replacing(path) as file:
        for rows in parts:
            offsets.append(offsets[-1] + file.write(b"".join(map(_line, rows))))
    return offsets


def read_part(path: Path, begin: int, end: int, kind: type[R]) -> list[R]:
    """The records between two offsets of a table that `write_parts` wrote."""
    with path.open("rb") as file:
        file.seek(begin)
        return [from_json(_parsed(line.decode()), kind) for line in file.read(end - begin).splitlines()]


def write_bytes(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Replace a file's content atomically: a reader, or a crash, sees the old bytes or the new ones.

    `mode`: who may read and write it, less the umask.
    """
    with replacing(path, mode=mode) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """The same for what is too large to hold: write into the file given; without an error it takes its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(mode & ~_umask())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Remove what killed writers left behind in `folder`. Call it only while holding the project's lock."""
    for partial in folder.rglob(".*.part"):
        partial.unlink(missing_ok=True)


def to_json(row: object) -> dict[str, Any]:
    """A record as JSON-ready values, in the order of its fields."""
    assert dataclasses.is_dataclass(row) and not isinstance(row, type)
    return {name: _plain(getattr(row, name)) for name in _names(type(row))}


def from_json(value: Any, kind: type[R]) -> R:
    """A record from JSON values, strictly: every field known, present or defaulted, and of its type.

    Raises ValueError saying which field is wrong.
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, found {type(value).__name__}")
    hints = _hints(cast(Any, kind))
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise ValueError(f"{kind.__name__} has no field {', '.join(unknown)}")
    checked = {name: _checked(item, hints[name], name) for name, item in value.items()}
    try:
        return kind(**checked)
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from None


def _line(row: object) -> bytes:
    return json.dumps(to_json(row), ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(sorted(value.items()))
    return value


@functools.cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _checked(value: Any, hint: Any, name: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType or origin is typing.Union:
        return None if value is None else _checked(value, args[0], name)
    if origin is typing.Literal:
        if value not in args:
            raise ValueError(f"{name} is {value!r}, not one of {', '.join(map(str, args))}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
            raise ValueError(f"{name} is not a list of strings")
        return tuple(value)
    if origin is Mapping:
        if not isinstance(value, dict):
            raise ValueError(f"{name} does not map names to numbers")
        return {str(label): _checked(part, float, f"{name} of {label}") for label, part in value.items()}
    if hint is float and type(value) in {int, float}:
        if not abs(value) <= sys.float_info.max:
            raise ValueError(f"{name} is not a finite number")
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"{name} is {type(value).__name__}, not {hint.__name__}")
    return value


def _read_jsonl(path: Path, kind: type[R]) -> list[R]:
    rows = []
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise ValueError(f"longer than {MAX_LINE} bytes")
                if line.strip():
                    rows.append(from_json(_parsed(line.decode()), kind))
    except (ValueError, RecursionError) as error:  # JSON and Unicode errors are ValueErrors
        raise StorageError(f"{path}, line {number}: {error}", _mend(path)) from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", _mend(path)) from None
    return rows


def _parsed(line: str) -> Any:
    value = json.loads(line)
    if "\\u" in line:
        json.dumps(value, ensure_ascii=False).encode()  # half a character, escaped, is not text
    return value


def _parquet_bytes(rows: list[Any], kind: type[Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    table = _arrow_table(rows, _arrow_schema(kind))
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def _arrow_table(rows: Sequence[Any], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = [pa.array([_arrow_value(getattr(row, field.name)) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _read_parquet(path: Path, kind: type[R]) -> list[R]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StorageError(f"{path} is not a readable table: {error}", _mend(path)) from None
    if table.schema.metadata is None or table.schema.metadata.get(b"acbench.record") != kind.__name__.encode():
        raise StorageError(f"{path} does not hold {kind.__name__} records", _mend(path))
    hints = _hints(cast(Any, kind))
    columns = {
        name: [_from_arrow(value, hints[name]) for value in table.column(name).to_pylist()]
        for name in table.column_names
        if name in hints
    }
    names = list(columns)
    try:
        return [kind(**dict(zip(names, values, strict=True))) for values in zip(*columns.values(), strict=True)]
    except TypeError as error:
        raise StorageError(f"{path} was written by another version: {error}", _mend(path)) from None


def _arrow_schema(kind: type[Any]) -> pa.Schema:
    import pyarrow as pa

    def arrow_type(hint: Any) -> pa.DataType:
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin is types.UnionType:
            return arrow_type(args[0])
        if origin is tuple:
            return pa.list_(pa.string())
        if origin is Mapping:
            return pa.map_(pa.string(), pa.float64())
        return {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}.get(hint, pa.string())

    fields = [pa.field(name, arrow_type(hint)) for name, hint in typing.get_type_hints(kind).items()]
    return pa.schema(fields, metadata={"acbench.record": getattr(kind, "__name__", "")})


def _arrow_value(value: Any) -> Any:
    return sorted(value.items()) if isinstance(value, Mapping) else value


def _from_arrow(value: Any, hint: Any) -> Any:
    if isinstance(value, list):
        return dict(value) if typing.get_origin(hint) is Mapping else tuple(value)
    return value


def _mend(path: Path) -> str:
    if path.suffix == ".parquet":
        return f"delete {path} and run the same command again: it is remade"
    return f"mend the line, or take the file's last good version: git checkout -- {path}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
