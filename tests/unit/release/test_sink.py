"""A disk that fills up while tables are written is an error, not the end of the process."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acbench.release.parquet import write_shard
from acbench.release.sink import whole


class Full(io.BytesIO):
    """A file on a disk with little room."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: object, /) -> int:
        if self.tell() + len(memoryview(data)) > self.room:  # type: ignore[arg-type]
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("room", [0, 10, 1_000, 20_000])
def test_arrow_lives_on_when_the_disk_is_full(room: int) -> None:
    table = pa.table({"text": [str(number) * 9 for number in range(9_000)]})
    with (
        pytest.raises(OSError, match="No space left"),
        whole(Full(room)) as sink,
        pq.ParquetWriter(sink, table.schema) as writer,
    ):
        for batch in table.to_batches(max_chunksize=500):
            writer.write_batch(batch)
            sink.check()


def test_a_table_that_did_not_fit_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    real = os.fdopen

    def full(handle: int, mode: str) -> io.BytesIO:
        real(handle, mode).close()
        return Full(10)

    monkeypatch.setattr("acbench.storage.atomic.os.fdopen", full)
    batches = pa.table({"text": ["a" * 99] * 9}).to_batches()
    with pytest.raises(OSError, match="No space left"):
        write_shard(tmp_path / "table.parquet", batches, batches[0].schema, None)
    assert list(tmp_path.iterdir()) == []
