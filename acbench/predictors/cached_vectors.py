"""Computes the vectors that the cache does not have, and keeps them, apart for each way of reading the images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from acbench._util.execution import VectorCache
from acbench.data.images import ImageReader
from acbench.storage.digests import digest
from acbench.storage.vectors import pack_vector, unpack_vector

T = TypeVar("T")


def cached_vectors(
    cache: VectorCache, inputs: Mapping[str, T], compute: Callable[[Sequence[T]], NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Key → vector (D,) of each input. `inputs`: key → input.

    `compute` gives vectors (N, D) of N inputs. It is called at most once, for the inputs without a kept vector.
    """
    kept = cache.load(list(inputs))
    missing = {key: value for key, value in inputs.items() if key not in kept}
    if missing:
        rows = compute(list(missing.values()))
        new = {key: pack_vector(row) for key, row in zip(missing, rows, strict=True)}
        cache.save(new.items())
        kept |= new
    return {key: unpack_vector(kept[key]) for key in inputs}


def vectors_of(cache: VectorCache, images: ImageReader) -> VectorCache:
    """The part of the cache for images that are read in this way; all of it for the usual one."""
    return _Part(cache, digest(*images.key)) if images.key else cache


@dataclass(frozen=True, slots=True)
class _Part:
    """A `VectorCache` whose keys are apart from all others of `cache`."""

    cache: VectorCache
    part: str

    def load(self, keys: Sequence[str]) -> dict[str, bytes]:
        own = {digest(self.part, key, length=32): key for key in keys}
        return {own[kept]: vector for kept, vector in self.cache.load(list(own)).items()}

    def save(self, rows: Iterable[tuple[str, bytes]]) -> None:
        self.cache.save((digest(self.part, key, length=32), vector) for key, vector in rows)
