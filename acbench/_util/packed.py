"""Holds very many records in little memory, and sorts them: all but a few are packed."""

from __future__ import annotations

import heapq
import pickle
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from acbench._util.chunks import chunks

T = TypeVar("T")

TOGETHER = 5_000
"""Records that are packed together."""


class Packed(Generic[T]):
    """Records in the order in which they were added. Of those that are packed, one group at a time is made anew.

    `take`: the tuple that decides a record, of what pickle can hold. `make`: the record that a tuple decides.
    """

    def __init__(
        self, take: Callable[[T], tuple[Any, ...]], make: Callable[[tuple[Any, ...]], T], records: Iterable[T] = ()
    ) -> None:
        self._take, self._make = take, make
        self._packed: list[bytes] = []
        self._count = 0
        self._last: list[T] = []
        self._at_hand: tuple[int, list[T]] | None = None
        self.extend(records)

    def append(self, record: T) -> None:
        """Add a record. Raises ValueError after `pack`, since records are found by the size of their groups."""
        if self._count % TOGETHER:
            raise ValueError("it is packed: no more can be added")
        self._last.append(record)
        if len(self._last) == TOGETHER:
            self.pack()

    def extend(self, records: Iterable[T]) -> None:
        """Add several."""
        for record in records:
            self.append(record)

    def pack(self) -> None:
        """Pack the last ones too: no more are added."""
        if self._last:
            rows = pickle.dumps(list(map(self._take, self._last)), pickle.HIGHEST_PROTOCOL)
            self._packed.append(zlib.compress(rows, 1))
            self._count += len(self._last)
            self._last = []

    def __len__(self) -> int:
        return self._count + len(self._last)

    def __iter__(self) -> Iterator[T]:
        for group in self.groups():
            yield from group

    def __getitem__(self, number: int) -> T:
        """One record. Those that are asked for one after the other should lie near each other."""
        group, place = divmod(number, TOGETHER)
        if group == len(self._packed):
            return self._last[place]
        if self._at_hand is None or self._at_hand[0] != group:
            self._at_hand = group, list(map(self._make, self._rows(group)))
        return self._at_hand[1][place]

    def groups(self) -> Iterator[list[T]]:
        """The records, `TOGETHER` at a time."""
        for group in range(len(self._packed)):
            yield list(map(self._make, self._rows(group)))
        if self._last:
            yield self._last

    def taken(self) -> Iterator[tuple[Any, ...]]:
        """The tuples that decide the records, which are not made for that."""
        for group in range(len(self._packed)):
            yield from self._rows(group)
        yield from map(self._take, self._last)

    def _rows(self, group: int) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = pickle.loads(zlib.decompress(self._packed[group]))  # noqa: S301  (made above)
        return rows


def in_order(records: Iterable[T], key: Callable[[T], str], empty: Callable[[], Packed[T]]) -> Packed[T]:
    """Records sorted by `key`; of each part of them that is sorted already, one group is in memory."""
    runs: list[Packed[T]] = []
    last = ""
    for group in chunks(records, TOGETHER):
        group.sort(key=key)
        if not runs or key(group[0]) < last:
            runs.append(empty())
        runs[-1].extend(group)
        last = key(group[-1])
    if len(runs) == 1:
        found = runs[0]
    else:
        found = empty()
        found.extend(heapq.merge(*runs, key=key))
    found.pack()
    return found
