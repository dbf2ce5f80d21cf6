"""Gives Arrow a file that never fails under it: a failure while Arrow closes a file ends the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from typing import BinaryIO


class Sink(RawIOBase):
    """Writes into a file until that fails, and keeps the error, as on a full disk. Closing it leaves the file open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = 0
        self.error: OSError | None = None
        """Why the file is not whole."""

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        with memoryview(data) as view:  # type: ignore[arg-type]
            self._size += view.nbytes
            if self.error is None:
                try:
                    self._file.write(view)
                except OSError as error:
                    self.error = error
            return view.nbytes

    def tell(self) -> int:
        return self._size

    def check(self) -> None:
        """Raise the error that writing met."""
        if self.error is not None:
            raise self.error


@contextmanager
def whole(file: BinaryIO) -> Iterator[Sink]:
    """Give a sink over a file; raises its error at the end, when Arrow has let go of it."""
    sink = Sink(file)
    yield sink
    sink.check()
