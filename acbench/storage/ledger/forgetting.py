"""Says how to take out of a ledger what cannot be used: the rest of it was paid for, so nobody should move it away."""

from __future__ import annotations

KEEP = "the ledger also holds answers that were paid for, so keep it"


def forgetting(table: str, call_id: str = "") -> str:
    """What to type in the project's folder to forget all rows of a table, or those of one call."""
    rows = f"{table} WHERE call_id = ?', ['{call_id}']" if call_id else f"{table}'"
    statement = "DELETE FROM"
    return (
        "python -c \"import sqlite3; sqlite3.connect('.acbench/ledger.sqlite', isolation_level=None)"
        f".execute('{statement} {rows})\""
    )
