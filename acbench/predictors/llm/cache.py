"""The part of the ledger that knows of calls: who asks what, what came of it and what it cost."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from acbench.storage.ledger import Ledger, alive

LEASE = 1800.0
"""Seconds without a sign of life after which a call is taken from its owner: process ids are used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One question to a model, as the ledger knows it."""

    answer: str | None
    """As JSON; None if there is none (yet)."""
    error: str | None
    """Why there will be none unless it is asked again."""
    owner: str
    """Who is asking it now: `<process id>:<anything>` or `batch:<name>`; empty if nobody."""
    since: float
    """The owner's last sign of life, seconds since 1970."""
    sends: int
    """How often it was sent, or was about to be."""
    cost: float
    """Dollars that it has cost so far, upper bound."""

    @property
    def in_hand(self) -> bool:
        """Whether its owner is a batch or a process that runs."""
        holder = self.owner.partition(":")[0]
        at_it = holder.isdigit() and alive(int(holder)) and abs(time.time() - self.since) < LEASE
        return self.in_batch or at_it

    @property
    def in_batch(self) -> bool:
        """Whether its owner is a batch: it may take a day."""
        return self.owner.startswith("batch:")

    @property
    def lost(self) -> bool:
        """Whether it was sent, and whoever sent it is gone without a word: it may have been paid for."""
        return bool(self.sends) and self.answer is None and self.error is None and not self.in_hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A file of calls that was, or was about to be, handed in."""

    name: str
    batch_id: str | None
    """The endpoint's; None if it is not known (yet)."""
    call_ids: tuple[str, ...]
    since: float
    """When it was made, seconds since 1970."""


class CallLog(Protocol):
    """Where a caller keeps what it knows of calls. See `LedgerCallLog`."""

    def call(self, call_id: str) -> Call | None: ...
    def claim(self, call_id: str, model: str, owner: str, *, retry: bool = False) -> bool: ...
    def sending(self, call_id: str) -> None: ...
    def settle(self, call_id: str, *, answer: str | None = None, error: str | None = None, cost: float) -> None: ...
    def release(self, call_id: str, *, cost: float) -> None: ...


OpenCallLog = Callable[[], AbstractContextManager[CallLog]]
"""Opens one for one thread."""


class LedgerCallLog(Ledger):
    """The ledger, opened to make calls. Each thread needs its own."""

    def call(self, call_id: str) -> Call | None:
        """What is known of a call; None if it was never claimed."""
        names = ("answer", "error", "owner", "since", "sends", "cost")
        for table in reversed(self._tables("calls")):
            row = self._db.execute(f"SELECT {', '.join(names)} FROM {table} WHERE call_id = ?", (call_id,)).fetchone()  # noqa: S608
            if row is not None:
                known = Call(**dict(zip(names, row, strict=True)))
                # Nobody writes to a base: whoever made a call there is gone. A batch may still bring its answer.
                gone = table.startswith("base.") and not known.in_batch
                return dataclasses.replace(known, owner="") if gone else known
        return None

    def claim(self, call_id: str, model: str, owner: str, *, retry: bool = False) -> bool:
        """Take a call on. False if it has an answer, an error (unless `retry`) or an owner who is still at it."""
        with self._transaction():
            known = self.call(call_id)
            if known and (known.answer is not None or (known.error is not None and not retry) or known.in_hand):
                return False
            self._db.execute(
                "INSERT INTO calls (call_id, model, owner, since) VALUES (?, ?, ?, ?) ON CONFLICT (call_id) DO UPDATE"
                " SET owner = excluded.owner, since = excluded.since, error = NULL",
                (call_id, model, owner, time.time()),
            )
        return True

    def sending(self, call_id: str) -> None:
        """To be told before each attempt: after a crash nobody else knows that it may have been paid for."""
        self._db.execute("UPDATE calls SET sends = sends + 1, since = ? WHERE call_id = ?", (time.time(), call_id))

    def settle(self, call_id: str, *, answer: str | None = None, error: str | None = None, cost: float) -> None:
        """Keep what came of a call, and add what it cost (dollars). An answer that is there stays."""
        self._db.execute(
            "UPDATE calls SET answer = COALESCE(answer, :answer), cost = cost + :cost, owner = '',"
            " error = CASE WHEN COALESCE(answer, :answer) IS NULL THEN :error END WHERE call_id = :call_id",
            {"call_id": call_id, "answer": answer, "error": error, "cost": cost},
        )

    def release(self, call_id: str, *, cost: float) -> None:
        """Give a call back without a result: the next run asks it."""
        self._db.execute("UPDATE calls SET owner = '', cost = cost + ? WHERE call_id = ?", (cost, call_id))

    # Batches

    def open_batch(self, name: str, model: str, sha256: str, call_ids: Sequence[str]) -> None:
        """Keep the intent to submit a file of calls; they are the batch's from now on."""
        now = time.time()
        with self._transaction():
            self._db.execute(
                "INSERT INTO batches (name, model, sha256, call_ids, since) VALUES (?, ?, ?, ?, ?)",
                (name, model, sha256, json.dumps(list(call_ids)), now),
            )
            self._db.executemany(
                "UPDATE calls SET owner = ?, since = ?, sends = sends + 1 WHERE call_id = ?",
                [(f"batch:{name}", now, call_id) for call_id in call_ids],
            )

    def submitted(self, name: str, batch_id: str) -> None:
        """Keep the endpoint's id of a batch."""
        self._db.execute("UPDATE batches SET batch_id = ? WHERE name = ?", (batch_id, name))

    def open_batches(self, model: str) -> list[Batch]:
        """Each batch whose results were not all taken yet, the oldest first."""
        rows = self._db.execute(
            "SELECT name, batch_id, call_ids, since FROM batches WHERE model = ? AND NOT closed ORDER BY since",
            (model,),
        )
        return [
            Batch(name=name, batch_id=batch_id, call_ids=tuple(json.loads(call_ids)), since=since)
            for name, batch_id, call_ids, since in rows.fetchall()
        ]

    def close_batch(self, name: str) -> None:
        """Nothing more will come of a batch; calls of it without a result are given back."""
        with self._transaction():
            self._db.execute("UPDATE batches SET closed = 1 WHERE name = ?", (name,))
            self._db.execute("UPDATE calls SET owner = '' WHERE owner = ?", (f"batch:{name}",))
