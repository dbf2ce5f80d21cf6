"""Parquet tables of records, in groups of rows: one group at a time is in memory."""

from __future__ import annotations

import itertools
import threading
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, TypeVar

from acbench._util.chunks import chunks
from acbench.errors import StorageError
from acbench.storage.typed_json import convert_all, sparse_fields

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")
"""A record: a flat dataclass, such as those of `acbench.records`."""

TOGETHER = 5_000
"""Records of a group: the others take no memory while these are written, or read."""
_NOTE = b"acbench.note."
_OFTEN = 10
"""A text is one object in all records of a table if it comes so often in those that are read together."""


class ParquetFile(Generic[R]):
    """A table that is open: it stays what it was, whatever becomes of the file. Threads may share it.

    Raises StorageError for a file that is damaged or holds other records; so do its methods.
    """

    def __init__(self, path: Path, kind: type[R]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path, self.kind = path, kind
        fields = typing.get_type_hints(kind)
        try:
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._unreadable(error) from None
        schema, metadata = self._file.schema_arrow, self._file.metadata
        if (schema.metadata or {}).get(b"acbench.record") != kind.__name__.encode():
            raise StorageError(f"{path} does not hold {kind.__name__} records", mend(path))
        self.sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        """Rows of each group."""
        self._names = [name for name in schema.names if name in fields]
        self._shared: dict[str, str] = {}
        self._turn = threading.Lock()
        if sum(self.sizes) != metadata.num_rows:
            raise self._unreadable("rows are missing")

    def group(self, number: int) -> list[R]:
        """The records of a group."""
        return self._records(number, self._read(number, self._names))

    def some(self, number: int, places: Sequence[int]) -> list[R]:
        """Some records of a group, by their places in it."""
        return self._records(number, self._read(number, self._names).take(list(places)))

    def _records(self, group: int, part: pa.Table) -> list[R]:
        try:
            columns = [_from_arrow(part.column(name).combine_chunks(), self._shared) for name in self._names]
        except ValueError as error:  # ArrowException is one for texts that are none
            raise self._unreadable(error) from None
        found = [dict(zip(self._names, row, strict=True)) for row in zip(*columns, strict=True)]
        rows = convert_all(found, self.kind, _numbered(self.path, sum(self.sizes[:group])), hint=mend(self.path))
        if len(rows) != part.num_rows:
            raise self._unreadable("rows are missing")
        return rows

    def rows(self, begin: int, end: int) -> Iterator[pa.Table]:
        """Some rows as they are, for `write`, a group at a time."""
        before = 0
        for number, size in enumerate(self.sizes):
            first, last = max(begin - before, 0), min(end - before, size)
            if first < last:
                yield self._read(number, self._names).slice(first, last - first)
            before += size

    @property
    def notes(self) -> Mapping[str, str]:
        """What `write` noted in the file."""
        kept = self._file.metadata.metadata or {}
        begins = {key.decode(): value.decode() for key, value in kept.items() if key.startswith(_NOTE)}
        return {key.removeprefix(_NOTE.decode()): value for key, value in begins.items()}

    def column(self, name: str) -> pa.ChunkedArray:
        """One field of all records; nulls, where the table lacks it."""
        import pyarrow as pa

        if name not in self._names:
            return pa.chunked_array([pa.nulls(sum(self.sizes))])
        parts = [self._read(number, [name]).column(name) for number in range(len(self.sizes))]
        type_ = self._file.schema_arrow.field(name).type
        return pa.chunked_array([chunk for part in parts for chunk in part.chunks], type=type_)

    def columns(self, number: int, names: Sequence[str]) -> list[list[Any]]:
        """Some fields of the records of a group."""
        part = self._read(number, names)
        return [_from_arrow(part.column(name).combine_chunks(), self._shared) for name in names]

    def _read(self, group: int, names: Sequence[str]) -> pa.Table:
        import pyarrow as pa

        try:
            with self._turn:  # pyarrow's reader gives two threads each other's ranges of the file
                return self._file.read_row_group(group, columns=list(names), use_threads=False)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._unreadable(error) from None

    def _unreadable(self, why: object) -> StorageError:
        return StorageError(f"{self.path} is not a readable table: {why}", mend(self.path))


def encoded(rows: Sequence[Any], kind: type[Any]) -> bytes:
    """The bytes of a table of these rows."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    empty = {name for name in sparse_fields(kind) if not any(getattr(row, name) for row in rows)}
    write(sink, in_groups(rows), kind, without=empty)
    return bytes(sink.getvalue())


def write(
    file: BinaryIO | pa.NativeFile,
    parts: Iterable[Sequence[Any] | pa.Table],
    kind: type[Any],
    *,
    without: Collection[str] = (),
    notes: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Write records into an open file. `without`: fields that it does not have.

    A part is records, or rows of another table of the same fields, as `ParquetFile.rows` gives them, which are copied.
    The bytes are the same however the rows are parted. `notes` is asked at the end for what the file is to hold
    besides.
    """
    import pyarrow.parquet as pq

    schema = _arrow_schema(kind, without)
    with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
        for group in _groups(parts, schema):
            writer.write_table(group)
        writer.add_key_value_metadata({_NOTE.decode() + key: value for key, value in notes().items()})


def _groups(parts: Iterable[Sequence[Any] | pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """All rows, TOGETHER at a time."""
    import pyarrow as pa

    waiting = schema.empty_table()
    for rows in parts:
        table = rows if isinstance(rows, pa.Table) else _arrow_table(rows, schema)
        waiting = pa.concat_tables([waiting, table])
        while len(waiting) >= TOGETHER:
            yield waiting.slice(0, TOGETHER).combine_chunks()
            waiting = waiting.slice(TOGETHER)
    if len(waiting):
        yield waiting.combine_chunks()


def in_groups(rows: Iterable[R]) -> Iterator[list[R]]:
    """Rows in parts that make a group each."""
    return chunks(rows, TOGETHER)


def mend(path: Path) -> str:
    """What to do about a table that cannot be read."""
    return f"delete {path} and run the same command again: it is remade"


def _arrow_table(rows: Sequence[Any], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    def column(field: pa.Field) -> pa.Array:
        values = map(attrgetter(field.name), rows)
        return pa.array(map(_pairs, values) if pa.types.is_map(field.type) else list(values), type=field.type)

    return pa.Table.from_arrays([column(field) for field in schema], schema=schema)


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

    if pa.types.is_map(column.type) and not column.null_count:
        keys, values = _from_arrow(column.keys, shared), _from_arrow(column.items, shared)
        return [dict(zip(keys[begin:end], values[begin:end], strict=True)) for begin, end in _slices(column)]
    if pa.types.is_list(column.type) and not column.null_count:
        values = _from_arrow(column.values, shared)
        return [values[begin:end] for begin, end in _slices(column)]
    if pa.types.is_string(column.type):
        coded = column.dictionary_encode()
        texts = coded.dictionary.to_pylist()
        if len(texts) * _OFTEN < len(column):
            texts = [shared.setdefault(text, text) for text in texts]
        if coded.null_count:
            return [None if number is None else texts[number] for number in coded.indices.to_pylist()]
        return [texts[number] for number in coded.indices.to_numpy().tolist()]
    if pa.types.is_boolean(column.type) or column.null_count:
        return list(column.to_pylist())
    return list(column.to_numpy().tolist()) if pa.types.is_primitive(column.type) else list(column.to_pylist())


def _slices(column: pa.Array) -> Iterable[tuple[int, int]]:
    """Where the values of each row of a column of lists, or of maps, begin and end."""
    offsets = column.offsets.to_numpy().tolist()
    return itertools.pairwise(offsets)
