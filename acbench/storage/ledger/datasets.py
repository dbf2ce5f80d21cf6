"""What datasets were when they were read, so that one in which nothing has changed is not read again."""

from __future__ import annotations

from acbench.storage.ledger.database import Database


class DatasetTable:
    """The datasets in a ledger: one for each benchmark, as text."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, benchmark: str) -> str:
        """What was kept of the dataset of a benchmark; empty if nothing was."""
        row = self._database.execute("SELECT facts FROM main.datasets WHERE benchmark = ?", (benchmark,)).fetchone()
        return "" if row is None else str(row[0])

    def save(self, benchmark: str, facts: str) -> None:
        """Keep what the dataset of a benchmark was."""
        self._database.execute("INSERT OR REPLACE INTO main.datasets VALUES (?, ?)", (benchmark, facts))
