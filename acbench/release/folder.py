"""Reads a release in a folder on this machine, whoever made it."""

from __future__ import annotations

import hashlib
from io import BufferedReader
from pathlib import Path

from acbench.errors import ReleaseError
from acbench.storage.files import FileRefused, FileTree

MAX_FILES = 20_000
MAX_SHARD = 16 << 30
"""Bytes of the largest parquet shard that is read. Ours have at most half a gigabyte and one image more."""
_HINT = "give a folder that acbench publish made, or ORG/NAME of a repository"


class ReleaseFolder:
    """A release in a folder. Nothing outside the folder is read.

    `fence`: a larger folder that links may lead into, as those of a download cache do.
    """

    def __init__(self, path: Path, *, name: str = "", fence: Path | None = None) -> None:
        if not path.is_dir():
            raise ReleaseError(f"{path} is not a folder", "give a release's folder, or ORG/NAME of a repository")
        self.path = path
        self._tree = FileTree(path, fence)
        self._name = name or str(path)

    @property
    def name(self) -> str:
        """What messages call the release."""
        return self._name

    def read(self, path: str, limit: int) -> bytes:
        """Read a small file: see `ReleaseReader`."""
        try:
            return self._tree.read(path, limit)
        except FileRefused as why:
            raise self._refused(path, why) from None

    def open(self, path: str) -> BufferedReader:
        """Open a file: see `ReleaseReader`."""
        try:
            real, size, _ = self._tree.locate(path)
            if (size or 0) > MAX_SHARD:
                raise ReleaseError(f"{self.name}: {path} is larger than {MAX_SHARD >> 30} GiB", "no release has that")
            return Path(real).open("rb")
        except FileRefused as why:
            raise self._refused(path, why) from None

    def sha256(self, path: str) -> str:
        """Hash a file: see `ReleaseReader`."""
        with self.open(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def files(self) -> dict[str, str]:
        """List all files: path → why the file cannot be used, empty if it can. Raises ReleaseError for too many."""
        files: dict[str, str] = {}
        folders = ["."]
        while folders:
            try:
                entries = self._tree.entries(folders.pop())
            except FileRefused as why:
                raise ReleaseError(f"{self.name}: {why.message}", why.hint) from None
            for entry in entries:
                if entry.kind == "folder":
                    folders.append(entry.path)
                else:
                    files[entry.path] = entry.refused.message if entry.refused else ""
            if len(files) + len(folders) > MAX_FILES:
                raise ReleaseError(f"{self.name} has more than {MAX_FILES:,} files", "that is no release of acbench")
        return files

    def _refused(self, path: str, why: FileRefused) -> ReleaseError:
        return ReleaseError(f"{self.name}: {path}: {why.message}", why.hint or _HINT)
