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
        at = int(self._repeated.searchsorted(hash(text)))
        return at < len(self._repeated) and int(self._repeated[at]) == hash(text)

    @property
    def any(self) -> bool:
        """Whether there is such a text."""
        return len(self._repeated) > 0

    @cached_property
    def further(self) -> int:
        """How many came when the same one had been there already."""
        return len(self._hashes) - len(self._counted[0])

    @cached_property
    def _repeated(self) -> NDArray[np.int64]:
        hashes, counts = self._counted
        return hashes[counts > 1]

    @cached_property
    def _counted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        import numpy as np

        return np.unique(np.frombuffer(self._hashes, dtype=np.int64), return_counts=True)
