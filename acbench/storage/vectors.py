"""Packs arrays of float32 into the bytes that the ledger keeps, and unpacks them.

A vector is its values alone. A matrix is its two sizes and then its rows, all of them float32. The arrays that are
unpacked cannot be written to: they share the bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acbench.errors import StorageError
from acbench.storage.ledger.forgetting import KEEP, forgetting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HINT = f"{KEEP}; forget its vectors, which are computed again, and run again: {forgetting('embeddings')}"


def pack_vector(vector: NDArray[np.floating]) -> bytes:
    """The bytes of a vector (D,)."""
    import numpy as np  # a run that has nothing to do does not need it

    return vector.astype(np.float32).tobytes()


def unpack_vector(data: bytes) -> NDArray[np.float32]:
    """The vector (D,) that `pack_vector` packed. Raises StorageError for other bytes."""
    return _floats(data)


def pack_matrix(matrix: NDArray[np.floating]) -> bytes:
    """The bytes of a matrix (N, D)."""
    import numpy as np

    return np.array(matrix.shape, np.float32).tobytes() + matrix.astype(np.float32).tobytes()


def unpack_matrix(data: bytes) -> NDArray[np.float32]:
    """The matrix (N, D) that `pack_matrix` packed. Raises StorageError for other bytes."""
    values = _floats(data)
    try:
        rows, columns = (int(size) for size in values[:2])
        if rows < 0 or columns < 0:
            raise ValueError("a size is negative")
        return values[2:].reshape(rows, columns)
    except (ValueError, OverflowError):
        raise StorageError("the ledger holds a matrix that is cut off", _HINT) from None


def _floats(data: bytes) -> NDArray[np.float32]:
    import numpy as np

    if len(data) % 4:
        raise StorageError("the ledger holds a vector that is cut off", _HINT)
    return np.frombuffer(data, dtype=np.float32)
