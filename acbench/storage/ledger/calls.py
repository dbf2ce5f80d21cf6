"""LLM calls and batches of them: who makes a call, what it cost, and its answer or error."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from acbench._util.processes import is_running
from acbench.storage.ledger.database import Database
from acbench.storage.typed_json import decode

LEASE = 1800.0
"""Seconds after which a call is taken from an owner that gives no sign of life. The owner's process id may meanwhile
belong to another process."""


REOPENED = "refused"
"""The owner of a call that the endpoint refused, and that the next run asks nevertheless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One question to a model, as the ledger knows it."""

    answer: str | None
    """A `Completion` as JSON; None if there is none (yet)."""
    error: str | None
    """Why there is no answer; a later run asks again only on demand."""
    owner: str
    """Who makes the call now: `<process id>:<anything>` or `batch:<name>`; empty, or REOPENED, if nobody does."""
    since: float
    """The owner's last sign of life, seconds since 1970."""
    sends: int
    """How often it was sent, or was about to be."""
    cost: float
    """Dollars so far, upper bound."""

    @property
    def active(self) -> bool:
        """Whether its owner is a batch or a running process."""
        owner = self.owner.partition(":")[0]
        running = owner.isdigit() and is_running(int(owner)) and abs(time.time() - self.since) < LEASE
        return self.in_batch or running

    @property
    def in_batch(self) -> bool:
        """Whether its owner is a batch, which may take a day."""
        return self.owner.startswith("batch:")

    @property
    def lost(self) -> bool:
        """Whether it was sent, but its owner ended before the answer was kept. It may have been paid for."""
        open_ = self.answer is None and self.error is None and not self.active
        return bool(self.sends) and open_ and self.owner != REOPENED


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A file of calls that was submitted, or was about to be."""

    name: str
    """Our own name of it."""
    batch_id: str | None
    """The endpoint's id; None if it is not known (yet)."""
    call_ids: tuple[str, ...]
    since: float
    """When the file was made, seconds since 1970."""


class CallTable:
    """The calls in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def call(self, call_id: str) -> Call | None:
        """What is known of a call; None if nobody has claimed it yet."""
        names = ("answer", "error", "owner", "since", "sends", "cost")
        for table in reversed(self._database.tables("calls")):
            statement = f"SELECT {', '.join(names)} FROM {table} WHERE call_id = ?"  # noqa: S608
            row = self._database.execute(statement, (call_id,)).fetchone()
            if row is not None:
                known = Call(**dict(zip(names, row, strict=True)))
                # Nobody writes to a base, so an owner there is gone. A batch may still bring its answer.
                gone = table.startswith("base.") and not known.in_batch
                return dataclasses.replace(known, owner="") if gone else known
        return None

    def claim(self, call_id: str, model: str, owner: str, *, retry: bool = False) -> bool:
        """Become the owner of a call. False if it has an answer, an error (unless `retry`) or an active owner."""
        with self._database.transaction():
            known = self.call(call_id)
            if known and (known.answer is not None or (known.error is not None and not retry) or known.active):
                return False
            self._database.execute(
                "INSERT INTO calls (call_id, model, owner, since) VALUES (?, ?, ?, ?) ON CONFLICT (call_id) DO UPDATE"
                " SET owner = excluded.owner, since = excluded.since, error = NULL",
                (call_id, model, owner, time.time()),
            )
        return True

    def record_send(self, call_id: str) -> None:
        """Count an attempt. To be called before it: after a crash nothing else shows that it may have been paid for."""
        self._database.execute(
            "UPDATE calls SET sends = sends + 1, since = ? WHERE call_id = ?", (time.time(), call_id)
        )

    def settle(self, call_id: str, *, answer: str | None = None, error: str | None = None, cost: float) -> None:
        """End a call with its answer or error, and add its cost (dollars). An answer that is kept already stays."""
        self._database.execute(
            "UPDATE calls SET answer = COALESCE(answer, :answer), cost = cost + :cost, owner = '',"
            " error = CASE WHEN COALESCE(answer, :answer) IS NULL THEN :error END WHERE call_id = :call_id",
            {"call_id": call_id, "answer": answer, "error": error, "cost": cost},
        )

    def release(self, call_id: str, *, cost: float) -> None:
        """Give up a call without a result, and add its cost (dollars). The next run asks it."""
        self._database.execute("UPDATE calls SET owner = '', cost = cost + ? WHERE call_id = ?", (cost, call_id))

    def reopen(self, call_ids: Iterable[str]) -> None:
        """Forget the errors of some calls, which said nothing about their questions. The next run asks them."""
        self._database.execute_many(
            "UPDATE calls SET error = NULL, owner = ? WHERE call_id = ? AND owner = ''",
            [(REOPENED, call_id) for call_id in call_ids],
        )

    def dialect(self, model: str) -> str:
        """How a model has to be asked, as `keep_dialect` was told last; empty if nothing is known."""
        for table in reversed(self._database.tables("dialects")):
            row = self._database.execute(f"SELECT dialect FROM {table} WHERE model = ?", (model,)).fetchone()  # noqa: S608
            if row is not None:
                return str(row[0])
        return ""

    def keep_dialect(self, model: str, dialect: str) -> None:
        """Keep how a model has to be asked."""
        self._database.execute("INSERT OR REPLACE INTO dialects (model, dialect) VALUES (?, ?)", (model, dialect))

    def dollars(self, call_ids: Iterable[str]) -> float:
        """What some calls have cost together, upper bound."""
        statement = "SELECT cost FROM calls WHERE call_id = ?"
        costs = (self._database.execute(statement, (call_id,)).fetchone() for call_id in call_ids)
        return float(sum(row[0] for row in costs if row is not None))


class BatchTable:
    """The batches in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_batch(self, name: str, model: str, sha256: str, call_ids: Sequence[str]) -> None:
        """Record a batch before it is submitted, and make it the owner of its calls. `sha256`: of the batch's file."""
        now = time.time()
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO batches (name, model, sha256, call_ids, since) VALUES (?, ?, ?, ?, ?)",
                (name, model, sha256, json.dumps(list(call_ids)), now),
            )
            self._database.execute_many(
                "UPDATE calls SET owner = ?, since = ?, sends = sends + 1 WHERE call_id = ?",
                [(f"batch:{name}", now, call_id) for call_id in call_ids],
            )

    def submitted(self, name: str, batch_id: str) -> None:
        """Record the endpoint's id of a batch."""
        self._database.execute("UPDATE batches SET batch_id = ? WHERE name = ?", (batch_id, name))

    def open_batches(self, model: str) -> list[Batch]:
        """The batches whose results are not all in the ledger yet, the oldest first."""
        rows = self._database.execute(
            "SELECT name, batch_id, call_ids, since FROM batches WHERE model = ? AND NOT closed ORDER BY since",
            (model,),
        )
        return [
            Batch(name=name, batch_id=batch_id, call_ids=_call_ids(name, call_ids), since=since)
            for name, batch_id, call_ids, since in rows.fetchall()
        ]

    def close_batch(self, name: str) -> None:
        """Expect nothing more of a batch, and give up its calls that have no result."""
        with self._database.transaction():
            self._database.execute("UPDATE batches SET closed = 1 WHERE name = ?", (name,))
            self._database.execute("UPDATE calls SET owner = '' WHERE owner = ?", (f"batch:{name}",))


def _call_ids(batch: str, text: str) -> tuple[str, ...]:
    """The ids of the calls of a batch. Raises StorageError for what no version wrote."""
    hint = "ask without --batch: what the batch had answered is asked once more"
    return decode(text.encode("utf-8", "replace"), tuple[str, ...], f"the batch {batch} in the ledger", hint=hint)
