"""Computes the vectors that the cache does not have, and keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from acbench._util.execution import VectorCache
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
