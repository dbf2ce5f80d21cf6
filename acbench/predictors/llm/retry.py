"""One question at a time, asked until there is an answer or a reason to give up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from acbench._util import execution
from acbench.predictors.llm.budget import Budget
from acbench.predictors.llm.messages import ChatModel, Completion, LlmError, Question
from acbench.predictors.llm.rate_limit import BACKOFF, RateLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of asking, all attempts together."""

    answer: Completion | None = None
    error: LlmError | None = None
    sends: int
    cost: float
    """Dollars, upper bound."""


@dataclass(kw_only=True)
class Retrier:
    """Keeps to a pace and a budget, waits and asks again. To be shared by threads."""

    model: ChatModel
    budget: execution.Budget = field(default_factory=Budget)
    concurrency: int = 8
    """Calls at once, at most."""
    attempts: int = 5
    """Per question, at most."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = random.random
    rate_limit: RateLimit = field(init=False)
    _unreached: int = field(init=False, default=0)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.rate_limit = RateLimit(most=self.concurrency, clock=self.clock, sleep=self.sleep)

    def ask(
        self,
        question: Question,
        sending: Callable[[], None] = lambda: None,
        charged: Callable[[float], None] = lambda dollars: None,
    ) -> Outcome:
        """Ask; CallErrors are in the outcome.

        `sending` is told before each attempt, and may raise to stop. `charged` is told after each what it may have
        cost, also of one that ends with another exception.
        """
        estimate = self.model.price.of(self.model.tokens(question), question.max_tokens)
        cost, failures = 0.0, 0
        while True:
            if self._gone:
                reason = f"{self._unreached} questions in a row found no connection: not asked"
                return Outcome(error=LlmError("connection", reason), sends=failures, cost=cost)
            with self.rate_limit.slot() as started:
                amount = self.budget.reserve(estimate)
                if amount is None:
                    return Outcome(error=self.over_budget(estimate), sends=failures, cost=cost)
                spent = 0.0
                try:
                    sending()
                    spent = amount  # whatever happens from here on: it may be charged for
                    answer = self.model.ask(question)
                    spent = self.model.price.of(answer.tokens_in, answer.tokens_out)
                except LlmError as error:
                    failure, spent = error, amount if error.may_cost else 0.0
                else:
                    self.rate_limit.succeeded()
                    self._unreached = 0
                    return Outcome(answer=answer, sends=failures + 1, cost=cost + spent)
                finally:
                    self.budget.settle(amount, spent)
                    charged(spent)
                if failure.kind == "rate_limit":
                    self.rate_limit.throttled(started, failure.retry_after)
            cost += spent
            failures += 1
            if not failure.retryable or failures >= self.attempts:
                self._count_unreached(failure)
                return Outcome(error=failure, sends=failures, cost=cost)
            self.sleep(BACKOFF.seconds(failures, failure.retry_after, self.random))

    @property
    def _gone(self) -> bool:
        return self._unreached >= 2 * self.concurrency

    def _count_unreached(self, failure: LlmError) -> None:
        with self._lock:
            self._unreached = self._unreached + 1 if failure.kind == "connection" else 0

    def over_budget(self, estimate: float) -> LlmError:
        """Why a call of so many dollars is not made."""
        message = f"${self.budget.spent:,.4f} of ${self.budget.limit:,.4f} spent, this call may take ${estimate:,.4f}"
        return LlmError("budget", message, "raise --budget; what is answered is not paid again")
