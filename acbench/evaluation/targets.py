"""The items of a benchmark in columns: which answers may be about, and which of them are scored.

A million items take some 100 MB here. As records they would take ten times as much.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from acbench.schema.views import ClassSet
from acbench.storage.texts import Texts


class Target(NamedTuple):
    """One item that is scored."""

    item_id: str
    image: str
    """Path relative to the dataset's root."""
    category: str
    wanted: ClassSet
    """The right answer."""


Kind = tuple[str, ClassSet]
"""Category and right answer."""


class NamedItems(Collection[str]):
    """All items that answers may be about, scored or not, and the names by which answers may mean them: ids and images.

    Each name has a slot: the number of the first item with this id or, behind all of these, with this image.
    """

    def __init__(self) -> None:
        self.ids, self.images = Texts(), Texts()

    def add(self, item_id: str, image: str) -> int:
        """Add an item; gives its number."""
        self.ids.append(item_id)
        self.images.append(image)
        return len(self.ids) - 1

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[str]:
        """Each name once."""
        yield from (each for number, each in enumerate(self.ids) if next(self.ids.find(each)) == number)
        for number, image in enumerate(self.images):
            if next(self.images.find(image)) == number and image not in self.ids:
                yield image

    def __contains__(self, name: object) -> bool:
        return name in self.ids or name in self.images

    def first_repeated(self, *, among_images: bool) -> int | None:
        """The first item whose id an earlier one has or, `among_images`, whose image is called so; None if none is."""
        candidates: set[int] = {*self.ids.repeated, *(self.ids.shared_with(self.images) if among_images else ())}
        for number in sorted(candidates):
            item_id = self.ids[number]
            others = (*self.ids.find(item_id), *(self.images.find(item_id) if among_images else ()))
            if any(other < number for other in others):
                return number
        return None


@dataclass(frozen=True, eq=False)
class Targets(Sequence[Target]):
    """The items that are scored, by their id."""

    items: NamedItems
    numbers: NDArray[np.int32]
    """The number in `items` of each."""
    kinds: Sequence[Kind]
    """Each once."""
    kind: NDArray[np.int32]
    """The place in `kinds` of each."""

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Target]:
        return map(self._target, self.numbers.data, self.kind.data)

    @overload
    def __getitem__(self, index: int) -> Target: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Target]: ...
    def __getitem__(self, index: int | slice) -> Target | Sequence[Target]:
        if isinstance(index, slice):
            return list(map(self._target, self.numbers[index].tolist(), self.kind[index].tolist()))
        return self._target(int(self.numbers[index]), int(self.kind[index]))

    def _target(self, number: int, kind: int) -> Target:
        return Target(self.items.ids[number], self.items.images[number], *self.kinds[kind])

    @property
    def ids(self) -> Iterator[str]:
        """The ids of all, rising."""
        return map(self.items.ids.__getitem__, self.numbers.data)

    @property
    def wanted(self) -> Iterator[ClassSet]:
        """The right answer of each."""
        answers = [wanted for _, wanted in self.kinds]
        return map(answers.__getitem__, self.kind.data)

    def category(self, place: int) -> str:
        """The category of one of these."""
        category, _ = self.kinds[self._codes[place]]
        return category

    def chosen(self, which: NDArray[np.bool_]) -> Targets:
        """Some of them."""
        return replace(self, numbers=self.numbers[which], kind=self.kind[which])

    def place(self, item_id: str) -> int | None:
        """The place of an item in these, from 0; None if it is not scored."""
        found = (self._places[number] for number in self.items.ids.find(item_id))
        return next((place for place in found if place >= 0), None)

    def find(self, name: str) -> tuple[int, int] | None:
        """What an answer about a name is about: a slot, by which answers about one item are known, and the place of the
        item in these, -1 if it is not scored. None if the name means nothing.

        An id goes before an image, and an item that is scored before others.
        """
        places, first = self._places, None
        for number in self.items.ids.find(name):
            if places[number] >= 0:
                return number, places[number]
            first = number if first is None else first
        for number in reversed(images := list(self.items.images.find(name))):
            if places[number] >= 0:
                return number, places[number]
        if first is None and images:
            first = len(self.items.ids) + images[0]
        return None if first is None else (first, -1)

    @cached_property
    def _codes(self) -> memoryview[int]:
        """`kind` as Python's numbers, which it takes longer to make of NumPy's."""
        return self.kind.data

    @cached_property
    def _places(self) -> memoryview[int]:
        """The place in these of each item, -1 if it is not scored."""
        places = np.full(len(self.items.ids), -1, dtype=np.int32)
        places[self.numbers] = np.arange(len(self), dtype=np.int32)
        return places.data


class TargetMaker:
    """Gathers items, one after the other."""

    def __init__(self) -> None:
        self.items = NamedItems()
        self._kinds: dict[Kind, int] = {}
        self._numbers, self._kind = array("i"), array("i")

    def __len__(self) -> int:
        """How many of them are scored."""
        return len(self._numbers)

    def add(self, number: int, category: str, wanted: ClassSet) -> None:
        """Have an item of `items` scored."""
        self._numbers.append(number)
        self._kind.append(self._kinds.setdefault((category, wanted), len(self._kinds)))

    def made(self) -> Targets:
        """Those that are scored, by their id."""
        kind = np.full(len(self.items.ids), -1, dtype=np.int32)
        kind[self._numbers] = self._kind
        order = self.items.ids.order.astype(np.int32)
        numbers = order[kind[order] >= 0]
        return Targets(self.items, numbers, tuple(self._kinds), kind[numbers])
