"""Questions asked side by side; every answer is in the ledger before anybody sees it."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from acbench.errors import AcbenchError
from acbench.predictors.llm.cache import Call, CallLog, LedgerCallLog, OpenCallLog
from acbench.predictors.llm.messages import ChatModel, Completion, CostEstimate, LlmError, Question, Reply, call_id
from acbench.predictors.llm.retry import Retrier
from acbench.predictors.llm.vision_check import check_vision

Job = tuple[str, Question]
"""Call id and question."""
POLL = 0.5
"""Seconds between looks at a call that another process is making."""


class _Stopped(Exception):
    """Nobody waits for the answer any more."""


@dataclass(kw_only=True)
class LedgerClient:
    """Makes the calls of one run. See `acbench.predictors.llm.messages.Caller`."""

    retrier: Retrier
    """Holds the model, the budget and the pace."""
    ledger: Path | OpenCallLog
    """The ledger's file, or what opens a log of calls that is elsewhere."""
    retry_errors: bool = False
    """Ask again what ended in an error in an earlier run."""
    share: float = 1.0
    """Of the model's price that is to be paid."""
    check_vision: bool = True
    """See that the endpoint looks at pictures before the first question is sent."""
    once: Callable[[Callable[[], None]], None] = field(default=lambda prove: prove())
    """Has that seen to by one of those who share a budget. Returns when it has been seen."""

    def __post_init__(self) -> None:
        price = self.model.price
        if self.retrier.budget.limit is not None and not (price.tokens_in or price.tokens_out):
            raise AcbenchError(
                f"a budget cannot be kept without the prices of {self.model.name}",
                "--llm-price IN/OUT, in dollars per million tokens, or leave --budget out",
            )

    @property
    def model(self) -> ChatModel:
        """Who is asked."""
        return self.retrier.model

    def _prove(self) -> None:
        """See `check_vision`; once, and against the budget."""
        if self.check_vision:
            self.once(lambda: check_vision(self.model, self.retrier))
            self.check_vision = False

    def _open(self) -> AbstractContextManager[CallLog]:
        return LedgerCallLog(self.ledger) if isinstance(self.ledger, Path) else self.ledger()

    def estimate(self, questions: Iterable[Question]) -> CostEstimate:
        """What asking would take. Nothing is sent; equal questions count once."""
        seen: set[str] = set()
        cached = lost = tokens_in = tokens_out = 0
        with self._open() as log:
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
            cost=self.share * self.model.price.of(tokens_in, tokens_out),
            lost=lost,
        )

    def ask(self, questions: Iterable[tuple[str, Question]]) -> Iterator[tuple[str, Reply]]:
        """Every question by its name, in the order in which answers come; equal questions are sent once.

        Raises AcbenchError if the endpoint does not accept the key. Ended early, also by an interrupt, it sends
        nothing more; answers that still come in are kept while the process lives.
        """
        source = iter(questions)
        more = True
        names: dict[str, list[str]] = {}
        crew = _Crew(self._answer, self.retrier.concurrency, self._open)
        try:
            with self._open() as log:
                while more or names:
                    # Questions may be dear to make, so only a few are made ahead, and none while an answer waits.
                    while more and crew.done.empty() and len(names) < 2 * self.retrier.concurrency:
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
                            self._prove()
                            names[key] = [name]
                            crew.put((key, question))
                    if names:
                        asked = crew.get()
                        for number, name in enumerate(names.pop(asked.call_id)):
                            yield name, dataclasses.replace(asked, cached=asked.cached or number > 0)
        finally:
            crew.dismiss()

    def _kept(self, key: str, known: Call | None) -> Reply | None:
        """What an earlier run left, if nothing is to be sent for it."""
        if known and known.answer is not None:
            return Reply(call_id=key, answer=Completion(**json.loads(known.answer)), error="", cached=True)
        if known and known.error is not None and not self.retry_errors:
            return Reply(call_id=key, answer=None, error=known.error, cached=True)
        return None

    def _answer(self, job: Job, log: CallLog, owner: str, check: Callable[[], None]) -> Reply:
        key, question = job
        while not log.claim(key, self.model.name, owner, retry=self.retry_errors):
            known = log.call(key)
            if kept := self._kept(key, known):  # another process was faster
                return kept
            if known and known.in_batch:
                elsewhere = "server: a batch that was handed in before has it; --batch takes its answer"
                return Reply(call_id=key, answer=None, error=elsewhere, cached=True, unasked=True)
            self.retrier.sleep(POLL)
            check()

        def sending() -> None:
            check()
            log.record_send(key)

        charges: list[float] = []
        try:
            outcome = self.retrier.ask(question, sending, charges.append)
        except BaseException:
            log.release(key, cost=sum(charges))
            raise
        if outcome.answer is not None:
            log.settle(key, answer=json.dumps(dataclasses.asdict(outcome.answer)), cost=outcome.cost)
            return Reply(call_id=key, answer=outcome.answer, error="", cached=False)
        error = outcome.error or LlmError("server", "no answer")
        unasked = error.kind == "budget" or not outcome.sends
        if error.kind == "auth" or unasked:  # says nothing about this question
            log.release(key, cost=outcome.cost)
        else:
            log.settle(key, error=describe(error), cost=outcome.cost)
        if error.kind == "auth":
            raise error
        return Reply(call_id=key, answer=None, error=describe(error), cached=not outcome.sends, unasked=unasked)


def describe(error: LlmError) -> str:
    """One line for a row: the kind and the message."""
    return f"{error.kind}: {error.message}"


@dataclass
class _Crew:
    """Threads that work off jobs. They are daemons: a process that ends does not wait for an endpoint."""

    work: Callable[[Job, CallLog, str, Callable[[], None]], Reply]
    size: int
    open: OpenCallLog
    done: SimpleQueue[Reply | BaseException] = field(default_factory=SimpleQueue)
    _jobs: SimpleQueue[Job | None] = field(default_factory=SimpleQueue)
    _members: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _owner: str = field(default_factory=lambda: f"{os.getpid()}:{secrets.token_hex(4)}")

    def put(self, job: Job) -> None:
        """Have a job done."""
        self._jobs.put(job)
        if self._members < self.size:
            self._members += 1
            threading.Thread(target=self._serve, name=f"acbench call {self._members}", daemon=True).start()

    def get(self) -> Reply:
        """Wait for the next that is done. Raises what stopped a member."""
        result = self.done.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def dismiss(self) -> None:
        """Nothing more is sent."""
        self._stop.set()
        for _ in range(self._members):
            self._jobs.put(None)

    def _check(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _serve(self) -> None:
        try:
            with self.open() as log:
                while (job := self._jobs.get()) is not None:
                    self._check()
                    self.done.put(self.work(job, log, self._owner, self._check))
        except _Stopped:
            pass
        except BaseException as error:
            self.done.put(error)
