"""Sets the rows of a shard aside in a file that nobody else sees: they are made once, hashed, and take no memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from acbench.release.sink import whole

if TYPE_CHECKING:
    import pyarrow as pa


class RowsAside:
    """Rows in a file of Arrow's, which can be gone through again and again."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    @property
    def digest(self) -> str:
        """A hash of all rows."""
        self._file.seek(0)
        return hashlib.file_digest(self._file, "blake2b").hexdigest()  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        self._file.seek(0)
        yield from pa.ipc.open_stream(self._file)


@contextmanager
def set_aside(batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path) -> Iterator[RowsAside]:
    """Keep rows of a schema on the disk of `folder` until the end of the block."""
    import pyarrow as pa

    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder) as file:
        with whole(file) as sink, pa.ipc.new_stream(sink, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
                sink.check()
        yield RowsAside(file)
