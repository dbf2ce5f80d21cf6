"""A mapping whose values are computed when they are asked for, each time anew: none of them takes memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Computed(Mapping[K, V], Generic[K, V]):
    """Each of `keys` → what `value` gives for it; `value` raises KeyError for what is no key."""

    def __init__(
        self, keys: Collection[K], value: Callable[[K], V], some: Callable[[Collection[K]], Mapping[K, V]]
    ) -> None:
        self._keys = keys
        self._value = value
        self.some = some
        """Gives the values of some keys, as far as they are keys, in one go."""

    def __getitem__(self, key: K) -> V:
        return self._value(key)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
