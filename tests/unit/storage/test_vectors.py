"""Arrays in the ledger: the same bytes as ever, and damage is named."""

from __future__ import annotations

import numpy as np
import pytest

from acbench.errors import StorageError
from acbench.storage.vectors import pack_matrix, pack_vector, unpack_matrix, unpack_vector

MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3) / 7


def test_the_bytes_are_those_that_ledgers_hold() -> None:
    """Bytes written in another way would not be read by another version, and old ones not by this one."""
    assert pack_vector(np.array([1, 0.5])) == b"\x00\x00\x80?\x00\x00\x00?"
    assert pack_matrix(np.array([[1, 0.5]])) == b"\x00\x00\x80?\x00\x00\x00@" + b"\x00\x00\x80?\x00\x00\x00?"


def test_arrays_come_back() -> None:
    assert np.array_equal(unpack_matrix(pack_matrix(MATRIX)), MATRIX)
    assert np.array_equal(unpack_matrix(pack_matrix(MATRIX.T)), MATRIX.T), "whatever their order in memory"
    assert np.array_equal(unpack_vector(pack_vector(MATRIX[1])), MATRIX[1])
    assert unpack_matrix(pack_matrix(MATRIX[:0])).shape == (0, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"abc",
        pack_matrix(MATRIX)[:-4],
        pack_matrix(MATRIX) + bytes(4),
        pack_vector(np.array([np.nan, np.inf, 1])),
        pack_vector(np.array([-1, -1, 1])),
    ],
    ids=["nothing", "no floats", "too short", "too long", "no sizes", "negative sizes"],
)
def test_a_damaged_matrix_is_refused(data: bytes) -> None:
    with pytest.raises(StorageError, match=r"cut off(?s:.)*run again"):
        unpack_matrix(data)


def test_a_damaged_vector_is_refused() -> None:
    with pytest.raises(StorageError, match="cut off"):
        unpack_vector(b"abc")
