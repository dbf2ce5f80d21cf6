"""Facts about the files of datasets, so that a file that has not changed is read once."""

from __future__ import annotations

from collections.abc import Iterable

from acbench.storage.ledger.database import Database


class FileFactTable:
    """The file facts in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, folder: str, first: str = "", last: str = "") -> dict[str, tuple[str, str]]:
        """Absolute path or URL → (stamp, facts as JSON) of every file in a folder, without those in folders in it.

        `first`, `last`: only of these two and those between them.
        """
        begin = f"{folder}/"
        first, last = first or begin, last or f"{begin}{chr(0x10FFFF)}"
        return {
            path: (stamp, facts)
            for table in self._database.tables("files")
            for path, stamp, facts in self._database.execute(
                f"SELECT path, stamp, facts FROM {table} WHERE path >= ? AND path <= ?"  # noqa: S608
                " AND instr(substr(path, ?), '/') = 0",
                (first, last, len(begin) + 1),
            )
        }

    def save(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Keep (absolute path or URL, stamp, facts as JSON) of some files."""
        with self._database.transaction():
            self._database.execute_many("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)
