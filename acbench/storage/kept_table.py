"""A table on disk that is read at most once, and only if its rows are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic

from acbench.storage import tables
from acbench.storage.parquet import R


class KeptTable(Generic[R]):
    """The records in one file, kept in memory once they are read or written. `key`: what rows are sorted by."""

    def __init__(self, path: Path, kind: type[R], key: Callable[[R], Any]) -> None:
        self.path = path
        self._kind = kind
        self._key = key
        self._rows: list[R] | None = None

    @property
    def rows(self) -> list[R]:
        """All records; none if there is no file. Raises StorageError for a damaged file."""
        if self._rows is None:
            self._rows = tables.read(self.path, self._kind)
        return self._rows

    def write(self, rows: Iterable[R]) -> None:
        """Replace the file."""
        self._rows = sorted(rows, key=self._key)
        tables.write(self.path, self._rows, self._kind, key=self._key)
