"""A part of a cache of vectors, apart from all others: the same keys mean other vectors in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from acbench._util.execution import VectorCache
from acbench.storage.digests import digest


def part_of(cache: VectorCache, decides: Sequence[object]) -> VectorCache:
    """The part of the cache for vectors that depend on `decides` besides their keys; all of it if that is empty."""
    return _Part(cache, digest(*decides)) if decides else cache


@dataclass(frozen=True, slots=True)
class _Part:
    """A `VectorCache` that keeps its vectors in another one."""

    cache: VectorCache
    part: str

    def load(self, keys: Sequence[str]) -> dict[str, bytes]:
        own = {digest(self.part, key, length=32): key for key in keys}
        return {own[kept]: vector for kept, vector in self.cache.load(list(own)).items()}

    def save(self, rows: Iterable[tuple[str, bytes]]) -> None:
        self.cache.save((digest(self.part, key, length=32), vector) for key, vector in rows)
