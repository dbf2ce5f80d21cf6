"""A release in a folder on this machine, made by us or by a stranger."""

from __future__ import annotations

from io import BufferedReader
from pathlib import Path

from acbench.errors import ReleaseError
from acbench.storage.files import FileRefused, FileTree

MAX_FILES = 20_000
MAX_SHARD = 16 << 30
"""Bytes of one table. Ours have half a gigabyte and one image more at most."""
_HINT = "give a folder that acbench publish made, or ORG/NAME of a repository"


class ReleaseFolder:
    """Never leaves the folder; `fence` is a larger one that links may lead into, as those of a download cache do."""

    def __init__(self, path: Path, *, name: str = "", fence: Path | None = None) -> None:
        if not path.is_dir():
            raise ReleaseError(f"{path} is not a folder", "give a release's folder, or ORG/NAME of a repository")
        self.path = path
        self.tree = FileTree(path, fence)
        self._name = name or str(path)

    @property
    def name(self) -> str:
        """As messages call it."""
        return self._name

    def read(self, path: str, limit: int) -> bytes:
        """See `Place`."""
        try:
            return self.tree.read(path, limit)
        except FileRefused as why:
            raise ReleaseError(f"{self.name}: {path}: {why.message}", why.hint or _HINT) from None

    def open(self, path: str) -> BufferedReader:
        """See `Place`."""
        try:
            real, size, _ = self.tree.locate(path)
            if (size or 0) > MAX_SHARD:
                raise ReleaseError(f"{self.name}: {path} is larger than {MAX_SHARD >> 30} GiB", "no release has that")
            return Path(real).open("rb")
        except FileRefused as why:
            raise ReleaseError(f"{self.name}: {path}: {why.message}", why.hint or _HINT) from None

    def files(self) -> dict[str, str]:
        """Path → why it cannot be used, or nothing, of all files in it. Raises ReleaseError if there are too many."""
        found: dict[str, str] = {}
        waiting = ["."]
        while waiting:
            try:
                listed = self.tree.entries(waiting.pop())
            except FileRefused as why:
                raise ReleaseError(f"{self.name}: {why.message}", why.hint) from None
            for each in listed:
                if each.kind == "folder":
                    waiting.append(each.path)
                else:
                    found[each.path] = each.refused.message if each.refused else ""
            if len(found) + len(waiting) > MAX_FILES:
                raise ReleaseError(f"{self.name} has more than {MAX_FILES:,} files", "that is no release of acbench")
        return found
