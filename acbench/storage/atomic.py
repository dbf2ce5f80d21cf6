"""Replaces files as a whole: a reader, or a crash, finds the old bytes or the new ones."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from acbench.errors import StorageError


def write_bytes(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Replace the content of a file, or make it and its folder. `mode`: the permissions, less the umask."""
    with replacing(path, mode=mode) as file:
        file.write(data)


def write_if_other(path: Path, pieces: Iterable[bytes]) -> bool:
    """Replace the content of a file, unless it is the same; whether it was another. Pieces are written as they come."""
    try:
        with ExitStack() as stack:
            file = stack.enter_context(replacing(path))
            before = stack.enter_context(path.open("rb")) if path.is_file() else None
            same = before is not None
            for piece in pieces:
                file.write(piece)
                same = same and before is not None and before.read(len(piece)) == piece
            if same and before is not None and not before.read(1):
                raise _Same
    except _Same:
        return False
    return True


class _Same(Exception):
    """A file has the bytes that it is to have."""


@contextmanager
def replacing(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Give a file to write into, which then replaces the file at `path`. If the block raises, the old file stays.

    Raises StorageError if a folder is at `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(mode & ~_umask())
        move(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def move(partial: Path, path: Path) -> None:
    """Give a file that is written another name, in place of what has it now. Raises StorageError for a folder."""
    try:
        partial.replace(path)
    except IsADirectoryError:
        aside = f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.aside')}"
        raise StorageError(f"{path} is a folder, where a file is to be written", f"move it away: {aside}") from None


def sweep(folder: Path) -> None:
    """Remove the partial files that killed writers left in a folder. Call it only while holding the project's lock."""
    for partial in folder.rglob(".*.part"):
        partial.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
