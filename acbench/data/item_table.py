"""Writes the table of a dataset's items while they are read, and takes from the table of before what is unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from acbench.data.ingest import FormerRows
from acbench.records import Item
from acbench.storage import atomic, tables
from acbench.storage.parquet import ParquetFile
from acbench.storage.stored_rows import StoredRows


class ItemTable:
    """A table that is written beside the one at `path`, to be used as a context; `move` puts it there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(f".{path.name}.read.part")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._new.unlink(missing_ok=True)

    def write(self, groups: Iterable[Sequence[Item] | FormerRows], boxed: bool) -> StoredRows[Item]:
        """Write all items; `boxed`: whether any may have boxes. Gives them back from the table."""
        without = () if boxed else ("boxes",)
        tables.write_in_order(self._new, self._parts(groups), Item, without=without)
        return StoredRows(self._new, Item)

    def move(self, path: Path) -> None:
        """Put the table in its place."""
        atomic.move(self._new, path)

    def _parts(self, groups: Iterable[Sequence[Item] | FormerRows]) -> Iterator[Any]:
        """The same items; those of before as rows of the table."""
        former: ParquetFile[Item] | None = None
        for group in groups:
            if isinstance(group, FormerRows):
                former = former or ParquetFile(self._path, Item)
                yield from former.rows(group.begin, group.end)
            else:
                yield group
