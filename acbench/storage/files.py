"""Lists and reads untrusted folders: never leaves them, and opens nothing but regular files.

A dataset on disk is untrusted. Its links may point anywhere, a name may hold anything, and what looks like an image may
be a pipe that blocks for ever. All of acbench reads datasets and releases through a `FileTree`.
"""

from __future__ import annotations

# ruff: noqa: PTH116, PTH118  (a Path object for each of ten thousand files takes longer than the rest)
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, overload

from acbench._util.cores import cores
from acbench._util.text import printable
from acbench.errors import AcbenchError
from acbench.records import Finding
from acbench.storage.digests import stamp

MAX_BYTES = 512 * 2**20
"""A larger file is not read. An uncompressed image of 100 megapixels is smaller."""
MAX_ENTRIES = 1_000_000
"""A folder with more entries is not listed."""

_PART = 1 << 20
_READ = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # each exists on some systems only
    _READ |= getattr(os, _flag, 0)


class FileRefused(AcbenchError):
    """One file or folder that is not read. `kind` is a stable word, as in a `Finding`."""

    def __init__(self, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.kind = kind

    def finding(self, path: str) -> Finding:
        """The refusal as a row of a report."""
        return Finding(path=path, kind=self.kind, detail=self.message, hint=self.hint, failed=True)


class FolderEntry(NamedTuple):
    """One name in a folder."""

    name: str
    """Printable: characters that cannot be shown are escaped, and then `refused` says so."""
    path: str
    """Relative to the root, forward slashes."""
    kind: Literal["file", "folder", "refused"]
    refused: FileRefused | None = None


class FolderEntries(Sequence[FolderEntry]):
    """The entries of a folder, sorted by name. Of a file that may be read, only its name is in memory."""

    def __init__(self, folder: str, entries: Iterable[FolderEntry | str]) -> None:
        """`entries`: in any order; of a file that may be read, its name."""
        self._folder = folder
        self._rows = sorted(entries, key=lambda each: each if isinstance(each, str) else each.name)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[FolderEntry]:
        return map(self._entry, self._rows)

    @overload
    def __getitem__(self, index: int) -> FolderEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[FolderEntry]: ...
    def __getitem__(self, index: int | slice) -> FolderEntry | Sequence[FolderEntry]:
        if isinstance(index, slice):
            return list(map(self._entry, self._rows[index]))
        return self._entry(self._rows[index])

    def _entry(self, row: FolderEntry | str) -> FolderEntry:
        return FolderEntry(row, below(self._folder, row), "file") if isinstance(row, str) else row


class LocatedFile(NamedTuple):
    """Where a file is, and what tells whether it has changed."""

    address: str
    """Absolute path, or URL: facts about the file are kept under it."""
    size: int | None
    """Bytes; None if the size is not known before the file is read."""
    stamp: str
    """Changes whenever the content does. Empty if nothing is known that does: then nothing is kept about the file."""


class FileTree:
    """The files below one folder of this machine.

    Paths are relative to `root`, with forward slashes. Links are followed as far as they stay inside `fence`, a folder
    that is `root` itself unless it is given.
    """

    readers = min(16, cores() + 2)
    """How many files to read at once: a few more than there are processors, since some wait for the disk."""

    def __init__(self, root: Path, fence: Path | None = None) -> None:
        self.root = os.path.realpath(root)
        self.fence = os.path.realpath(fence or root)
        self._inside = os.path.join(self.fence, "")
        self._folders: dict[str, str] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out what is remembered of folders when the tree is pickled: the files may change meanwhile."""
        return FileTree, (Path(self.root), Path(self.fence))

    def entries(self, folder: str = ".") -> Sequence[FolderEntry]:
        """The entries of a folder, sorted by name; empty if there is no such folder. Raises FileRefused."""
        try:
            with os.scandir(self._folder(folder)) as entries:
                return FolderEntries(folder, self._entries(folder, entries))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(error) from None

    def _entries(self, folder: str, entries: Iterable[os.DirEntry[str]]) -> Iterator[FolderEntry | str]:
        for count, entry in enumerate(entries):
            if count == MAX_ENTRIES:
                raise too_many(folder)
            yield self._entry(folder, entry)

    def folders(self, folder: str = ".") -> list[str]:
        """Names of the folders in a folder, sorted; empty if it cannot be listed."""
        try:
            return [entry.name for entry in self.entries(folder) if entry.kind == "folder"]
        except FileRefused:
            return []

    def real(self, folder: str) -> str:
        """What a folder is once links are resolved: two names with the same one are one folder. Raises FileRefused."""
        return self._folder(folder)

    def looked_into(self, files: Iterable[str] = ()) -> list[str] | None:
        """The paths of the folders that were looked into so far, and of those in which `files` lie, sorted.

        What was learned from the tree holds as long as these are in the same `folder_state`. None where that cannot be
        said.
        """
        folders = self._folders.keys() | {path.rpartition("/")[0] for path in files}
        return sorted(os.path.normpath(os.path.join(self.root, folder)) for folder in folders)

    def locate(self, path: str) -> LocatedFile:
        """Where a regular file is, links resolved. Opens nothing. Raises FileRefused."""
        folder, _, name = path.rpartition("/")
        try:
            real = f"{self._folder(folder)}/{name}"
            status = os.lstat(real)
            if stat.S_ISLNK(status.st_mode):
                real = self._resolve(real)
                status = os.stat(real)
        except FileNotFoundError:
            raise FileRefused("missing", "there is no such file") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise _unreadable(error) from None
        if not stat.S_ISREG(status.st_mode):
            raise _not_a_file(status.st_mode)
        return LocatedFile(real, status.st_size, stamp(status))

    def read(self, path: str, limit: int = MAX_BYTES) -> bytes:
        """All bytes of a regular file of at most `limit` bytes. Raises FileRefused."""
        return read_file(self.locate(path).address, limit)

    def fetch(self, path: str, located: LocatedFile) -> bytes:
        """All bytes of a file that `locate` has located. Raises FileRefused."""
        return read_file(located.address)

    def _folder(self, folder: str) -> str:
        """The real path of a folder. It is remembered, since every file in the folder asks for it."""
        if folder not in self._folders:
            self._folders[folder] = self._resolve(os.path.join(self.root, folder))
        return self._folders[folder]

    def _resolve(self, path: str) -> str:
        real = os.path.realpath(path)
        if real != self.fence and not real.startswith(self._inside):
            raise FileRefused(
                "link_outside",
                f"it leads to {real!a}, out of the dataset's folder",
                "a copy of what it points at would be read: cp -rL makes one",
            )
        return real

    def _entry(self, folder: str, entry: os.DirEntry[str]) -> FolderEntry | str:
        """An entry; of a file that may be read, its name."""
        name = printable(entry.name)
        path = below(folder, name)
        if name != entry.name:
            return FolderEntry(name, path, "refused", bad_name(name))
        try:
            if entry.is_file(follow_symlinks=False):
                return name
            if entry.is_symlink():
                self._resolve(entry.path)
            if entry.is_file():
                return name
            if entry.is_dir():
                return FolderEntry(name, path, "folder")
            mode = entry.stat(follow_symlinks=True).st_mode
        except FileRefused as refused:
            return FolderEntry(name, path, "refused", refused)
        except FileNotFoundError:
            broken = FileRefused("broken_link", "the link points at nothing", "it is not read; mended, it would be")
            return FolderEntry(name, path, "refused", broken)
        except OSError as error:
            return FolderEntry(name, path, "refused", _unreadable(error))
        return FolderEntry(name, path, "refused", _not_a_file(mode))


def below(folder: str, name: str) -> str:
    """The path of what lies in a folder, relative to the root, which is `.`, as its folder is."""
    return name if folder in ("", ".") else f"{folder}/{name}"


def read_file(path: str, limit: int = MAX_BYTES) -> bytes:
    """All bytes of the regular file at a real path.

    Raises FileRefused, also if the file has become a link or a pipe since it was located.
    """
    try:
        descriptor = os.open(path, _READ)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _not_a_file(status.st_mode)
            if status.st_size > limit:
                raise too_large(status.st_size, limit)
            data = os.read(descriptor, status.st_size + 1)
            if len(data) != status.st_size:  # it grows, or the system gives it in parts
                data += b"".join(iter(lambda: os.read(descriptor, _PART), b""))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(error) from None
    if not data:
        raise empty()
    return data


def too_large(size: int, limit: int) -> FileRefused:
    """The refusal of a file of `size` bytes, where at most `limit` are read."""
    return FileRefused(
        "too_large",
        f"it has {size / 2**20:,.0f} MiB; at most {limit / 2**20:,.0f} MiB are read",
        "a dataset's image is not that large: see where it came from",
    )


def empty() -> FileRefused:
    """The refusal of a file without bytes."""
    return FileRefused("empty_file", "the file is empty", "copy it again from where it came from")


def too_many(folder: str) -> FileRefused:
    """The refusal of a folder with too many entries."""
    return FileRefused(
        "too_many_files", f"{folder} holds more than {MAX_ENTRIES:,} entries", "point --root at the dataset itself"
    )


def bad_name(name: str) -> FileRefused:
    """The refusal of a file whose name cannot be shown; `name` is its escaped form."""
    return FileRefused(
        "bad_name",
        f"its name holds characters that cannot be shown: {name}",
        "under a name that can be shown it would be read",
    )


def _not_a_file(mode: int) -> FileRefused:
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISLNK, "a link"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    what = next((word for test, word in kinds if test(mode)), "something else")
    return FileRefused("not_a_file", f"it is {what}, not a file", "an image is a file")


def _unreadable(error: OSError | ValueError) -> FileRefused:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ELOOP:
        return FileRefused("broken_link", "the link leads in a circle", "it is not read; mended, it would be")
    if number in (errno.EACCES, errno.EPERM):
        return FileRefused(
            "no_permission", "you are not allowed to read it", "allow yourself to: chmod -R u+rX on the folder"
        )
    reason = os.strerror(number) if number else str(error)
    return FileRefused("unreadable", f"the system cannot read it: {reason}", "check the disk, or copy the file again")
