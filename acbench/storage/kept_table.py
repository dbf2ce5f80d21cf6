"""A table on disk that is read at most once, and only if its rows are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic

from acbench.storage import stored_rows, tables
from acbench.storage.parquet import R, in_groups
from acbench.storage.stored_rows import StoredRows


class KeptTable(Generic[R]):
    """The records in one file; in memory once they are read or written, but for those of a large table."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        self.path = path
        self._kind = kind
        self._rows: Sequence[R] | None = None

    @property
    def rows(self) -> Sequence[R]:
        """All records; none if there is no file. Raises StorageError for a damaged file."""
        if self._rows is None:
            stored: Sequence[R] = StoredRows(self.path, self._kind) if self.path.exists() else []
            self._rows = stored if isinstance(stored, StoredRows) and not stored.is_whole else list(stored)
        return self._rows

    def write(self, rows: Iterable[R]) -> None:
        """Replace the file, in the order of the rows."""
        few: list[R] = []

        def passing() -> Iterator[R]:
            for row in rows:
                if len(few) <= stored_rows.WHOLE:
                    few.append(row)
                yield row

        tables.write_in_order(self.path, in_groups(passing()), self._kind)
        self._rows = few if len(few) <= stored_rows.WHOLE else None
