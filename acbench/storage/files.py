"""Folders that strangers made: listed and read without ever leaving them, and without opening what is not a
file.

A data set on disk is untrusted. Its links may point anywhere, a name may hold anything, and what looks like
an image may be a pipe that blocks for ever. `Tree` is the only way in.
"""

from __future__ import annotations

# ruff: noqa: PTH116, PTH118, PTH123  (a Path object for each of ten thousand files takes longer than the rest)
import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from acbench._util.text import printable
from acbench.errors import AcbenchError
from acbench.records import Finding

MAX_BYTES = 512 * 2**20
"""A file larger than this is not read. An uncompressed picture of 100 megapixels is smaller."""
MAX_ENTRIES = 1_000_000
"""A folder with more entries than this is not listed."""

_READ = os.O_RDONLY
for _flag in (
    "O_NOFOLLOW",
    "O_NONBLOCK",
    "O_CLOEXEC",
    "O_BINARY",
):  # which of them exist depends on the system
    _READ |= getattr(os, _flag, 0)


class Refused(AcbenchError):
    """One file or folder that is not read. `kind` is a stable word, as in a `Finding`."""

    def __init__(self, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.kind = kind

    def finding(self, path: str) -> Finding:
        """The same as a row of a report."""
        return Finding(path=path, kind=self.kind, detail=self.message, hint=self.hint, failed=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder."""

    name: str
    """Printable: what cannot be shown is escaped, and then `refused` says so."""
    path: str
    """Relative to the root, forward slashes."""
    kind: Literal["file", "folder", "refused"]
    refused: Refused | None = None


class Located(NamedTuple):
    """Where a file is, and what tells whether it is still the same."""

    real: str
    """Absolute path, or URL: what is kept about the file is kept under it."""
    size: int | None
    """Bytes; None if that is not known before it is read."""
    stamp: str
    """Changes whenever the content does; empty if nothing that does is known: then nothing is kept."""


class Tree:
    """The files below one folder.

    Paths are relative to `root`, with forward slashes. `fence`, `root` itself unless given, is the folder
    that nothing may leave: links are followed as far as they stay inside.
    """

    readers = min(16, (os.cpu_count() or 1) + 2)
    """How many files to read at once: a few more than there are processors, since some wait for the disk."""

    def __init__(self, root: Path, fence: Path | None = None) -> None:
        self.root = os.path.realpath(root)
        self.fence = os.path.realpath(fence or root)
        self._inside = os.path.join(self.fence, "")
        self._folders: dict[str, str] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """What it has seen does not travel."""
        return Tree, (Path(self.root), Path(self.fence))

    def entries(self, folder: str = ".") -> list[Entry]:
        """What is in a folder, sorted by name; empty if there is no such folder. Raises `Refused`."""
        try:
            with os.scandir(self._folder(folder)) as found:
                listed = []
                for each in found:
                    listed.append(each)
                    if len(listed) > MAX_ENTRIES:
                        raise too_many(folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(error) from None
        return sorted((self._entry(folder, each) for each in listed), key=lambda each: each.name)

    def folders(self, folder: str = ".") -> list[str]:
        """Names of the folders in a folder, sorted; empty if it cannot be listed."""
        try:
            return [each.name for each in self.entries(folder) if each.kind == "folder"]
        except Refused:
            return []

    def locate(self, path: str) -> Located:
        """Where a regular file really is, links resolved. Raises `Refused`; opens nothing."""
        folder, _, name = path.rpartition("/")
        try:
            real = os.path.join(self._folder(folder), name)
            status = os.lstat(real)
            if stat.S_ISLNK(status.st_mode):
                real = self._resolve(real)
                status = os.stat(real)
        except FileNotFoundError:
            raise Refused("missing", "there is no such file") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise _unreadable(error) from None
        if not stat.S_ISREG(status.st_mode):
            raise _not_a_file(status.st_mode)
        stamp = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"
        return Located(real, status.st_size, stamp)

    def read(self, path: str, limit: int = MAX_BYTES) -> bytes:
        """All bytes of a regular file of at most `limit` bytes. Raises `Refused`."""
        return read(self.locate(path).real, limit)

    def fetch(self, path: str, located: Located) -> bytes:
        """The same of a file that was located before."""
        return read(located.real)

    def _folder(self, folder: str) -> str:
        """Where a folder really is. Remembered, since every file in it asks."""
        if folder not in self._folders:
            self._folders[folder] = self._resolve(os.path.join(self.root, folder))
        return self._folders[folder]

    def _resolve(self, path: str) -> str:
        real = os.path.realpath(path)
        if real != self.fence and not real.startswith(self._inside):
            raise Refused(
                "link_outside",
                f"it leads to {real!a}, out of the data set's folder",
                "put what it points at in its place: cp -rL copies it",
            )
        return real

    def _entry(self, folder: str, found: os.DirEntry[str]) -> Entry:
        name = printable(found.name)
        path = name if folder in ("", ".") else f"{folder}/{name}"
        if name != found.name:
            return Entry(name, path, "refused", bad_name(name))
        try:
            if found.is_symlink():
                self._resolve(found.path)
            if found.is_file():
                return Entry(name, path, "file")
            if found.is_dir():
                return Entry(name, path, "folder")
            mode = found.stat(follow_symlinks=True).st_mode
        except Refused as why:
            return Entry(name, path, "refused", why)
        except FileNotFoundError:
            return Entry(
                name,
                path,
                "refused",
                Refused("broken_link", "the link points at nothing", "remove or mend it"),
            )
        except OSError as error:
            return Entry(name, path, "refused", _unreadable(error))
        return Entry(name, path, "refused", _not_a_file(mode))


def read(real: str, limit: int = MAX_BYTES) -> bytes:
    """All bytes of the regular file at a located path. Raises `Refused`, also if it became a link or a pipe
    meanwhile."""
    try:
        descriptor = os.open(real, _READ)
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _not_a_file(status.st_mode)
            if status.st_size > limit:
                raise too_large(status.st_size, limit)
            data = file.readall()
    except OSError as error:
        raise _unreadable(error) from None
    if not data:
        raise empty()
    return data


def too_large(size: int, limit: int) -> Refused:
    """Why a file of so many bytes is not read."""
    return Refused(
        "too_large",
        f"it has {size / 2**20:,.0f} MiB; at most {limit / 2**20:,.0f} MiB are read",
        "a data set's image is not that large: replace it with the original",
    )


def empty() -> Refused:
    """Why a file without bytes is not taken."""
    return Refused("empty_file", "the file is empty", "copy it again from the original data set")


def too_many(folder: str) -> Refused:
    """Why a folder is not listed."""
    return Refused(
        "too_many_files", f"{folder} holds more than {MAX_ENTRIES:,} entries", "point --root at the data set itself"
    )


def bad_name(name: str) -> Refused:
    """Why a file of that name, which is printable here, is not taken."""
    return Refused("bad_name", f"its name holds characters that cannot be shown: {name}", "rename it")


def _not_a_file(mode: int) -> Refused:
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISLNK, "a link"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    what = next((word for test, word in kinds if test(mode)), "something else")
    return Refused("not_a_file", f"it is {what}, not a file", "put the original file in its place")


def _unreadable(error: OSError | ValueError) -> Refused:
    number = getattr(error, "errno", None)
    if number == errno.ELOOP:
        return Refused("broken_link", "the link leads in a circle", "put the file itself in its place")
    if number in (errno.EACCES, errno.EPERM):
        return Refused(
            "no_permission",
            "you are not allowed to read it",
            "give yourself leave: chmod -R u+rX on the folder",
        )
    reason = os.strerror(number) if number else str(error)
    return Refused("unreadable", f"the system cannot read it: {reason}", "check the disk, or copy the file again")
