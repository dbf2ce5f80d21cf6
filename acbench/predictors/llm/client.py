"""Asks many questions side by side, and keeps every answer in the ledger before anybody uses it."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue

from acbench._util.execution import RunOnce, run_now
from acbench.errors import AcbenchError
from acbench.predictors.llm.cache import Call, CallLog, OpenCallLog
from acbench.predictors.llm.messages import ChatModel, Completion, CostEstimate, LlmError, Question, Reply, call_id
from acbench.predictors.llm.retry import Outcome, Retrier
from acbench.predictors.llm.vision_check import check_vision

POLL = 0.5
"""Seconds between looks at a call that another process makes."""


class _Stopped(Exception):
    """Nobody waits for the answer any more."""


@dataclass(kw_only=True)
class LedgerClient:
    """The LLM client of one run; implements `acbench.predictors.llm.messages.LlmClient`.

    Making one raises AcbenchError if there is a budget but the model's price is not known.
    """

    retrier: Retrier
    """Asks single questions; holds the model, the budget and the rate limit."""
    open_log: OpenCallLog
    """Opens the log of calls, once for each thread."""
    retry_errors: bool = False
    """Whether to ask again the questions that ended with an error in an earlier run."""
    price_share: float = 1.0
    """The share of the model's price that is charged."""
    check_vision: bool = True
    """Whether to check, before the first question is sent, that the endpoint sees pictures."""
    run_once: RunOnce = run_now
    """Runs that check in one of the workers that share a budget, and returns when it has passed."""
    say: Callable[[str], None] = lambda text: None
    """Tells the user something."""
    _vision_checked: bool = field(init=False, default=False)
    _said: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        price = self.model.price
        if self.retrier.budget.limit is not None and not (price.tokens_in or price.tokens_out):
            raise AcbenchError(
                f"a budget cannot be kept without the prices of {self.model.name}",
                "--llm-price IN/OUT, in dollars per million tokens, or leave --budget out",
            )

    @property
    def model(self) -> ChatModel:
        """The model that is asked."""
        return self.retrier.model

    def estimate(self, questions: Iterable[Question]) -> CostEstimate:
        """What asking would take. Sends nothing; equal questions count once."""
        seen: set[str] = set()
        cached = lost = tokens_in = tokens_out = 0
        with self.open_log() as log:
            for question in questions:
                key = call_id(self.model.name, question)
                if key in seen:
                    continue
                seen.add(key)
                known = log.call(key)
                if self._kept(key, known):
                    cached += 1
                    continue
                lost += known is not None and known.lost
                tokens_in += self.model.tokens(question)
                tokens_out += question.max_tokens
        return CostEstimate(
            calls=len(seen),
            cached=cached,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=self.price_share * self.model.price.of(tokens_in, tokens_out),
            lost=lost,
        )

    def ask(self, questions: Iterable[tuple[str, Question]]) -> Iterator[tuple[str, Reply]]:
        """Ask (name, question) pairs; gives (name, reply) pairs in the order in which replies come.

        Equal questions are sent once. Raises AcbenchError if the endpoint does not accept the key. If the iterator is
        closed early, also by an interrupt, nothing more is sent; answers that still arrive are kept while the process
        lives.
        """
        source = iter(questions)
        more = True
        names: dict[str, list[str]] = {}  # call id → the names that wait for its reply
        pool = _WorkerPool(self._answer, self.retrier.concurrency, self.open_log)
        try:
            with self.open_log() as log:
                while more or names:
                    # A question may be expensive to make: make few ahead, and none while a reply waits.
                    while more and pool.done.empty() and len(names) < 2 * self.retrier.concurrency:
                        name, question = next(source, (None, None))
                        if name is None or question is None:
                            more = False
                            break
                        key = call_id(self.model.name, question)
                        if key in names:
                            names[key].append(name)
                        elif kept := self._kept(key, log.call(key)):
                            yield name, kept
                        else:
                            self._check_vision_once()
                            names[key] = [name]
                            pool.put(_Job(key, question))
                    if names:
                        reply = pool.get()
                        yield from named(reply, names.pop(reply.call_id))
        finally:
            pool.stop()

    def note(self, text: str) -> None:
        """Tell the user something about the model; the same text only once in a run."""
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def _check_vision_once(self) -> None:
        if self.check_vision and not self._vision_checked:
            self.run_once(lambda: check_vision(self.model, self.retrier))
            self._vision_checked = True

    def _kept(self, key: str, known: Call | None) -> Reply | None:
        """The reply that an earlier run left, if this run sends nothing for the call."""
        if known and known.answer is not None:
            return Reply(call_id=key, answer=Completion(**json.loads(known.answer)), error="", cached=True)
        if known and known.error is not None and not self.retry_errors:
            return Reply(call_id=key, answer=None, error=known.error, cached=True)
        return None

    def _answer(self, job: _Job, log: CallLog, owner: str, check: Callable[[], None]) -> Reply:
        """The reply to one question, in a worker thread. `check` raises when nobody waits for it any more."""
        while not log.claim(job.call_id, self.model.name, owner, retry=self.retry_errors):
            known = log.call(job.call_id)
            if kept := self._kept(job.call_id, known):  # another process was faster
                return kept
            if known and known.in_batch:
                error = "server: a batch that was handed in before has it; --batch takes its answer"
                return Reply(call_id=job.call_id, answer=None, error=error, cached=True, unasked=True)
            self.retrier.sleep(POLL)
            check()

        def on_send() -> None:
            check()
            log.record_send(job.call_id)

        charges: list[float] = []
        try:
            outcome = self.retrier.ask(job.question, on_send, charges.append)
        except BaseException:
            log.release(job.call_id, cost=sum(charges))
            raise
        return self._settle(job.call_id, outcome, log)

    def _settle(self, key: str, outcome: Outcome, log: CallLog) -> Reply:
        """Keep what came of a call. Raises LlmError if the endpoint does not accept the key."""
        if outcome.answer is not None:
            log.settle(key, answer=json.dumps(dataclasses.asdict(outcome.answer)), cost=outcome.cost)
            return Reply(call_id=key, answer=outcome.answer, error="", cached=False)
        error = outcome.error or LlmError("server", "no answer")
        unasked = error.kind == "budget" or not outcome.sends
        if error.kind == "auth" or unasked:  # the error says nothing about this question
            log.release(key, cost=outcome.cost)
        else:
            log.settle(key, error=describe(error), cost=outcome.cost)
        if error.kind == "auth":
            raise error
        return Reply(call_id=key, answer=None, error=describe(error), cached=not outcome.sends, unasked=unasked)


def named(reply: Reply, names: Iterable[str]) -> Iterator[tuple[str, Reply]]:
    """One reply for all names that wait for it. For the second and later ones nothing was sent."""
    for number, name in enumerate(names):
        yield name, dataclasses.replace(reply, cached=reply.cached or number > 0)


def describe(error: LlmError) -> str:
    """The kind and the message of an error, as the ledger and the tables hold it."""
    return f"{error.kind}: {error.message}"


@dataclass(frozen=True, slots=True)
class _Job:
    """One question to ask."""

    call_id: str
    question: Question


@dataclass
class _WorkerPool:
    """Threads that ask questions. They are daemons, so that the process can end while an endpoint does not answer."""

    work: Callable[[_Job, CallLog, str, Callable[[], None]], Reply]
    """Does a job, given the thread's log, the owner's name for the log, and a check that raises when it should stop."""
    size: int
    """Threads, at most."""
    open_log: OpenCallLog
    done: SimpleQueue[Reply | BaseException] = field(default_factory=SimpleQueue)
    _jobs: SimpleQueue[_Job | None] = field(default_factory=SimpleQueue)
    _threads: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _owner: str = field(default_factory=lambda: f"{os.getpid()}:{secrets.token_hex(4)}")

    def put(self, job: _Job) -> None:
        """Have a job done by the next free thread."""
        self._jobs.put(job)
        if self._threads < self.size:
            self._threads += 1
            threading.Thread(target=self._run, name=f"acbench call {self._threads}", daemon=True).start()

    def get(self) -> Reply:
        """Wait for the next reply. Raises the exception that ended a thread."""
        result = self.done.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()
        for _ in range(self._threads):
            self._jobs.put(None)

    def _check(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _run(self) -> None:
        try:
            with self.open_log() as log:
                while (job := self._jobs.get()) is not None:
                    self._check()
                    self.done.put(self.work(job, log, self._owner, self._check))
        except _Stopped:
            pass
        except BaseException as error:
            self.done.put(error)
