"""Brings what a shard computed and paid for into the project's ledger; to do it again changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from acbench.storage.ledger.calls import REOPENED
from acbench.storage.ledger.database import Database
from acbench.storage.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a ledger brought that was not there before."""

    files: int
    vectors: int
    answers: int
    failures: int
    """Calls that ended in an error and have no answer from elsewhere."""
    dollars: float
    """Upper bound."""


def merge(ledger: Ledger, other: Path) -> Merged:
    """Take all results of another ledger into this one, in one transaction.

    An answer that is there stays. Costs of a call are summed over the ledgers, and what a ledger brought before is not
    counted again: how much that was is kept under the ledger's origin.

    Raises StorageError if the other file is no ledger.
    """
    with Ledger(other) as opened:  # opening it brings it up to date
        origin = opened.origin
    database = ledger.database
    with database.attached(other, "other"):
        before = _counts(database)
        with database.transaction():
            for statement in _MERGE:
                database.execute(statement, {"origin": origin, "reopened": REOPENED})
        after = _counts(database)
    files, vectors, answers, failures, dollars = (new - old for new, old in zip(after, before, strict=True))
    return Merged(files=int(files), vectors=int(vectors), answers=int(answers), failures=int(failures), dollars=dollars)


def forget(ledger: Ledger, origin: str) -> None:
    """Drop the note of what a ledger brought, once that ledger is gone."""
    ledger.database.execute("DELETE FROM merged WHERE origin = ?", (origin,))


def write_to_one_file(ledger: Ledger) -> None:
    """Move everything from the write-ahead log into the ledger's one file, which shards read without locks."""
    ledger.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _counts(database: Database) -> tuple[float, ...]:
    row = database.execute(
        "SELECT (SELECT COUNT(*) FROM main.files), (SELECT COUNT(*) FROM main.embeddings),"
        " COUNT(answer), COUNT(CASE WHEN answer IS NULL THEN error END), COALESCE(SUM(cost), 0) FROM main.calls"
    ).fetchone()
    return tuple(float(count) for count in row)


_MERGE = (
    "INSERT OR REPLACE INTO main.files SELECT * FROM other.files",
    "INSERT OR IGNORE INTO main.embeddings SELECT * FROM other.embeddings",
    "INSERT OR IGNORE INTO main.calls (call_id, model, owner, since)"
    " SELECT call_id, model, CASE owner WHEN :reopened THEN owner ELSE '' END, since FROM other.calls",
    "UPDATE main.calls AS ours SET answer = COALESCE(ours.answer, theirs.answer),"
    " error = CASE WHEN COALESCE(ours.answer, theirs.answer) IS NULL THEN COALESCE(theirs.error, ours.error) END,"
    " sends = ours.sends + theirs.sends - COALESCE(had.sends, 0),"
    " cost = ours.cost + theirs.cost - COALESCE(had.cost, 0)"
    " FROM other.calls AS theirs"
    " LEFT JOIN main.merged AS had ON had.origin = :origin AND had.call_id = theirs.call_id"
    " WHERE ours.call_id = theirs.call_id",
    "INSERT OR IGNORE INTO main.dialects SELECT * FROM other.dialects",
    "INSERT OR REPLACE INTO main.merged SELECT :origin, call_id, sends, cost FROM other.calls",
)
