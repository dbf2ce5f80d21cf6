"""Holds very many texts, and finds or sorts them, in little more memory than their letters take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TORN = "surrogatepass"
"""Half characters, which a JSON file may hold, are kept as they are."""
_PADDED = 4
"""Texts are sorted as rows of one length, if they are not this many times as long so."""


class _Numbered(Sequence[str], ABC):
    """Texts that are made when they are asked for, each by its number."""

    @abstractmethod
    def _text(self, number: int) -> str: ...

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return list(map(self._text, range(len(self))[index]))
        return self._text(index)

    def __iter__(self) -> Iterator[str]:
        return map(self._text, range(len(self)))


class Texts(_Numbered):
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

    def _text(self, number: int) -> str:
        return self._bytes[self._ends[number] : self._ends[number + 1]].decode("utf-8", _TORN)

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and next(self.find(text), None) is not None

    def find(self, text: str) -> Iterator[int]:
        """The numbers of texts that are this one, rising."""
        hashes, numbers = self._sorted
        wanted = hash(text)
        place = bisect_left(hashes, wanted)
        while place < len(hashes) and hashes[place] == wanted:
            if self._text(numbers[place]) == text:
                yield numbers[place]
            place += 1

    def place(self, text: str) -> int | None:
        """The number of the first text that is this one; None if none is."""
        return next(self.find(text), None)

    @property
    def order(self) -> NDArray[np.intp]:
        """The numbers of all texts, [N], in the order in which `sorted` puts these."""
        import numpy as np

        lengths = np.diff(np.asarray(self._ends))
        width = int(lengths.max(initial=1))
        if width * len(self) > _PADDED * len(self._bytes) or b"\0" in self._bytes:
            return np.array(sorted(range(len(self)), key=self._text), dtype=np.intp)
        padded = np.zeros((len(self), width), dtype=np.uint8)
        padded[np.arange(width) < lengths[:, None]] = np.frombuffer(self._bytes, dtype=np.uint8)
        return padded.view(f"S{width}").ravel().argsort(kind="stable")

    @property
    def repeated(self) -> list[int]:
        """The numbers of texts that are there more than once, rising; hardly ever that of another text."""
        import numpy as np

        hashes, numbers = map(np.asarray, self._sorted)
        same = np.flatnonzero(hashes[1:] == hashes[:-1])
        found: list[int] = np.unique(numbers[np.append(same, same + 1)]).tolist()
        return found

    def shared_with(self, other: Texts) -> list[int]:
        """The numbers of texts that are there, too, in any order; hardly ever that of another text."""
        import numpy as np

        (hashes, numbers), (others, _) = (map(np.asarray, texts._sorted) for texts in (self, other))
        found: list[int] = numbers[np.isin(hashes, others)].tolist()
        return found

    @property
    def _sorted(self) -> tuple[memoryview, memoryview]:
        """The hashes of all texts, sorted, and the number of each."""
        if self._index is None:
            import numpy as np

            hashes = np.fromiter(map(hash, self), dtype=np.int64, count=len(self))
            order = np.argsort(hashes, kind="stable").astype(np.int32)
            self._index = hashes[order].data, order.data
        return self._index


class SomeTexts(_Numbered):
    """Some of many texts. `numbers`: which, [N]."""

    def __init__(self, texts: Texts, numbers: NDArray[np.intp]) -> None:
        self._texts = texts
        self._numbers = numbers.data

    def __len__(self) -> int:
        return len(self._numbers)

    def _text(self, number: int) -> str:
        return self._texts._text(self._numbers[number])


class FigureOf(Mapping[str, float]):
    """Text → figure, [N], of texts that differ. Whoever goes through the texts finds each figure at once."""

    def __init__(self, texts: Texts, figures: NDArray[np.float64]) -> None:
        self._texts = texts
        self._figures = figures.data
        self._next = 0

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __getitem__(self, text: str) -> float:
        at_hand = self._next < len(self._texts) and self._texts[self._next] == text
        place = self._next if at_hand else self._texts.place(text)
        if place is None:
            raise KeyError(text)
        self._next = place + 1
        return self._figures[place]


def sorted_texts(texts: Iterable[str]) -> Texts:
    """Texts in the order of `sorted`."""
    found = Texts(texts)
    return Texts(SomeTexts(found, found.order))
