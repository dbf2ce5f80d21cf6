"""The files that runs wrote, and whether they are still as they were written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from acbench.storage.digests import sha256_file, stamp
from acbench.storage.ledger.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a run wrote."""

    path: str
    """Relative to the project, forward slashes."""
    key: str
    """A hash of everything that it was made from."""
    sha256: str
    run_id: int
    seconds: float
    """How long it took to make."""


class ArtifactTable:
    """The artifacts in a ledger. Each is known under its `name`: its path relative to the project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_fresh(self, path: Path, name: str, key: str) -> bool:
        """Whether a file is still exactly what a run wrote from inputs that hash to `key`."""
        row = self._database.execute("SELECT key FROM artifacts WHERE path = ?", (name,)).fetchone()
        return row is not None and row[0] == key and self.is_untouched(path, name)

    def is_untouched(self, path: Path, name: str) -> bool:
        """Whether a file is what a run wrote last, whatever its inputs were; False if no run wrote it."""
        row = self._database.execute("SELECT sha256, stamp FROM artifacts WHERE path = ?", (name,)).fetchone()
        return row is not None and path.is_file() and (row[1] == stamp(path.stat()) or row[0] == sha256_file(path))

    def record(self, path: Path, name: str, key: str, run_id: int, seconds: float, sha256: str = "") -> None:
        """Keep that a run wrote a file from inputs that hash to `key`. `sha256`: of the file, if that is known."""
        self._database.execute(
            "INSERT OR REPLACE INTO artifacts (path, key, sha256, stamp, run_id, seconds) VALUES (?, ?, ?, ?, ?, ?)",
            (name, key, sha256 or sha256_file(path), stamp(path.stat()), run_id, seconds),
        )

    def forget(self, name: str) -> None:
        """Keep no longer that a run wrote a file."""
        self._database.execute("DELETE FROM artifacts WHERE path = ?", (name,))

    def sha256(self, name: str) -> str:
        """The SHA-256 of what a run wrote last, 64 hex digits; empty if no run wrote it."""
        row = self._database.execute("SELECT sha256 FROM artifacts WHERE path = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def below(self, folder: str) -> list[Artifact]:
        """The artifacts whose names begin with a text, such as a folder and a slash; sorted by path."""
        rows = self._database.execute(
            "SELECT path, key, sha256, run_id, seconds FROM artifacts WHERE substr(path, 1, ?) = ? ORDER BY path",
            (len(folder), folder),
        )
        return [
            Artifact(path=path, key=key, sha256=sha256, run_id=run_id, seconds=seconds)
            for path, key, sha256, run_id, seconds in rows
        ]
