"""Vectors and other arrays that models computed, as bytes: see `acbench.storage.vectors` for what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from acbench.storage.ledger.database import Database

_AT_ONCE = 500
"""Keys in one question to SQLite, which takes a limited number of them."""


class VectorTable:
    """The vectors in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The bytes of each key; keys that are not there are left out."""
        vectors: dict[str, bytes] = {}
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            for table in self._database.tables("embeddings"):
                statement = f"SELECT key, vector FROM {table} WHERE key IN ({marks})"  # noqa: S608
                vectors.update(self._database.execute(statement, part))
        return vectors

    def save(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Keep the bytes of some keys: all of them, or none if it fails."""
        with self._database.transaction():
            self._database.execute_many("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)
