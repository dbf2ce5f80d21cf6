"""Asks one question until there is an answer or a reason to give up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from acbench._util.execution import SharedBudget
from acbench.predictors.llm.budget import Budget
from acbench.predictors.llm.messages import ChatModel, Completion, LlmError, Price, Question
from acbench.predictors.llm.rate_limit import BACKOFF, RateLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of all attempts at one question: an answer, or the last error."""

    answer: Completion | None = None
    error: LlmError | None = None
    sends: int
    """How often it was sent."""
    cost: float
    """Dollars, upper bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """The result of one attempt."""

    answer: Completion | None = None
    error: LlmError | None = None
    cost: float
    sent: bool = True


@dataclass(kw_only=True)
class Retrier:
    """Asks a model within a rate limit and a budget, and again after errors that may pass. Threads may share it."""

    model: ChatModel
    budget: SharedBudget = field(default_factory=Budget)
    concurrency: int = 8
    """Calls at once, at most."""
    attempts: int = 5
    """Attempts at one question, at most."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = random.random
    rate_limit: RateLimit = field(init=False)
    stopped: LlmError | None = field(init=False, default=None)
    """Why nothing is asked any more; None while questions are asked."""
    _unreached: int = field(init=False, default=0)
    """How many questions in a row found no connection."""
    _cost_is_known: bool = field(init=False, default=False)
    """Whether a real question has shown what calls cost."""
    _alone: threading.Lock = field(init=False, default_factory=threading.Lock, repr=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.rate_limit = RateLimit(most=self.concurrency, clock=self.clock, sleep=self.sleep)

    def ask(
        self,
        question: Question,
        on_send: Callable[[], None] = lambda: None,
        on_charge: Callable[[float], None] = lambda dollars: None,
    ) -> Outcome:
        """Ask a question. An LlmError does not raise: it is in the outcome.

        `on_send` is called before each attempt, and may raise to stop. `on_charge` is called after each attempt with
        the dollars that it may have cost, also if the attempt ends with another exception.
        """
        cost, failures = 0.0, 0
        while True:
            if self._endpoint_is_gone:
                reason = f"{self._unreached} questions in a row found no connection: not asked"
                return Outcome(error=LlmError("connection", reason), sends=failures, cost=cost)
            if self.stopped:
                return Outcome(error=self.stopped, sends=failures, cost=cost)
            with self._one_at_a_time(), self.rate_limit.slot() as started:
                attempt = self._attempt(question, on_send, on_charge)
                if attempt.error and attempt.error.kind == "rate_limit":
                    self.rate_limit.throttled(started, attempt.error.retry_after)
            cost += attempt.cost
            if attempt.error is None:
                return Outcome(answer=attempt.answer, sends=failures + 1, cost=cost)
            if not attempt.sent:
                return Outcome(error=attempt.error, sends=failures, cost=cost)
            failures += 1
            if attempt.error.again and failures < self.attempts:
                continue
            if not attempt.error.retryable or failures >= self.attempts:
                self._count_unreached(attempt.error)
                return Outcome(error=attempt.error, sends=failures, cost=cost)
            self.sleep(BACKOFF.seconds(failures, attempt.error.retry_after, self.random))

    def _attempt(
        self,
        question: Question,
        on_send: Callable[[], None],
        on_charge: Callable[[float], None],
    ) -> _Attempt:
        """Ask once, if the budget allows it."""
        estimate = self.estimate(question)
        amount = self.budget.reserve(estimate)
        if amount is None:
            return _Attempt(error=self.over_budget(estimate), cost=0.0, sent=False)
        spent = 0.0
        try:
            on_send()
            spent = amount  # from here on it may be charged, whatever happens
            answer = self.model.ask(question)
            spent = bill(answer, self.model.price)
            self._cost_is_known = self._cost_is_known or not question.is_trial
        except LlmError as error:
            spent = bill_of_error(error, self.model.price, amount)
            return _Attempt(error=error, cost=spent)
        finally:
            self.budget.settle(amount, spent)
            on_charge(spent)
        self.rate_limit.succeeded()
        self._unreached = 0
        return _Attempt(answer=answer, cost=spent)

    def estimate(self, question: Question) -> float:
        """The dollars of one attempt, upper bound."""
        return self.model.price.of(self.model.tokens(question), self.model.limit(question))

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Let only one call start until a real question has shown what calls cost, if there is a budget to keep."""
        if self.budget.limit is None or self._cost_is_known:
            yield
            return
        self._alone.acquire()
        if self._cost_is_known:
            self._alone.release()
            yield
            return
        try:
            yield
        finally:
            self._alone.release()

    @property
    def _endpoint_is_gone(self) -> bool:
        return self._unreached >= 2 * self.concurrency

    def _count_unreached(self, error: LlmError) -> None:
        with self._lock:
            self._unreached = self._unreached + 1 if error.kind == "connection" else 0

    def over_budget(self, estimate: float) -> LlmError:
        """The error of a call that is not made, as it may cost `estimate` dollars."""
        message = f"${self.budget.spent:,.4f} of ${self.budget.limit:,.4f} spent, this call may take ${estimate:,.4f}"
        return LlmError("budget", message, "raise --budget; what is answered is not paid again")


def bill(answer: Completion, price: Price) -> float:
    """The dollars that an answer cost: what the endpoint says, or else its tokens at their price."""
    if answer.dollars is not None:
        return answer.dollars
    return price.of(answer.tokens_in, answer.tokens_out, answer.tokens_cached)


def bill_of_error(error: LlmError, price: Price, reserved: float) -> float:
    """The dollars that a call without an answer cost, upper bound. `reserved`: the estimate of the whole call."""
    usage = error.usage
    if usage.dollars is not None:
        return usage.dollars
    if usage.tokens_in is not None or usage.tokens_out is not None:
        return price.of(usage.tokens_in or 0, usage.tokens_out or 0, usage.tokens_cached)
    return reserved if error.may_cost else 0.0
