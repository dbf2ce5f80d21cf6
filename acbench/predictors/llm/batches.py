"""Questions sent as files for half the price and answered within a day; a run that ends meanwhile is taken up again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from acbench._util.processes import is_running
from acbench.errors import AcbenchError
from acbench.predictors.llm.cache import LEASE, Batch, LedgerCallLog
from acbench.predictors.llm.client import LedgerClient, describe
from acbench.predictors.llm.messages import Completion, LlmError, Question, Reply, call_id
from acbench.predictors.llm.rate_limit import BACKOFF

SHARE = 0.5
"""Of the usual price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnd:
    """A batch that is over."""

    results: Sequence[tuple[str, Completion | LlmError]]
    """By call id. Some may be missing."""
    why: str
    """Why the others have none."""
    ran: bool
    """False if the endpoint refused or gave up the batch as a whole: that says nothing about its questions."""


class BatchModel(Protocol):
    """An endpoint that takes files of questions. All raise CallError."""

    def line(self, call_id: str, question: Question) -> bytes:
        """One line of the file, with its end."""

    def submit(self, name: str, file: bytes) -> str:
        """Hand a batch in under a name of ours; gives the endpoint's id."""

    def find(self, name: str) -> str | None:
        """The id of a batch that was handed in under a name, if there is one."""

    def end(self, batch_id: str) -> BatchEnd | None:
        """The results; None while it runs."""


@dataclass(kw_only=True)
class BatchClient(LedgerClient):
    """Makes the calls of one run through batches. Retries inside a batch are the endpoint's."""

    door: BatchModel
    most_calls: int = 10_000
    most_bytes: int = 90_000_000
    poll: float = 30.0
    """Seconds between looks at running batches."""
    share: float = SHARE
    _held: dict[str, float] = field(init=False, default_factory=dict)
    """Call id → dollars set aside."""

    @property
    def _file(self) -> Path:
        assert isinstance(self.ledger, Path), "batches are handed in by one machine"
        return self.ledger

    def ask(self, questions: Iterable[tuple[str, Question]]) -> Iterator[tuple[str, Reply]]:
        """Every question by its name, batch by batch. Raises AcbenchError if batches cannot be handed in."""
        names: dict[str, list[str]] = {}
        with LedgerCallLog(self._file) as log:
            self._reattach(log)
            old = {key for batch in log.open_batches(self.model.name) for key in batch.call_ids}
            yield from self._hand_in(log, questions, names)
            while names:
                for batch in log.open_batches(self.model.name):
                    for asked in self._take(log, batch, old):
                        yield from _named(asked, names)
                yield from self._elsewhere(log, names)
                if names:
                    self.retrier.sleep(self.poll)
                    self._reattach(log)

    def _hand_in(
        self, log: LedgerCallLog, questions: Iterable[tuple[str, Question]], names: dict[str, list[str]]
    ) -> Iterator[tuple[str, Reply]]:
        """Submit what is not known yet; gives what is settled without, and fills `names` with what is waited for."""
        owner = f"{os.getpid()}:{secrets.token_hex(4)}"
        lines: dict[str, bytes] = {}
        size = 0
        for name, question in questions:
            key = call_id(self.model.name, question)
            if key in names:
                names[key].append(name)
                continue
            if kept := self._kept(key, log.call(key)):
                yield name, kept
                continue
            self._prove()
            if log.claim(key, self.model.name, owner, retry=self.retry_errors):
                tokens = self.model.tokens(question)
                estimate = self.share * self.model.price.of(tokens, question.max_tokens)
                amount = self.retrier.budget.reserve(estimate, wait=False)
                if amount is None:
                    log.release(key, cost=0)
                    error = self.retrier.over_budget(estimate)
                    yield name, Reply(call_id=key, answer=None, error=describe(error), cached=True, unasked=True)
                    continue
                self._held[key] = amount
                lines[key] = self.door.line(key, question)
                size += len(lines[key])
            names[key] = [name]
            if len(lines) >= self.most_calls or size >= self.most_bytes:
                self._submit(log, lines)
                lines, size = {}, 0
        if lines:
            self._submit(log, lines)

    def _submit(self, log: LedgerCallLog, lines: dict[str, bytes]) -> None:
        name = f"acbench-{os.getpid()}-{secrets.token_hex(8)}"
        file = b"".join(lines.values())
        log.open_batch(name, self.model.name, hashlib.sha256(file).hexdigest(), list(lines))
        failures = 0
        while True:
            try:
                # An attempt that failed may have arrived all the same.
                batch_id = (self.door.find(name) if failures else None) or self.door.submit(name, file)
                log.submitted(name, batch_id)
                return
            except LlmError as error:
                failures += 1
                if not error.retryable:
                    log.close_batch(name)
                    raise AcbenchError(f"no batch can be handed in: {error.message}", error.hint) from None
                if failures >= self.retrier.attempts:
                    raise AcbenchError(f"a batch may not have arrived: {error.message}", "run again later") from None
                self.retrier.sleep(BACKOFF.seconds(failures, error.retry_after, self.retrier.random))

    def _reattach(self, log: LedgerCallLog) -> None:
        """Find batches that were handed in by a run that ended before it knew their ids; forget those that were not."""
        for batch in log.open_batches(self.model.name):
            maker = int(batch.name.split("-")[1])
            if batch.batch_id or (maker != os.getpid() and is_running(maker) and time.time() - batch.since < LEASE):
                continue
            try:
                found = self.door.find(batch.name)
            except LlmError as failure:
                if not failure.retryable:
                    raise
                continue  # looked for again at the next turn
            if found:
                log.submitted(batch.name, found)
            else:
                log.close_batch(batch.name)

    def _take(self, log: LedgerCallLog, batch: Batch, old: set[str]) -> Iterator[Reply]:
        """What a batch brought, if it is over; in the ledger before anybody sees it."""
        if batch.batch_id is None:
            return
        try:
            end = self.door.end(batch.batch_id)
        except LlmError as failure:
            if failure.kind == "auth":
                raise
            if failure.retryable:
                return
            end = BatchEnd(results=(), why=describe(failure), ran=False)
        if end is None:
            return
        missing = dict.fromkeys(batch.call_ids)
        for key, result in end.results:
            if key in missing:
                del missing[key]
                yield self._settle(log, batch, key, result, key in old)
        none = LlmError("server", f"the batch brought no answer: {end.why}")
        for key in missing:
            yield self._settle(log, batch, key, none, key in old, store=end.ran)
        log.close_batch(batch.name)

    def _settle(
        self, log: LedgerCallLog, batch: Batch, key: str, result: Completion | LlmError, old: bool, store: bool = True
    ) -> Reply:
        amount = self._held.pop(key, 0.0)
        if isinstance(result, Completion):
            cost, answer, error = self.share * self.model.price.of(result.tokens_in, result.tokens_out), result, ""
            if not result.tokens_in:  # without a usage it counts as estimated
                cost = max(cost, amount)
        else:
            cost, answer, error = amount if result.may_cost else 0.0, None, describe(result)
        if amount:
            self.retrier.budget.settle(amount, cost)
        known = log.call(key)
        if known and known.owner == f"batch:{batch.name}":  # another process may have taken it first
            if answer:
                log.settle(key, answer=json.dumps(dataclasses.asdict(answer)), cost=cost)
            elif store:
                log.settle(key, error=error, cost=cost)
        return Reply(call_id=key, answer=answer, error=error, cached=old)

    def _elsewhere(self, log: LedgerCallLog, names: dict[str, list[str]]) -> Iterator[tuple[str, Reply]]:
        """What another process got, or gave up, meanwhile."""
        for key in list(names):
            known = log.call(key)
            if kept := self._kept(key, known):
                yield from _named(kept, names)
            elif known is None or not known.active:
                gone = Reply(
                    call_id=key, answer=None, error="server: whoever asked it gave up", cached=True, unasked=True
                )
                yield from _named(gone, names)


def _named(asked: Reply, names: dict[str, list[str]]) -> Iterator[tuple[str, Reply]]:
    for number, name in enumerate(names.pop(asked.call_id, ())):
        yield name, dataclasses.replace(asked, cached=asked.cached or number > 0)
