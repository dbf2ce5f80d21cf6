"""A table in parts, such as one a category, of which only those are made anew whose inputs have changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic

from acbench.errors import StorageError
from acbench.storage import tables
from acbench.storage.build import Build
from acbench.storage.digests import digest
from acbench.storage.parquet import ParquetFile, R, in_groups

_PARTS = "parts"


class PartTable(Generic[R]):
    """The records in one `.parquet` file, in which it is noted which rows are those of a part, and what made them."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        self.path = path
        self._kind = kind

    def ensure(self, build: Build, keys: Mapping[str, str], make: Callable[[str], Iterable[R]]) -> None:
        """Have the parts in the file, in the order of `keys`: each part → a hash of everything that decides it.

        `make` gives the rows of a part that is not there as its key says.
        """
        build.ensure(self.path, digest(list(keys.items())), lambda path: self._write(build, path, keys, make))

    def _write(self, build: Build, path: Path, keys: Mapping[str, str], make: Callable[[str], Iterable[R]]) -> None:
        former = self._former(build)
        counts: dict[str, int] = {}

        def counted(name: str, rows: Iterable[R]) -> Iterator[R]:
            counts[name] = 0
            for row in rows:
                counts[name] += 1
                yield row

        def parts() -> Iterator[Sequence[R] | Any]:
            for name, key in keys.items():
                file, begin, end = former.get((name, key), (None, 0, 0))
                if file is None:
                    yield from in_groups(counted(name, make(name)))
                else:
                    counts[name] = end - begin
                    yield from file.rows(begin, end)

        def notes() -> dict[str, str]:
            return {_PARTS: json.dumps([(name, key, counts[name]) for name, key in keys.items()])}

        tables.write_in_order(path, parts(), self._kind, notes=notes)

    def _former(self, build: Build) -> dict[tuple[str, str], tuple[ParquetFile[R], int, int]]:
        """Each part that is there, with its key → where its rows are."""
        if not build.is_untouched(self.path):
            return {}
        found, begin = {}, 0
        try:
            file = ParquetFile(self.path, self._kind)
            for name, key, count in json.loads(file.notes.get(_PARTS, "[]")):
                found[name, key] = file, begin, begin + count
                begin += count
        except (StorageError, ValueError, TypeError):  # of another version
            return {}
        return found
