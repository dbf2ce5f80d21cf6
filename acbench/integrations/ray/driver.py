"""The machine that holds the project, as the workers of Ray reach it: an actor on it, and its stand-ins on theirs."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from acbench._util.execution import WorkerTask
from acbench.errors import AcbenchError
from acbench.predictors.llm.budget import Budget
from acbench.predictors.llm.cache import Call, OpenCallLog
from acbench.storage import tables as store
from acbench.storage.ledger import Ledger

POLL = 0.2
"""Seconds between looks at what another worker is doing."""
BEGINNINGS = 10
"""A part that so many workers did not survive is given up."""

Turn = Literal["do", "wait", "done"]


class Keeper:
    """The project's ledger and the parts, for workers elsewhere. An actor: it does one thing at a time.

    What a worker holds, calls and dollars, is held for the part that it does. A part that begins once more has lost its
    worker: then its calls are given back, and its dollars count as spent.
    """

    def __init__(
        self,
        ledger: str,
        table: str,
        offsets: Sequence[int],
        task: WorkerTask[Any, Any],
        workers: int,
        limit: float | None,
    ) -> None:
        self.task, self.workers = task, workers
        self.budget = Budget(limit=limit)
        self._table, self._offsets = Path(table), offsets
        self._ledger = Ledger(Path(ledger))
        self._held: defaultdict[int, list[float]] = defaultdict(list)
        self._claims: defaultdict[int, set[str]] = defaultdict(set)
        self._begun: Counter[int] = Counter()
        self._prover: int | None = None
        self._proven = False

    def given(self) -> tuple[WorkerTask[Any, Any], int, float | None]:
        """What a worker has to know: the task, how many work at it, and the budget's limit."""
        return self.task, self.workers, self.budget.limit

    def part(self, number: int) -> list[Any]:
        """The records of a part, which begins with this."""
        self._begun[number] += 1
        for amount in self._held.pop(number, ()):
            self.budget.settle(amount, amount)
        for call_id in self._claims.pop(number, ()):
            self._ledger.calls.release(call_id, cost=0)
        if self._prover == number:
            self._prover = None
        if self._begun[number] > BEGINNINGS:
            raise AcbenchError(
                f"{BEGINNINGS} workers ended in the middle of part {number}",
                "most likely they ran out of memory: take fewer --workers",
            )
        begin, end = self._offsets[number : number + 2]
        return store.read_part(self._table, begin, end, self.task.kind)

    # The ledger

    def load_vectors(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self._ledger.vectors.load(keys)

    def save_vectors(self, rows: list[tuple[str, bytes]]) -> None:
        self._ledger.vectors.save(rows)

    def call(self, call_id: str) -> Call | None:
        return self._ledger.calls.call(call_id)

    def claim(self, number: int, call_id: str, model: str, retry: bool) -> bool:
        claimed = self._ledger.calls.claim(call_id, model, f"{os.getpid()}:part {number}", retry=retry)
        if claimed:
            self._claims[number].add(call_id)
        return claimed

    def record_send(self, call_id: str) -> None:
        self._ledger.calls.record_send(call_id)

    def settle(self, number: int, call_id: str, answer: str | None, error: str | None, cost: float) -> None:
        self._ledger.calls.settle(call_id, answer=answer, error=error, cost=cost)
        self._claims[number].discard(call_id)

    def release(self, number: int, call_id: str, cost: float) -> None:
        self._ledger.calls.release(call_id, cost=cost)
        self._claims[number].discard(call_id)

    # The budget

    def reserve(self, number: int, estimate: float) -> tuple[float | None, bool, float]:
        """What was set aside, if it was; else whether it is worth waiting; and what is spent."""
        amount = self.budget.reserve(estimate, wait=False)
        if amount is not None:
            self._held[number].append(amount)
        return amount, self.budget.under_way, self.budget.spent

    def pay(self, number: int, amount: float, actual: float) -> None:
        if amount in self._held[number]:  # else its worker was taken for lost, and it is counted
            self._held[number].remove(amount)
            self.budget.settle(amount, actual)

    def spent(self) -> float:
        return self.budget.spent

    # Once for all

    def turn(self, number: int) -> Turn:
        """Whose turn it is to see to what one has to see to."""
        if self._proven:
            return "done"
        if self._prover is None:
            self._prover = number
            return "do"
        return "wait"

    def proved(self, well: bool) -> None:
        self._proven, self._prover = well, None


class RemoteHome:
    """See `acbench._util.execution.Home`. `part` is what the worker does now."""

    def __init__(self, ask: Callable[..., Any], workers: int, limit: float | None) -> None:
        self.ask = ask
        """Calls a method of the keeper by name, and waits for what it gives."""
        self.workers = workers
        self.part = -1
        self.vectors = _Vectors(ask)
        self.open_log: OpenCallLog = self._log
        self.budget: Budget = _SharedBudget(self, limit)

    @contextmanager
    def _log(self) -> Iterator[_Log]:
        yield _Log(self)

    def run_once(self, check: Callable[[], None]) -> None:
        while (turn := self.ask("turn", self.part)) == "wait":
            time.sleep(POLL)
        if turn == "do":
            well = False
            try:
                check()
                well = True
            finally:
                self.ask("proved", well)


class _Vectors:
    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def load(self, keys: Sequence[str]) -> dict[str, bytes]:
        vectors: dict[str, bytes] = self._ask("load_vectors", list(keys))
        return vectors

    def save(self, rows: Iterable[tuple[str, bytes]]) -> None:
        self._ask("save_vectors", list(rows))


class _Log:
    def __init__(self, home: RemoteHome) -> None:
        self._ask, self._part = home.ask, home.part

    def call(self, call_id: str) -> Call | None:
        known: Call | None = self._ask("call", call_id)
        return known

    def claim(self, call_id: str, model: str, owner: str, *, retry: bool = False) -> bool:
        return bool(self._ask("claim", self._part, call_id, model, retry))

    def record_send(self, call_id: str) -> None:
        self._ask("record_send", call_id)

    def settle(self, call_id: str, *, answer: str | None = None, error: str | None = None, cost: float) -> None:
        self._ask("settle", self._part, call_id, answer, error, cost)

    def release(self, call_id: str, *, cost: float) -> None:
        self._ask("release", self._part, call_id, cost)


class _SharedBudget(Budget):
    """The keeper's budget."""

    def __init__(self, home: RemoteHome, limit: float | None) -> None:
        super().__init__(limit=limit)
        self._home = home

    def reserve(self, estimate: float, *, wait: bool = True) -> float | None:
        if self.limit is None:
            return estimate
        while True:
            amount: float | None
            amount, worth_waiting, self.spent = self._home.ask("reserve", self._home.part, estimate)
            if amount is not None or not wait or not worth_waiting:
                return amount
            time.sleep(POLL)

    def settle(self, amount: float, actual: float) -> None:
        if self.limit is not None:
            self._home.ask("pay", self._home.part, amount, actual)
