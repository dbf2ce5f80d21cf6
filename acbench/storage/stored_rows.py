"""Rows that stay in their table on disk: of a large one, only a few groups are in memory at once.

Whoever goes through them, or through ids in the order of the table, reads each group once. A few rows out of many are
had together, by `some`: each that is asked for alone has its group read. Threads may share all of it.
"""

from __future__ import annotations

import itertools
import threading
from array import array
from bisect import bisect_right
from collections import ChainMap, Counter, OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from acbench._util.computed import Computed
from acbench.storage.parquet import ParquetFile, R
from acbench.storage.texts import Texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WHOLE = 20_000
"""A table of no more rows is in memory as a whole, once it has been read."""
GROUPS = 2
"""Groups of a larger one that are."""

V = TypeVar("V")


class StoredRows(Sequence[R], Generic[R]):
    """The records of a `.parquet` table, in its order; the file is opened when the first is asked for.

    `count`: how many there are, where that is known. Raises StorageError for a damaged file.
    """

    def __init__(self, path: Path, kind: type[R], count: int | None = None) -> None:
        self.path, self.kind = path, kind
        self._count = count
        self._groups: OrderedDict[int, list[R]] = OrderedDict()
        self._turn = threading.RLock()

    @cached_property
    def _file(self) -> ParquetFile[R]:
        return ParquetFile(self.path, self.kind)

    @cached_property
    def starts(self) -> list[int]:
        """The number of the first row of each group, and of all rows."""
        return [0, *itertools.accumulate(self._file.sizes)]

    def __len__(self) -> int:
        return self.starts[-1] if self._count is None else self._count

    @property
    def is_whole(self) -> bool:
        """Whether all rows stay in memory."""
        return len(self) <= WHOLE

    def __iter__(self) -> Iterator[R]:
        for number in range(len(self._file.sizes)):
            yield from self.group(number)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[R]: ...
    def __getitem__(self, index: int | slice) -> R | Sequence[R]:
        if isinstance(index, slice):
            return self.at(range(len(self))[index])
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        group = self.group_of(number)
        return self.group(group)[number - self.starts[group]]

    def at(self, places: Iterable[int]) -> list[R]:
        """The rows with these numbers."""
        rows: list[R] = []
        for group, members in itertools.groupby(places, self.group_of):
            own = [place - self.starts[group] for place in members]
            if group in self._groups or self.is_whole or len(own) * GROUPS > self._file.sizes[group]:
                rows += map(self.group(group).__getitem__, own)
            else:
                rows += self._file.some(group, own)
        return rows

    def group_of(self, place: int) -> int:
        """The group that a row is in."""
        return bisect_right(self.starts, place) - 1

    def group(self, number: int) -> list[R]:
        """The rows of a group."""
        with self._turn:
            rows = self._groups.get(number)
            if rows is None:
                rows = self._groups[number] = self._file.group(number)
                if len(self._groups) > GROUPS and not self.is_whole:
                    self._groups.popitem(last=False)
            return rows

    def column(self, name: str) -> Any:
        """One field of all rows, a `pyarrow.ChunkedArray`."""
        return self._file.column(name)

    def fields(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Several fields of each row."""
        for number in range(len(self._file.sizes)):
            yield from zip(*self._file.columns(number, names), strict=True)

    def chosen(self, name: str, key: Callable[[str], str] = str) -> dict[str, ChosenRows[R]]:
        """The rows by the `key` of a text that is one of their fields, in the order in which keys come."""
        import numpy as np

        numbers: dict[str, int] = {}
        codes = array("i")
        for chunk in self.column(name).chunks:
            codes.extend(numbers.setdefault(key(text), len(numbers)) for text in chunk.to_pylist())
        order = np.argsort(codes, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(numbers)))[:-1]) if numbers else []
        return {own: ChosenRows(self, part) for own, part in zip(numbers, parts, strict=True)}

    def counted(self, *names: str) -> Counter[tuple[str, ...]]:
        """The texts in some fields, together → how many rows have them."""
        import pyarrow as pa

        table = pa.table([self.column(name) for name in names], names=list(names))
        found = table.group_by(list(names), use_threads=False).aggregate([([], "count_all")]).to_pylist()
        return Counter({tuple(row[name] or "" for name in names): row["count_all"] for row in found})

    def has_any(self, name: str) -> bool:
        """Whether a field that holds lists or mappings is not empty in all rows."""
        chunks = self.column(name).chunks
        return any(chunk.type.num_fields and chunk.offsets[-1].as_py() > chunk.offsets[0].as_py() for chunk in chunks)

    @cached_property
    def by_id(self) -> Mapping[str, R]:
        """item_id → its row."""
        return {row.item_id: row for row in self} if self.is_whole else RowsById(self)  # type: ignore[attr-defined]


class ChosenRows(Sequence[R], Generic[R]):
    """Some rows of a table. `places`: their numbers in it, rising."""

    def __init__(self, rows: StoredRows[R], places: NDArray[np.int64]) -> None:
        self._rows = rows
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[R]:
        starts = self._rows.starts
        for group in range(len(starts) - 1):
            begin, end = self._places.searchsorted([starts[group], starts[group + 1]])
            if begin < end:
                yield from map(self._rows.group(group).__getitem__, (self._places[begin:end] - starts[group]).tolist())

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[R]: ...
    def __getitem__(self, index: int | slice) -> R | Sequence[R]:
        if isinstance(index, slice):
            return ChosenRows(self._rows, self._places[index])
        return self._rows[int(self._places[index])]


class _Place(NamedTuple, Generic[R]):
    """Where a row is."""

    number: int
    """The number of its group."""
    group: list[R]
    place: int
    """Its place in that group."""


class RowsById(Mapping[str, R], Generic[R]):
    """item_id → its row, of a table that has one for each id; in the order of the table.

    Whoever goes through the table asks for the row after the last one, which is found at once.
    """

    def __init__(self, rows: StoredRows[R]) -> None:
        self.rows = rows
        self._last: _Place[R] = _Place(-1, [], -1)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        for chunk in self.rows.column("item_id").chunks:
            yield from chunk.to_pylist()

    def __contains__(self, item_id: object) -> bool:
        return isinstance(item_id, str) and self._find(item_id) is not None

    def __getitem__(self, item_id: str) -> R:
        return self.placed(item_id)[1]

    def get(self, item_id: str, default: Any = None) -> Any:
        """The row of an id; `default` if there is none."""
        found = self._find(item_id)
        return default if found is None else found.group[found.place]

    def place(self, item_id: str) -> int | None:
        """The number of the row of an id; None if there is none."""
        found = self._find(item_id)
        return None if found is None else self.rows.starts[found.number] + found.place

    def placed(self, item_id: str) -> tuple[int, R]:
        """The number of the row of an id, and the row. Raises KeyError if there is none."""
        found = self._find(item_id)
        if found is None:
            raise KeyError(item_id)
        return self.rows.starts[found.number] + found.place, found.group[found.place]

    def _find(self, item_id: str) -> _Place[R] | None:
        """Where the row of an id is; None if there is none."""
        for near in self._near(self._last):  # one look at what another thread may replace
            if near.group[near.place].item_id == item_id:  # type: ignore[attr-defined]
                self._last = near
                return near
        for row in self._places(item_id):
            number = self.rows.group_of(row)
            found = _Place(number, self.rows.group(number), row - self.rows.starts[number])
            if found.group[found.place].item_id == item_id:  # type: ignore[attr-defined]
                self._last = found
                return found
        return None

    def _near(self, last: _Place[R]) -> Iterator[_Place[R]]:
        """The row after the last one that was asked for, and that one."""
        number, group, place = last
        if place + 1 < len(group):
            yield _Place(number, group, place + 1)
        if group:
            yield last
        if place + 1 == len(group) and number + 2 < len(self.rows.starts):
            yield _Place(number + 1, self.rows.group(number + 1), 0)

    def some(self, item_ids: Iterable[str]) -> dict[str, R]:
        """The rows of some ids, as far as there are any, in the order of the ids."""
        wanted = list(item_ids)
        places = sorted({place for item_id in wanted for place in self._places(item_id)})
        found = {row.item_id: row for row in self.rows.at(places)}  # type: ignore[attr-defined]
        return {item_id: found[item_id] for item_id in wanted if item_id in found}

    def _places(self, item_id: str) -> list[int]:
        """Where a row of the id may be; nearly always one place or none."""
        hashes, places = self._index
        wanted = hash(item_id)
        begin = int(hashes.searchsorted(wanted))
        found = []
        while begin < len(hashes) and hashes[begin] == wanted:
            found.append(int(places[begin]))
            begin += 1
        return found

    @cached_property
    def _index(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The hashes of all ids, sorted, and the place of each."""
        import numpy as np

        hashes = np.fromiter(map(hash, self), dtype=np.int64, count=len(self.rows))
        order = np.argsort(hashes, kind="stable").astype(np.int32)
        return hashes[order], order


class RowsOfItems(Mapping[str, Sequence[R]], Generic[R]):
    """item_id → its rows in several tables, each of which has one for each item that it covers."""

    def __init__(self, tables: Iterable[StoredRows[R]]) -> None:
        self._tables = list(tables)
        self.tables = [table.by_id for table in self._tables]

    def __getitem__(self, item_id: str) -> Sequence[R]:
        if rows := self._of(item_id):
            return rows
        raise KeyError(item_id)

    def get(self, item_id: str, default: Any = ()) -> Any:
        """The rows of an id; `default` if there are none."""
        return self._of(item_id) or default

    def _of(self, item_id: str) -> list[R]:
        return [row for table in self.tables if (row := table.get(item_id)) is not None]

    def __contains__(self, item_id: object) -> bool:
        return any(item_id in table for table in self.tables)

    def __iter__(self) -> Iterator[str]:
        for number, table in enumerate(self.tables):
            before = self.tables[:number]
            yield from (item_id for item_id in table if not any(item_id in other for other in before))

    def __len__(self) -> int:
        return len(self.tables[0]) if len(self.tables) == 1 else sum(1 for _ in self)

    def __bool__(self) -> bool:
        return any(self.tables)

    def having(self, name: str) -> RowsOfItems[R]:
        """The rows of those tables alone in which a field that holds mappings is not always empty."""
        return RowsOfItems(table for table in self._tables if table.has_any(name))

    def some(self, item_ids: Collection[str]) -> dict[str, Sequence[R]]:
        """The rows of some ids, as far as there are any."""
        found = [some(table, item_ids) for table in self.tables]
        rows = {item_id: [own[item_id] for own in found if item_id in own] for item_id in item_ids}
        return {item_id: own for item_id, own in rows.items() if own}


def at_places(rows: Sequence[R], places: Sequence[int]) -> Iterable[R]:
    """The rows with some numbers, rising; of rows on disk each group is read once, and few are in memory."""
    import numpy as np

    if isinstance(rows, StoredRows):
        return ChosenRows(rows, np.asarray(places, dtype=np.int64))
    return map(rows.__getitem__, places)


def is_large(rows: Sequence[Any]) -> bool:
    """Whether rows are on disk, and too many to be in memory together."""
    return isinstance(rows, StoredRows) and not rows.is_whole


def fields(rows: Sequence[R], *names: str) -> Iterator[tuple[Any, ...]]:
    """Several fields of each row, in memory or on disk; of a text that comes often there is one object."""
    return rows.fields(*names) if isinstance(rows, StoredRows) else map(attrgetter(*names), rows)


def by_item_id(rows: Sequence[R]) -> Mapping[str, R]:
    """item_id → its row, of rows in memory or on disk."""
    return rows.by_id if isinstance(rows, StoredRows) else {row.item_id: row for row in rows}  # type: ignore[attr-defined]


def places(rows: Sequence[R]) -> Callable[[str], int | None]:
    """Gives the number of a row by its id; None for an id that no row has."""
    by_id = rows.by_id if isinstance(rows, StoredRows) else None
    if isinstance(by_id, RowsById):
        return by_id.place
    return Texts(row.item_id for row in rows).place  # type: ignore[attr-defined]


def grouped(rows: Sequence[R], name: str, key: Callable[[str], str] = str) -> Mapping[str, Sequence[R]]:
    """Rows in memory or on disk by the `key` of one of their fields, in the order in which keys come."""
    if isinstance(rows, StoredRows) and is_large(rows):
        return rows.chosen(name, key)
    found: defaultdict[str, list[R]] = defaultdict(list)
    for row in rows:
        found[key(getattr(row, name))].append(row)
    return found


def having(rows: Mapping[str, Sequence[R]], name: str) -> Mapping[str, Sequence[R]]:
    """Rows by item, of tables on disk without those in which a field that holds mappings is always empty."""
    return rows.having(name) if isinstance(rows, RowsOfItems) else rows


def some(rows: Mapping[str, V], item_ids: Collection[str]) -> Mapping[str, V]:
    """The values of some ids, as far as there are any: of a mapping in memory, or of one whose values are on disk."""
    if isinstance(rows, RowsById | RowsOfItems | Computed):
        return rows.some(item_ids)
    if isinstance(rows, ChainMap):
        return {key: value for own in reversed(rows.maps) for key, value in some(own, item_ids).items()}
    return {item_id: rows[item_id] for item_id in item_ids if item_id in rows}
