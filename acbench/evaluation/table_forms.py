"""Reads rows from the forms in which programs hold tables: records, mappings, columns, and those of other libraries.

`datasets` and `pandas` are not imported: whoever hands over one of their tables has imported them. What is used of a
table is written down as a protocol, and a table is recognised by it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, Protocol, runtime_checkable

from acbench.errors import AcbenchError
from acbench.evaluation.answer_files import Row
from acbench.records import Label, Prediction
from acbench.storage.answer_columns import IMAGE, known_columns

NAMED_BESIDE = {"label": "label_name", "labels": "label_names", "category": "category_name"}
"""Column of class numbers → the column beside it, in our releases, that names the same classes."""
GIVE_TEST_SPLIT = 'give the test split: load_dataset(…, split="test")'


@runtime_checkable
class DatasetTable(Protocol):
    """`datasets.Dataset`, as far as it is read."""

    column_names: list[str]
    features: Mapping[str, object]

    def select_columns(self, column_names: list[str]) -> Iterable[Mapping[str, object]]: ...


@runtime_checkable
class ClassLabelFeature(Protocol):
    """`datasets.ClassLabel`: a column of class numbers that knows their names."""

    def int2str(self, values: int) -> str: ...


@runtime_checkable
class ListFeature(Protocol):
    """`datasets.List`: a column of lists."""

    feature: object


@runtime_checkable
class DataFrameTable(Protocol):
    """`pandas.DataFrame`, as far as it is read."""

    columns: Iterable[str]

    def __getitem__(self, columns: list[str]) -> Any: ...
    def to_dict(self, orient: str) -> list[dict[str, Any]]: ...


@runtime_checkable
class ArrayCell(Protocol):
    """`numpy.ndarray`: a cell of a DataFrame that holds a list."""

    def tolist(self) -> list[object]: ...


def rows(table: object, column: str | None = None) -> Iterator[Row | Label]:
    """Read the rows of a table in any form; Label records are left as they are.

    Of a table of columns, only `column` and those that `storage.answer_columns` knows are read: others may be pictures.
    Raises AcbenchError for several splits at once, or for what is no table.
    """
    if isinstance(table, Mapping):
        if is_splits(table):
            names = ", ".join(map(str, table))
            raise AcbenchError(f"these are {len(table)} splits of a dataset: {names}", GIVE_TEST_SPLIT)
        yield from _rows_of_columns(table, column)
    elif isinstance(table, DatasetTable):
        yield from _rows_of_dataset(table, column)
    elif isinstance(table, DataFrameTable):
        yield from _rows_of_frame(table, column)
    elif isinstance(table, Iterable):
        for row in table:
            yield row if isinstance(row, Label) else _named(as_row(row))
    else:
        raise AcbenchError(f"a table is {type(table).__name__}", _FORMS)


_FORMS = "give records, mappings, columns, a Dataset or a DataFrame"


class NamedRow(dict[str, Any]):
    """A row whose numbers have been replaced by the names that stand beside them."""


def _named(row: Row) -> Row:
    """The row with names in place of class numbers, where a column beside them holds these."""
    taken = {
        numbers: row[names]
        for numbers, names in NAMED_BESIDE.items()
        if row.get(names) is not None and numbers in row and _is_number(row[numbers])
    }
    return NamedRow({**row, **taken}) if taken else row


def _is_number(value: object) -> bool:
    """Whether a value is a number, or a list that begins with one."""
    first = next(iter(value), None) if isinstance(value, list | tuple) else value
    return isinstance(first, Real) and not isinstance(first, bool)


def as_row(row: object) -> Row:
    """A record or a mapping as a row. Raises AcbenchError for anything else."""
    if isinstance(row, Mapping):
        return row
    if isinstance(row, Label | Prediction):
        return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    raise AcbenchError(f"a row is {type(row).__name__}", _FORMS)


def is_columns(table: Mapping[str, object]) -> bool:
    """Whether a mapping is a table of columns: it names its items in one of them."""
    return any(name in table for name in ("item_id", *IMAGE))


def is_splits(table: Mapping[str, object]) -> bool:
    """Whether a mapping is a `datasets.DatasetDict`."""
    one_of_each_type = {type(part): part for part in table.values()}  # a check takes long, and answers may be many
    return any(isinstance(part, DatasetTable) for part in one_of_each_type.values())


def _read_names(names: Iterable[str], column: str | None) -> list[str]:
    """The columns that are read."""
    names = [name for name in names if isinstance(name, str)]
    known = {*known_columns(names).values(), *NAMED_BESIDE.values(), column}
    return [name for name in names if name in known]


def _rows_of_columns(table: Mapping[str, Sequence[object]], column: str | None) -> Iterator[Row]:
    names = _read_names(table, column)
    for values in zip(*(table[name] for name in names), strict=True):
        yield _named(dict(zip(names, values, strict=True)))


def _rows_of_dataset(table: DatasetTable, column: str | None) -> Iterator[Row]:
    """Read a Dataset with names for class numbers, and without its images, which would be decoded."""
    names = [name for name in _read_names(table.column_names, column) if not _is_image(table.features[name])]
    features = {name: table.features[name] for name in names}
    for row in table.select_columns(names):
        yield {name: _with_names(value, features[name]) for name, value in row.items()}


def _is_image(feature: object) -> bool:
    return type(feature).__name__ == "Image"  # it has no method of its own to know it by


def _with_names(value: Any, feature: object) -> object:
    """A class number, alone or in a list, as its name."""
    if isinstance(feature, ClassLabelFeature) and isinstance(value, int):
        return feature.int2str(value)
    if isinstance(feature, ListFeature) and isinstance(feature.feature, ClassLabelFeature):
        return [feature.feature.int2str(number) for number in value]
    return value


def _rows_of_frame(table: DataFrameTable, column: str | None) -> Iterator[Row]:
    frame = table[_read_names(table.columns, column)].astype(object)
    for row in frame.where(frame.notna(), None).to_dict("records"):
        yield _named({name: value.tolist() if isinstance(value, ArrayCell) else value for name, value in row.items()})
