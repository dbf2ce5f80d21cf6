"""Asks questions through an endpoint's batch API: in files, at half the price, answered within a day.

A batch outlives the run that submitted it: the next run takes its answers.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from acbench._util.processes import is_running
from acbench.errors import AcbenchError
from acbench.predictors.llm.cache import LEASE, Batch, BatchLog, OpenBatchLog
from acbench.predictors.llm.client import Job, LedgerClient, describe, named
from acbench.predictors.llm.messages import Completion, LlmError, Question, Reply, call_id
from acbench.predictors.llm.rate_limit import BACKOFF
from acbench.predictors.llm.refusals import Refusals, are_equal
from acbench.predictors.llm.retry import bill, bill_of_error

PRICE_SHARE = 0.5
"""The share of the usual price that endpoints charge for a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnd:
    """The results of a batch that is over."""

    results: Sequence[tuple[str, Completion | LlmError]]
    """(call id, result) pairs. Some calls may be missing."""
    why: str
    """Why the missing calls have no result."""
    ran: bool
    """False if the endpoint refused or gave up the whole batch, which says nothing about its questions."""


class BatchModel(Protocol):
    """An endpoint that takes files of questions. All methods but `line` raise LlmError."""

    def line(self, call_id: str, question: Question) -> bytes:
        """The line of the file for one question, with its line end."""

    def submit(self, name: str, file: bytes) -> str:
        """Submit a batch under our own name for it; gives the endpoint's id."""

    def find(self, name: str) -> str | None:
        """The endpoint's id of the batch that was submitted under this name; None if there is no such batch."""

    def end(self, batch_id: str) -> BatchEnd | None:
        """The results of a batch; None while it runs."""


@dataclass
class _Session:
    """What one call of `BatchClient.ask` keeps track of."""

    log: BatchLog
    earlier: frozenset[str]
    """The call ids of batches that an earlier run submitted."""
    names: dict[str, list[str]] = field(default_factory=dict)
    """Call id → the names that wait for its reply."""
    refusals: Refusals = field(default_factory=Refusals)
    """Those among the questions that were asked alone."""

    def replies(self, reply: Reply) -> Iterator[tuple[str, Reply]]:
        """A reply for all names that wait for it."""
        return named(reply, self.names.pop(reply.call_id, ()))


@dataclass
class _BatchFile:
    """The lines of a batch that is not submitted yet."""

    lines: dict[str, bytes] = field(default_factory=dict)
    """Call id → line."""
    size: int = 0
    """Bytes."""

    def add(self, key: str, line: bytes) -> None:
        self.lines[key] = line
        self.size += len(line)


@dataclass(kw_only=True)
class BatchClient(LedgerClient):
    """The LLM client of a run that asks in batches. Inside a batch, the endpoint asks again after errors."""

    batch_model: BatchModel
    open_batch_log: OpenBatchLog
    """Opens the log of calls and batches, which is the one that `open_log` opens."""
    max_calls: int = 10_000
    """Calls in one batch."""
    max_bytes: int = 90_000_000
    """The size of a batch's file at which it is submitted."""
    poll: float = 30.0
    """Seconds between looks at running batches."""
    price_share: float = PRICE_SHARE
    _reserved: dict[str, float] = field(init=False, default_factory=dict)
    """Call id → dollars reserved in the budget."""

    def ask(self, questions: Iterable[tuple[str, Question]]) -> Iterator[tuple[str, Reply]]:
        """Ask (name, question) pairs; gives (name, reply) pairs, batch by batch.

        Raises AcbenchError if a batch cannot be submitted.
        """
        with self.open_batch_log() as log:
            self._reattach(log)
            earlier = frozenset(key for batch in log.open_batches(self.model.name) for key in batch.call_ids)
            self._recall_dialect(log)
            session = _Session(log, earlier)
            yield from self._submit_new(session, questions)
            for reply in self._last(session.refusals, log):
                yield from session.replies(reply)
            while session.names:
                for batch in log.open_batches(self.model.name):
                    for reply in self._results(session, batch):
                        yield from session.replies(reply)
                yield from self._settled_elsewhere(session)
                if session.names:
                    self.retrier.sleep(self.poll)
                    self._reattach(log)

    def _submit_new(self, session: _Session, questions: Iterable[tuple[str, Question]]) -> Iterator[tuple[str, Reply]]:
        """Submit the questions that the ledger has no answer for; gives the replies that need no waiting."""
        owner = f"{os.getpid()}:{secrets.token_hex(4)}"
        file = _BatchFile()
        for name, question in questions:
            key = call_id(self.model.name, question)
            if key in session.names:
                session.names[key].append(name)
                continue
            if kept := self._kept(key, session.log.call(key)):
                yield name, kept
                continue
            self._check_vision_once()
            if not self.model.dialect:  # a batch cannot be sent in another form once it is refused
                yield from self._ask_alone(session, name, key, question, owner)
                continue
            if session.log.claim(key, self.model.name, owner, retry=self.retry_errors):
                if over_budget := self._reserve(key, question):
                    session.log.release(key, cost=0)
                    error = describe(over_budget)
                    yield name, Reply(call_id=key, answer=None, error=error, cached=True, unasked=True)
                    continue
                file.add(key, self.batch_model.line(key, question))
            session.names[key] = [name]
            if len(file.lines) >= self.max_calls or file.size >= self.max_bytes:
                self._submit(session.log, file.lines)
                file = _BatchFile()
        if file.lines:
            self._submit(session.log, file.lines)

    def _ask_alone(
        self, session: _Session, name: str, key: str, question: Question, owner: str
    ) -> Iterator[tuple[str, Reply]]:
        """Ask one question by itself, which shows how the model has to be asked."""
        session.names[key] = [name]
        answer = self._answer(Job(key, question), session.log, owner, lambda: None)
        for reply in self._sorted(session.refusals, answer, session.log):
            yield from session.replies(reply)

    def _reserve(self, key: str, question: Question) -> LlmError | None:
        """Reserve the cost of a call in the budget; gives the error of a call that does not fit."""
        estimate = self.price_share * self.retrier.estimate(question)
        amount = self.retrier.budget.reserve(estimate, wait=False)
        if amount is None:
            return self.retrier.over_budget(estimate)
        self._reserved[key] = amount
        return None

    def _submit(self, log: BatchLog, lines: dict[str, bytes]) -> None:
        """Submit one batch, which is recorded first. Raises AcbenchError."""
        name = f"acbench-{os.getpid()}-{secrets.token_hex(8)}"
        file = b"".join(lines.values())
        log.open_batch(name, self.model.name, hashlib.sha256(file).hexdigest(), list(lines))
        failures = 0
        while True:
            try:
                # An attempt that failed may have arrived nevertheless.
                batch_id = (self.batch_model.find(name) if failures else None) or self.batch_model.submit(name, file)
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

    def _reattach(self, log: BatchLog) -> None:
        """Find the batches of runs that ended before they knew the endpoint's id; close those that never arrived."""
        for batch in log.open_batches(self.model.name):
            if batch.batch_id or _is_being_submitted(batch):
                continue
            try:
                batch_id = self.batch_model.find(batch.name)
            except LlmError as error:
                if not error.retryable:
                    raise
                continue  # the next turn looks for it again
            if batch_id:
                log.submitted(batch.name, batch_id)
            else:
                log.close_batch(batch.name)

    def _results(self, session: _Session, batch: Batch) -> Iterator[Reply]:
        """The replies of a batch that is over, each in the ledger first; none while it runs."""
        end = self._end(batch)
        if end is None:
            return
        missing = dict.fromkeys(batch.call_ids)
        replies: list[Reply] = []
        for key, result in end.results:
            if key in missing:
                del missing[key]
                replies.append(self._settle_batched(session, batch, key, result))
        yield from self._stop(replies, session.log) if are_equal(replies) else replies
        no_answer = LlmError("server", f"the batch brought no answer: {end.why}")
        for key in missing:
            yield self._settle_batched(session, batch, key, no_answer, keep_error=end.ran)
        session.log.close_batch(batch.name)

    def _end(self, batch: Batch) -> BatchEnd | None:
        """The results of a batch; None if it runs, is not submitted yet, or the endpoint does not answer now."""
        if batch.batch_id is None:
            return None
        try:
            return self.batch_model.end(batch.batch_id)
        except LlmError as error:
            if error.kind == "auth":
                raise
            if error.retryable:
                return None
            return BatchEnd(results=(), why=describe(error), ran=False)

    def _settle_batched(
        self, session: _Session, batch: Batch, key: str, result: Completion | LlmError, keep_error: bool = True
    ) -> Reply:
        """Keep the result of one call, and settle its reservation in the budget."""
        if isinstance(result, LlmError) and result.is_about_account:
            keep_error = False
            self.note(f"{self.model.name}: a batch brought no answers. {result}")
        amount = self._reserved.pop(key, 0.0)
        answer = result if isinstance(result, Completion) else None
        error = "" if isinstance(result, Completion) else describe(result)
        cost = self._cost(result, amount)
        if amount:
            self.retrier.budget.settle(amount, cost)
        known = session.log.call(key)
        if known and known.owner == f"batch:{batch.name}":  # another process may have taken it first
            if answer:
                session.log.settle(key, answer=answer.to_json(), cost=cost)
            elif keep_error:
                session.log.settle(key, error=error, cost=cost)
        unasked = answer is None and not keep_error
        return Reply(call_id=key, answer=answer, error=error, cached=key in session.earlier, unasked=unasked)

    def _cost(self, result: Completion | LlmError, reserved: float) -> float:
        """The dollars that a result cost, upper bound."""
        if isinstance(result, LlmError):
            cost = bill_of_error(result, self.model.price, reserved / self.price_share)
            return cost if result.usage.dollars is not None else self.price_share * cost
        if result.dollars is not None:
            return result.dollars
        cost = self.price_share * bill(result, self.model.price)
        # An answer without a usage counts as estimated.
        return cost if result.tokens_in else max(cost, reserved)

    def _settled_elsewhere(self, session: _Session) -> Iterator[tuple[str, Reply]]:
        """The replies that another process got meanwhile, and those of calls that it gave up."""
        for key in list(session.names):
            known = session.log.call(key)
            if kept := self._kept(key, known):
                yield from session.replies(kept)
            elif known is None or not known.active:
                error = "server: another process that was asking it gave up"
                yield from session.replies(Reply(call_id=key, answer=None, error=error, cached=True, unasked=True))


def _is_being_submitted(batch: Batch) -> bool:
    """Whether another running process is just submitting it."""
    process = int(batch.name.split("-")[1])
    return process != os.getpid() and is_running(process) and time.time() - batch.since < LEASE
