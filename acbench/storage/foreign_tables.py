"""Reads tables that strangers wrote: CSV with any of the usual delimiters, JSON lines, JSON lists and Parquet.

Sizes are bounded. A row that cannot be read is a fault with its line; a file that is no table is refused.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from acbench._util.text import printable, tidy
from acbench.storage.files import FileRefused

EXTENSIONS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
MAX_BYTES = 256 * 2**20
"""A larger file is not read. A million rows of 250 bytes are smaller."""
MAX_ROWS = 2_000_000
"""Rows of a table, those that cannot be read among them."""
MAX_CELL = 100_000
"""Characters of a cell; the boxes of an image take a few hundred."""
MAX_COLUMNS = 500

_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class ForeignTable:
    """The rows of a file."""

    columns: tuple[str, ...]
    """Names, as the file has them."""
    rows: list[tuple[int, Mapping[str, Any]]]
    """(line or number of the row, from 1; column → value). Values of a CSV are texts without spaces around them."""
    faults: list[tuple[int, str]] = field(default_factory=list)
    """(line, what is wrong with it) of each row that cannot be read."""
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column of class numbers → names of the classes, where the file tells them, as those of `datasets` do."""


def parse(data: bytes, extension: str) -> ForeignTable:
    """The table in a file's bytes; `extension` is one of EXTENSIONS. Raises FileRefused if it is none."""
    if extension == ".parquet":
        return _parquet(data)
    text = _text(data)
    if extension in (".csv", ".tsv"):
        return _csv(text)
    return _json_list(text) if extension == ".json" else _json_lines(text)


def refused(why: str, hint: str = "save it as a CSV with a header, in UTF-8") -> FileRefused:
    """The refusal of a file that is no table."""
    return FileRefused("unreadable_table", f"it is not read as a table: {why}", hint)


def _text(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise refused(f"it is not UTF-8 text: byte {error.start}", "save it as UTF-8") from None
    if "\0" in text:
        raise refused("it holds NUL bytes")
    return text


def _csv(text: str) -> ForeignTable:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[tuple[int, Mapping[str, Any]]] = []
    faults: list[tuple[int, str]] = []
    header: list[str] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not header:
                header = _header(cells)
            elif len(cells) > len(header) and any(cells[len(header) :]):
                _note(faults, reader.line_num, f"it has {len(cells)} cells, the header {len(header)}")
            elif len(cells) < len(header):
                _note(faults, reader.line_num, f"it has only {len(cells)} cells, the header {len(header)}")
            elif any(len(cell) > MAX_CELL for cell in cells):
                _note(faults, reader.line_num, f"a cell has more than {MAX_CELL:,} characters")
            else:
                rows.append((reader.line_num, dict(zip(header, cells, strict=False))))
            _bounded(len(rows) + len(faults))
    except csv.Error as error:
        raise refused(f"{error}, line {reader.line_num}") from None
    if not header:
        raise refused("it is empty")
    return ForeignTable(tuple(header), rows, faults)


def _header(cells: list[str]) -> list[str]:
    if len(cells) > MAX_COLUMNS:
        raise refused(f"its first line has {len(cells):,} cells")
    names = [name or f"column {number}" for number, name in enumerate(cells, start=1)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise refused(f"two columns are called {twice!r}", "rename one")
    return names


def _json_lines(text: str) -> ForeignTable:
    rows: list[tuple[int, Mapping[str, Any]]] = []
    faults: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        _bounded(len(rows) + len(faults) + 1)
        try:
            value = msgspec.json.decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            _note(faults, number, f"it is not JSON: {error}")
            continue
        if isinstance(value, dict):
            rows.append((number, value))
        else:
            _note(faults, number, "it is no JSON object")
    return _of_objects(rows, faults)


def _json_list(text: str) -> ForeignTable:
    try:
        values = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise refused(f"it is not JSON: {error}") from None
    if not isinstance(values, list):
        raise refused("it is no list of objects", "write one object a line, as JSON lines")
    _bounded(len(values))
    rows: list[tuple[int, Mapping[str, Any]]] = []
    faults: list[tuple[int, str]] = []
    for number, value in enumerate(values, start=1):
        if isinstance(value, dict):
            rows.append((number, value))
        else:
            _note(faults, number, "it is no JSON object")
    return _of_objects(rows, faults)


def _of_objects(rows: list[tuple[int, Mapping[str, Any]]], faults: list[tuple[int, str]]) -> ForeignTable:
    if not rows:
        raise refused(f"it holds no JSON object{f'; line {faults[0][0]}: {faults[0][1]}' if faults else ''}")
    columns: dict[str, None] = {}
    for _, row in rows:
        columns.update(dict.fromkeys(row))
        if len(columns) > MAX_COLUMNS:
            raise refused(f"its objects have more than {MAX_COLUMNS:,} names")
    return ForeignTable(tuple(columns), rows, faults)


def _parquet(data: bytes) -> ForeignTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        size = sum(file.metadata.row_group(n).total_byte_size for n in range(file.metadata.num_row_groups))
        if size > 8 * MAX_BYTES:
            raise refused(f"it has {size / 2**20:,.0f} MiB when it is unpacked")
        _bounded(file.metadata.num_rows)
        schema = file.schema_arrow
        columns = [field.name for field in schema if not _holds_bytes(field.type)]
        table = file.read(columns=columns)
        values = table.to_pylist()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise refused(tidy(str(error), 200), "write it again") from None
    return ForeignTable(tuple(schema.names), list(enumerate(values, start=1)), [], _class_names(schema.metadata))


def _holds_bytes(kind: Any) -> bool:
    """Whether a column holds files, which are not read here."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(_holds_bytes(field.type) for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """The names of classes that `datasets` keeps in a Parquet file."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {
            str(column): tuple(map(str, feature["names"]))
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _note(faults: list[tuple[int, str]], line: int, why: str) -> None:
    faults.append((line, printable(tidy(why, 200))))


def _bounded(rows: int) -> None:
    if rows > MAX_ROWS:
        raise refused(f"it has more than {MAX_ROWS:,} rows", "divide the dataset")
