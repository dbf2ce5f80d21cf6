"""Holds very many texts, and finds one of them, in little more memory than their letters take."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

import numpy as np

_TORN = "surrogatepass"
"""Half characters, which a JSON file may hold, are kept as they are."""


class Texts:
    """Texts by their number, from 0 in the order in which they were added: their bytes, and 20 bytes for each."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes = bytearray()
        self._ends = array("q", [0])
        self._index: tuple[memoryview, memoryview] | None = None
        self.extend(texts)

    def append(self, text: str) -> None:
        """Add a text; its number is how many there were before."""
        self._bytes += text.encode("utf-8", _TORN)
        self._ends.append(len(self._bytes))
        self._index = None

    def extend(self, texts: Iterable[str]) -> None:
        """Add several."""
        for text in texts:
            self.append(text)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        return self._bytes[self._ends[number] : self._ends[number + 1]].decode("utf-8", _TORN)

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and next(self.find(text), None) is not None

    def find(self, text: str) -> Iterator[int]:
        """The numbers of texts that are this one, rising."""
        hashes, numbers = self._sorted
        wanted = hash(text)
        place = bisect_left(hashes, wanted)
        while place < len(hashes) and hashes[place] == wanted:
            if self[numbers[place]] == text:
                yield numbers[place]
            place += 1

    @property
    def repeated(self) -> list[int]:
        """The numbers of texts that are there more than once, rising; hardly ever that of another text."""
        hashes, numbers = map(np.asarray, self._sorted)
        same = np.flatnonzero(hashes[1:] == hashes[:-1])
        found: list[int] = np.unique(numbers[np.append(same, same + 1)]).tolist()
        return found

    def shared_with(self, other: Texts) -> list[int]:
        """The numbers of texts that are there, too, in any order; hardly ever that of another text."""
        (hashes, numbers), (others, _) = (map(np.asarray, texts._sorted) for texts in (self, other))
        found: list[int] = numbers[np.isin(hashes, others)].tolist()
        return found

    @property
    def _sorted(self) -> tuple[memoryview, memoryview]:
        """The hashes of all texts, sorted, and the number of each."""
        if self._index is None:
            hashes = np.fromiter(map(hash, self), dtype=np.int64, count=len(self))
            order = np.argsort(hashes, kind="stable").astype(np.int32)
            self._index = hashes[order].data, order.data
        return self._index
