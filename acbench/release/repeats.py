"""Tells which texts come more than once among many, by eight bytes for each."""

from __future__ import annotations

from array import array
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Repeats:
    """Hashes of texts that have been seen. Two texts have the same with a chance of 1 in 2⁶⁴."""

    def __init__(self) -> None:
        self._hashes = array("q")

    def add(self, text: str) -> None:
        """Remember a text: before anything is asked."""
        self._hashes.append(hash(text))

    def may_repeat(self, text: str) -> bool:
        """Whether a text came more than once; true, if ever so rarely, of one that did not."""
        return hash(text) in self._repeated

    @property
    def any(self) -> bool:
        """Whether there is such a text."""
        return bool(self._repeated)

    @cached_property
    def further(self) -> int:
        """How many came when the same one had been there already."""
        return len(self._hashes) - len(self._counted[0])

    @cached_property
    def _repeated(self) -> frozenset[int]:
        hashes, counts = self._counted
        return frozenset(hashes[counts > 1].tolist())

    @cached_property
    def _counted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        import numpy as np

        return np.unique(np.frombuffer(self._hashes, dtype=np.int64), return_counts=True)
