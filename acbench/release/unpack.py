"""Makes Python values of Arrow's where texts lie in dictionaries, each of them once: pyarrow's own `to_pylist` makes
every text anew, and takes five times as long."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Give each row as a table of its values, as `batch.to_pylist()` does."""
    names = batch.schema.names
    for found in zip(*map(values, batch.columns), strict=True):
        yield dict(zip(names, found, strict=True))


def values(column: pa.Array) -> list[Any]:
    """Give the values of a column, as `column.to_pylist()` does."""
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        texts = column.dictionary.to_pylist()
        return [None if number is None else texts[number] for number in column.indices.to_pylist()]
    if types.is_list(kind) and types.is_nested(kind.value_type) | types.is_dictionary(kind.value_type):
        if not column.null_count:
            inner, offsets = values(column.flatten()), column.offsets.to_pylist()
            return [inner[begin - offsets[0] : end - offsets[0]] for begin, end in pairwise(offsets)]
    elif types.is_struct(kind) and not column.null_count:
        names = [field.name for field in kind]
        return [dict(zip(names, each, strict=True)) for each in zip(*map(values, column.flatten()), strict=True)]
    found: list[Any] = column.to_pylist()
    return found
