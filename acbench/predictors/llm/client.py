"""Asks many questions side by side, and keeps every answer in the ledger before anybody uses it."""

from __future__ import annotations

import dataclasses
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue

from acbench._util.execution import RunOnce, run_now
from acbench._util.waiting import received
from acbench.errors import AcbenchError
from acbench.predictors.llm.cache import Call, CallLog, OpenCallLog
from acbench.predictors.llm.messages import ChatModel, Completion, CostEstimate, LlmError, Question, Reply, call_id
from acbench.predictors.llm.refusals import ENOUGH, Refusals, are_equal
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
    _answered: bool = field(init=False, default=False)
    """Whether this run has got an answer."""
    _dialect: str = field(init=False, default="")
    """How the model has to be asked, as the ledger knows it."""
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
            self._recall_dialect(log)
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
                tokens_out += self.model.limit(question)
        return CostEstimate(
            calls=len(seen),
            cached=cached,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=self.price_share * self.model.price.of(tokens_in, tokens_out),
            lost=lost,
            first=not self.model.dialect,
        )

    def ask(self, questions: Iterable[tuple[str, Question]]) -> Iterator[tuple[str, Reply]]:
        """Ask (name, question) pairs; gives (name, reply) pairs in the order in which replies come.

        Equal questions are sent once. Where the endpoint refuses many questions alike, or stops to serve the account,
        no more are sent, and these and all others are `unasked`. Raises AcbenchError if it does so from the start. If
        the iterator is closed early, also by an interrupt, nothing more is sent; answers that still arrive are kept
        while the process lives.
        """
        source = iter(questions)
        more = True
        refusals = Refusals()
        names: dict[str, list[str]] = {}  # call id → the names that wait for its reply
        pool = _WorkerPool(self._answer, self.retrier.concurrency, self.open_log)
        try:
            with self.open_log() as log:
                self._recall_dialect(log)
                while more or len(names) > len(refusals.held):
                    # A question may be expensive to make: make few ahead, and none while a reply waits.
                    while more and pool.done.empty() and len(names) - len(refusals.held) < 2 * self.retrier.concurrency:
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
                            pool.put(Job(key, question))
                    if len(names) > len(refusals.held):
                        for reply in self._sorted(refusals, pool.get(), log):
                            yield from named(reply, names.pop(reply.call_id))
                for reply in self._last(refusals, log):
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
            self.run_once(lambda: check_vision(self.model, self._ask_on_record))
            self._vision_checked = True

    def _ask_on_record(self, question: Question) -> Outcome:
        """Ask a question whose answer is not used again; the ledger has it for the bill."""
        owner = f"{os.getpid()}:{secrets.token_hex(4)}"
        key = call_id(f"{self.model.name} for {owner}", question)
        with self.open_log() as log:
            log.claim(key, self.model.name, owner)
            outcome = self.retrier.ask(question, lambda: log.record_send(key))
            answer = outcome.answer.to_json() if outcome.answer else None
            log.settle(key, answer=answer, error=describe(outcome.error) if outcome.error else None, cost=outcome.cost)
        return outcome

    def _recall_dialect(self, log: CallLog) -> None:
        if not self._dialect:
            self._dialect = log.dialect(self.model.name)
            self.model.use_dialect(self._dialect)

    def _keep_dialect(self, log: CallLog) -> None:
        if (dialect := self.model.dialect) != self._dialect:
            log.keep_dialect(self.model.name, dialect)
            self._dialect = dialect

    # Refusals

    def _sorted(self, refusals: Refusals, reply: Reply, log: CallLog) -> list[Reply]:
        """The replies that are clear after one more; stops asking if too many were refused alike."""
        if reply.answer is not None and reply.answer.warning:
            self.note(f"{self.model.name}: {reply.answer.warning}")
        replies = refusals.take(reply)
        if len(refusals.held) >= ENOUGH:
            replies += self._stop(refusals.clear(), log)
        if any(each.unasked for each in replies) and self.retrier.stopped:
            self.note(f"{self.model.name}: no more is asked. {self.retrier.stopped}")
        return replies

    def _last(self, refusals: Refusals, log: CallLog) -> list[Reply]:
        """What is held at the end of all questions."""
        held = refusals.clear()
        if held and (self.retrier.stopped or (not self._answered and are_equal(held))):
            return self._stop(held, log)
        return held

    def _stop(self, refused: list[Reply], log: CallLog) -> list[Reply]:
        """Ask nothing more after equal refusals, and have the next run ask these questions again."""
        if not self.retrier.stopped:
            why = f"{len(refused)} questions in a row were refused alike: {refused[-1].error}"
            hint = "once the endpoint is put right, run again: these questions are asked anew"
            self.retrier.stopped = LlmError("refused", why, hint)
        log.reopen([reply.call_id for reply in refused])
        self.note(f"{self.model.name}: no more is asked. {self.retrier.stopped}")
        return [dataclasses.replace(reply, unasked=True) for reply in refused]

    def _kept(self, key: str, known: Call | None) -> Reply | None:
        """The reply that an earlier run left, if this run sends nothing for the call."""
        if known and known.answer is not None:
            return Reply(call_id=key, answer=Completion.from_json(known.answer, key), error="", cached=True)
        if known and known.error is not None and not self.retry_errors:
            return Reply(call_id=key, answer=None, error=known.error, cached=True)
        return None

    def _answer(self, job: Job, log: CallLog, owner: str, check: Callable[[], None]) -> Reply:
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
        """Keep what came of a call. Raises LlmError if the endpoint has not served the account from the start."""
        if outcome.answer is not None:
            self._answered = True
            self._keep_dialect(log)
            log.settle(key, answer=outcome.answer.to_json(), cost=outcome.cost)
            return Reply(call_id=key, answer=outcome.answer, error="", cached=False)
        error = outcome.error or LlmError("server", "no answer")
        unasked = error.kind == "budget" or not outcome.sends or error.is_about_account
        if unasked:  # the error says nothing about this question
            log.release(key, cost=outcome.cost)
        else:
            log.settle(key, error=describe(error), cost=outcome.cost)
        if error.is_about_account:
            self.retrier.stopped = error
            if not self._answered:
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
class Job:
    """One question to ask."""

    call_id: str
    question: Question


@dataclass
class _WorkerPool:
    """Threads that ask questions. They are daemons, so that the process can end while an endpoint does not answer."""

    work: Callable[[Job, CallLog, str, Callable[[], None]], Reply]
    """Does a job, given the thread's log, the owner's name for the log, and a check that raises when it should stop."""
    size: int
    """Threads, at most."""
    open_log: OpenCallLog
    done: SimpleQueue[Reply | BaseException] = field(default_factory=SimpleQueue)
    _jobs: SimpleQueue[Job | None] = field(default_factory=SimpleQueue)
    _threads: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _owner: str = field(default_factory=lambda: f"{os.getpid()}:{secrets.token_hex(4)}")

    def put(self, job: Job) -> None:
        """Have a job done by the next free thread."""
        self._jobs.put(job)
        if self._threads < self.size:
            self._threads += 1
            threading.Thread(target=self._run, name=f"acbench call {self._threads}", daemon=True).start()

    def get(self) -> Reply:
        """Wait for the next reply. Raises the exception that ended a thread."""
        result = received(self.done)
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
