"""Brings what a shard computed and paid into the project's ledger: as often as one likes, with the same outcome."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from acbench.errors import StorageError
from acbench.storage.ledger import MIGRATIONS, Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a ledger brought that was not there."""

    files: int
    vectors: int
    answers: int
    failures: int
    """Calls that ended in an error and have no answer from elsewhere."""
    dollars: float
    """Upper bound."""


class MergingLedger(Ledger):
    """The ledger, opened to take in others."""

    def merge(self, other: Path) -> Merged:
        """Take in all results of another ledger, in one transaction. Raises StoreError if it is not one.

        An answer that is there stays. What a call cost is added up over ledgers, each ledger's part once: it is kept
        how much of it was taken already.
        """
        with Ledger(other):  # brings it up to date, or says what is wrong with it
            pass
        self._db.execute("ATTACH DATABASE ? AS other", (f"file:{quote(str(other))}",))
        try:
            if self._version("other") != len(MIGRATIONS):
                raise StorageError(f"{other} was written by another acbench", "update: pip install --upgrade acbench")
            (origin,) = self._db.execute("SELECT origin FROM other.identity").fetchone()
            before = self._counts()
            with self._transaction():
                for statement in _MERGE:
                    self._db.execute(statement, {"origin": origin})
            after = self._counts()
        finally:
            self._db.execute("DETACH DATABASE other")
        files, vectors, answers, failures, dollars = (new - old for new, old in zip(after, before, strict=True))
        return Merged(
            files=int(files), vectors=int(vectors), answers=int(answers), failures=int(failures), dollars=dollars
        )

    def forget(self, origin: str) -> None:
        """Keep no more what was taken from a ledger: it is gone."""
        self._db.execute("DELETE FROM merged WHERE origin = ?", (origin,))

    def tidy(self) -> None:
        """Write all into the ledger's one file, which shards read without locks."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _counts(self) -> tuple[float, ...]:
        row = self._db.execute(
            "SELECT (SELECT COUNT(*) FROM main.files), (SELECT COUNT(*) FROM main.embeddings),"
            " COUNT(answer), COUNT(CASE WHEN answer IS NULL THEN error END), COALESCE(SUM(cost), 0) FROM main.calls"
        ).fetchone()
        return tuple(float(each) for each in row)


_MERGE = (
    "INSERT OR REPLACE INTO main.files SELECT * FROM other.files",
    "INSERT OR IGNORE INTO main.embeddings SELECT * FROM other.embeddings",
    "INSERT OR IGNORE INTO main.calls (call_id, model, owner, since) SELECT call_id, model, '', since FROM other.calls",
    "UPDATE main.calls AS ours SET answer = COALESCE(ours.answer, theirs.answer),"
    " error = CASE WHEN COALESCE(ours.answer, theirs.answer) IS NULL THEN COALESCE(theirs.error, ours.error) END,"
    " sends = ours.sends + theirs.sends - COALESCE(had.sends, 0),"
    " cost = ours.cost + theirs.cost - COALESCE(had.cost, 0)"
    " FROM other.calls AS theirs"
    " LEFT JOIN main.merged AS had ON had.origin = :origin AND had.call_id = theirs.call_id"
    " WHERE ours.call_id = theirs.call_id",
    "INSERT OR REPLACE INTO main.merged SELECT :origin, call_id, sends, cost FROM other.calls",
)
