"""Lets the workers of Ray reach the machine that holds the project: an actor there, and its counterparts in workers."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from acbench._util.execution import WorkerTask
from acbench.errors import AcbenchError
from acbench.predictors.llm.budget import Budget
from acbench.predictors.llm.cache import Call, OpenCallLog
from acbench.storage import tables
from acbench.storage.ledger import Ledger

POLL = 0.2
"""Seconds between looks at what another worker is doing."""
ATTEMPTS = 10
"""How often a part is begun. If it is not done then, its workers probably die of it."""

Service = Literal["parts", "ledger", "budget", "check"]
"""What of the project a worker asks."""
Turn = Literal["do", "wait", "done"]


class Ask(Protocol):
    """Calls a method of one of the project's services, wherever the project is, and waits for the result."""

    def __call__(self, service: Service, method: str, *arguments: object) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """The work that is given to workers."""

    ledger: Path
    """The project's, on its own machine."""
    table: Path
    """The file of parts, on that machine."""
    offsets: Sequence[int]
    """Where each part begins in the file, and where the last one ends."""
    task: WorkerTask[Any, Any]
    workers: int
    budget: float | None
    """Dollars that the workers may spend together; None for no limit."""


# On the machine that holds the project


class ProjectActor:
    """The project, for workers elsewhere. As an actor of Ray it does one thing at a time.

    What a worker holds, calls and dollars, is held for the part that it does. A part that begins once more has lost its
    worker: then its calls are given back, and its dollars count as spent.
    """

    def __init__(self, job: Job) -> None:
        self.ledger = _Ledger(Ledger(job.ledger))
        self.budget = _Budget(Budget(limit=job.budget))
        self.check = _Check()
        self.parts = _Parts(job, (self.ledger, self.budget, self.check))

    def ask(self, service: Service, method: str, *arguments: object) -> Any:
        """Call a method of a service. See `Ask`."""
        return getattr(getattr(self, service), method)(*arguments)


class _Holder(Protocol):
    """What holds something for the part that a worker does."""

    def give_up(self, part: int) -> None:
        """Free what a part holds, since its worker is lost."""


@dataclass
class _Parts:
    """The parts of the work, and how often each was begun."""

    job: Job
    holders: Sequence[_Holder]
    begun: Counter[int] = field(default_factory=Counter)

    def describe(self) -> Job:
        """What a worker has to know."""
        return self.job

    def begin(self, part: int) -> list[Any]:
        """The records of a part, which a worker begins now. Raises AcbenchError if it was begun too often."""
        self.begun[part] += 1
        for holder in self.holders:
            holder.give_up(part)
        if self.begun[part] > ATTEMPTS:
            raise AcbenchError(
                f"{ATTEMPTS} workers ended in the middle of part {part}",
                "most likely they ran out of memory: take fewer --workers",
            )
        begin, end = self.job.offsets[part : part + 2]
        return tables.read_part(self.job.table, begin, end, self.job.task.kind)


@dataclass
class _Ledger:
    """The ledger, and which part has claimed which calls."""

    ledger: Ledger
    claims: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def load_vectors(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self.ledger.vectors.load(keys)

    def save_vectors(self, rows: list[tuple[str, bytes]]) -> None:
        self.ledger.vectors.save(rows)

    def call(self, call_id: str) -> Call | None:
        return self.ledger.calls.call(call_id)

    def claim(self, part: int, call_id: str, model: str, retry: bool) -> bool:
        claimed = self.ledger.calls.claim(call_id, model, f"{os.getpid()}:part {part}", retry=retry)
        if claimed:
            self.claims[part].add(call_id)
        return claimed

    def record_send(self, call_id: str) -> None:
        self.ledger.calls.record_send(call_id)

    def settle(self, part: int, call_id: str, answer: str | None, error: str | None, cost: float) -> None:
        self.ledger.calls.settle(call_id, answer=answer, error=error, cost=cost)
        self.claims[part].discard(call_id)

    def release(self, part: int, call_id: str, cost: float) -> None:
        self.ledger.calls.release(call_id, cost=cost)
        self.claims[part].discard(call_id)

    def reopen(self, call_ids: list[str]) -> None:
        self.ledger.calls.reopen(call_ids)

    def dialect(self, model: str) -> str:
        return self.ledger.calls.dialect(model)

    def keep_dialect(self, model: str, dialect: str) -> None:
        self.ledger.calls.keep_dialect(model, dialect)

    def give_up(self, part: int) -> None:
        """Release the calls of a part whose worker is lost."""
        for call_id in self.claims.pop(part, ()):
            self.ledger.calls.release(call_id, cost=0)


@dataclass
class _Budget:
    """The budget, and which part holds how much of it."""

    budget: Budget
    held: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def reserve(self, part: int, estimate: float) -> tuple[float | None, bool, float]:
        """What was set aside, if it was; else whether it is worth waiting; and what is spent."""
        amount = self.budget.reserve(estimate, wait=False)
        if amount is not None:
            self.held[part].append(amount)
        return amount, self.budget.under_way, self.budget.spent

    def settle(self, part: int, amount: float, actual: float) -> None:
        if amount in self.held[part]:  # otherwise its worker was taken for lost, and it counts as spent
            self.held[part].remove(amount)
            self.budget.settle(amount, actual)

    def spent(self) -> float:
        return self.budget.spent

    def give_up(self, part: int) -> None:
        """Count what a part holds as spent, since its worker is lost."""
        for amount in self.held.pop(part, ()):
            self.budget.settle(amount, amount)


@dataclass
class _Check:
    """A check that one worker makes for all."""

    passed: bool = False
    part: int | None = None
    """The part whose worker makes it."""

    def turn(self, part: int) -> Turn:
        """What the worker of a part has to do about it."""
        if self.passed:
            return "done"
        if self.part is None:
            self.part = part
            return "do"
        return "wait"

    def end(self, passed: bool) -> None:
        self.passed, self.part = passed, None

    def give_up(self, part: int) -> None:
        """Let another worker make it, if that of a lost part was at it."""
        if self.part == part:
            self.part = None


# In a worker


class WorkerHome:
    """The project as one worker reaches it. See `acbench._util.execution.Home`."""

    def __init__(self, ask: Ask, job: Job) -> None:
        self.ask = ask
        self.job = job
        self.workers = job.workers
        self.part = -1
        """The part that the worker does now."""
        self.vectors = _WorkerVectors(ask)
        self.open_log: OpenCallLog = self._open_log
        self.budget: Budget = _WorkerBudget(self, job.budget)

    @contextmanager
    def _open_log(self) -> Iterator[_WorkerLog]:
        yield _WorkerLog(self)

    def run_once(self, check: Callable[[], None]) -> None:
        while (turn := self.ask("check", "turn", self.part)) == "wait":
            time.sleep(POLL)
        if turn == "do":
            passed = False
            try:
                check()
                passed = True
            finally:
                self.ask("check", "end", passed)


class _WorkerVectors:
    """The ledger's vectors. See `acbench._util.execution.VectorCache`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def load(self, keys: Sequence[str]) -> dict[str, bytes]:
        vectors: dict[str, bytes] = self._ask("ledger", "load_vectors", list(keys))
        return vectors

    def save(self, rows: Iterable[tuple[str, bytes]]) -> None:
        self._ask("ledger", "save_vectors", list(rows))


class _WorkerLog:
    """The ledger's calls. See `acbench.predictors.llm.cache.CallLog`."""

    def __init__(self, home: WorkerHome) -> None:
        self._ask, self._part = home.ask, home.part

    def call(self, call_id: str) -> Call | None:
        known: Call | None = self._ask("ledger", "call", call_id)
        return known

    def claim(self, call_id: str, model: str, owner: str, *, retry: bool = False) -> bool:
        return bool(self._ask("ledger", "claim", self._part, call_id, model, retry))

    def record_send(self, call_id: str) -> None:
        self._ask("ledger", "record_send", call_id)

    def settle(self, call_id: str, *, answer: str | None = None, error: str | None = None, cost: float) -> None:
        self._ask("ledger", "settle", self._part, call_id, answer, error, cost)

    def release(self, call_id: str, *, cost: float) -> None:
        self._ask("ledger", "release", self._part, call_id, cost)

    def reopen(self, call_ids: Iterable[str]) -> None:
        self._ask("ledger", "reopen", list(call_ids))

    def dialect(self, model: str) -> str:
        return str(self._ask("ledger", "dialect", model))

    def keep_dialect(self, model: str, dialect: str) -> None:
        self._ask("ledger", "keep_dialect", model, dialect)


class _WorkerBudget(Budget):
    """The budget that all workers share."""

    def __init__(self, home: WorkerHome, limit: float | None) -> None:
        super().__init__(limit=limit)
        self._home = home

    def reserve(self, estimate: float, *, wait: bool = True) -> float | None:
        if self.limit is None:
            return estimate
        while True:
            amount: float | None
            amount, worth_waiting, self.spent = self._home.ask("budget", "reserve", self._home.part, estimate)
            if amount is not None or not wait or not worth_waiting:
                return amount
            time.sleep(POLL)

    def settle(self, amount: float, actual: float) -> None:
        if self.limit is not None:
            self._home.ask("budget", "settle", self._home.part, amount, actual)
