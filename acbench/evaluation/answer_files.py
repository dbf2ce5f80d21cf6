"""Reads the rows of a file of answers: CSV, JSON, JSON lines or Parquet.

A JSON file is a list of objects, an object of name → answer, or a table that was saved by its columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from acbench._util.text import tidy
from acbench.errors import TableError
from acbench.storage.answer_columns import LABELS, PREDICTIONS, answer_column, known_columns
from acbench.storage.csv_files import csv_rows

CSV, JSON_LINES, PARQUET = (".csv", ".tsv"), (".jsonl", ".ndjson"), (".parquet", ".pq")
ANSWER_FILES = (*CSV, ".json", *JSON_LINES, *PARQUET)
"""How the names of files of answers end."""
MAX_BYTES = 256 << 20
"""Largest file of JSON lines, or largest parquet file."""
MAX_CELL = 131_072
"""Characters of the longest cell of a CSV file."""
MAX_SHOWN = 200
"""Characters of a name or a fault that an error repeats."""

Row = Mapping[str, Any]
"""Column → value."""
LocatedRow = tuple[str, Row]
"""Where the row stands, for messages, and the row."""


def read(path: Path, column: str | None = None) -> Iterator[LocatedRow]:
    """Read the rows of a file. `column`: the column of answers, if somebody named it.

    Raises TableError for a file that is of another kind or damaged, naming the line.
    """
    check_file(path)
    suffix = path.suffix.lower()
    if suffix in CSV:
        rows = csv_rows(path, (), max_cell=MAX_CELL)
        return ((f"{path}, line {line}", row) for line, row in rows)
    if suffix in JSON_LINES:
        return _read_jsonl(path)
    if suffix in PARQUET:
        return _read_parquet(path, column)
    return _read_json(path)


def check_file(path: Path) -> None:
    """Raises TableError for a file of answers that is not there, too large, or of another kind."""
    if not path.is_file():
        raise TableError(f"{path} is not there, or is no file", "check the path")
    if path.suffix.lower() not in ANSWER_FILES:
        raise TableError(f"{path} is neither .csv, .json, .jsonl nor .parquet", "save the predictions as one of these")
    if path.stat().st_size > MAX_BYTES:
        raise TableError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "give one row an item of the benchmark")


def _read_jsonl(path: Path) -> Iterator[LocatedRow]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise TableError(
                    f"{where}: not JSON: {tidy(str(error), MAX_SHOWN)}", "one JSON object a line"
                ) from None
            if not isinstance(row, dict):
                raise TableError(f"{where}: not a JSON object", "one JSON object a line")
            yield where, row


def _read_json(path: Path) -> Iterator[LocatedRow]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise TableError(
            f"{path}: not JSON: {tidy(str(error), MAX_SHOWN)}", "a list of objects, or {name: answer}"
        ) from None
    if isinstance(content, dict) and not known_columns(content):
        for name, answer in content.items():
            yield f"{path}, {tidy(name, MAX_SHOWN)}", _named_row(name, answer)
        return
    rows = content if isinstance(content, list) else _rows_of_columns(content)
    if rows is None:
        raise TableError(f"{path}: neither a list nor an object of name and answer", 'such as [{"image": …}, …]')
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise TableError(f"{path}, entry {number}: not a JSON object", "one object an image")
        yield f"{path}, entry {number}", row


def _named_row(name: str, answer: object) -> Row:
    """A row of an object of name → answer, or name → answer and what belongs to it, as in {"answer": …, "cost": …}."""
    if isinstance(answer, dict) and any(isinstance(answer.get(column), str) for column in (*PREDICTIONS, *LABELS)):
        return {"image": name, **answer}
    return {"image": name, "answer": answer}


def _rows_of_columns(content: object) -> list[Any] | None:
    """The rows of a table that was saved by its columns: lists, or objects of index → value; or of a list below a name.

    None for anything else.
    """
    values = list(content.values()) if isinstance(content, dict) else []
    if len(values) == 1 and isinstance(values[0], list) and all(isinstance(row, dict) for row in values[0]):
        return values[0]
    if values and all(isinstance(each, dict) and each.keys() == values[0].keys() for each in values):
        values = [list(each.values()) for each in values]
    if values and all(isinstance(each, list) and len(each) == len(values[0]) for each in values):
        return [dict(zip(content, row, strict=True)) for row in zip(*values, strict=True)]  # type: ignore[call-overload]
    return None


def _read_parquet(path: Path, column: str | None) -> Iterator[LocatedRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        columns = {*known_columns(names).values()} | (
            {answer_column(names, str(path), column).name} if column else set()
        )
        number = 0
        for batch in file.iter_batches(batch_size=4096, columns=sorted(columns)):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row
    except (pa.ArrowException, OSError) as error:
        raise TableError(
            f"{path} is no readable parquet file: {tidy(str(error), MAX_SHOWN)}", "write it again"
        ) from None
