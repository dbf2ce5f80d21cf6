"""Calls: paced, within the budget, kept before they are used, and never paid twice."""

from __future__ import annotations

import _thread
import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest

from acbench.errors import AcbenchError
from acbench.predictors.llm import Budget, LedgerClient, Retrier, check_vision
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.predictors.llm.messages import Completion, LlmError, Picture, Price, Question, Usage, call_id
from acbench.predictors.llm.rate_limit import BACKOFF, LONGEST_WAIT, RateLimit
from acbench.testing.endpoint import PRICE_IN, PRICE_OUT

PRICE = Price(tokens_in=PRICE_IN, tokens_out=PRICE_OUT)
QUESTION = Question(
    system="s", parts=("text", Picture(data=b"bytes", media_type="image/png")), schema={"type": "object"}
)
SECRET = "sk-test-5ecret"


def questions(count: int) -> list[tuple[str, Question]]:
    return [(f"item-{n}", replace(QUESTION, parts=(f"question {n}",))) for n in range(count)]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            self.slept.append(seconds)
        time.sleep(0)


@dataclass
class Scripted:
    """A model whose answers are a function of the question's number of attempts so far."""

    script: Callable[[str, int], str] = lambda text, attempt: "fine"
    name: str = "scripted@00000000"
    price: Price = PRICE
    estimate: int = 1_000
    used: int = 500
    seen: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    dialect: str = ""

    def tokens(self, question: Question) -> int:
        return self.estimate

    def limit(self, question: Question) -> int:
        return question.max_tokens

    def use_dialect(self, dialect: str) -> None:
        self.dialect = dialect

    def ask(self, question: Question) -> Completion:
        text = "".join(part for part in question.parts if isinstance(part, str))
        with self.lock:
            attempt = self.seen[text]
            self.seen[text] += 1
        said = self.script(text, attempt)
        return Completion(text=said, model="m", finish="stop", tokens_in=self.used, tokens_out=10, seconds=0.1)


def fails(*errors: LlmError) -> Callable[[str, int], str]:
    """Raises these in order, then answers."""

    def script(text: str, attempt: int) -> str:
        if attempt < len(errors):
            raise errors[attempt]
        return "fine"

    return script


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def llm_client(tmp_path: Path, clock: Clock) -> Callable[..., LedgerClient]:
    def make(
        model: Scripted, *, limit: float | None = None, retry_errors: bool = False, **options: int
    ) -> LedgerClient:
        retrier = Retrier(
            model=model, budget=Budget(limit=limit), clock=clock, sleep=clock.sleep, random=lambda: 1.0, **options
        )  # type: ignore[arg-type]
        open_log = partial(LedgerCallLog, tmp_path / "ledger.sqlite")
        return LedgerClient(retrier=retrier, open_log=open_log, retry_errors=retry_errors, check_vision=False)

    return make


class TestIds:
    def test_the_whole_question_counts(self) -> None:
        other = Picture(data=b"other", media_type="image/png")
        changed = [
            replace(QUESTION, system="S"),
            replace(QUESTION, parts=QUESTION.parts[::-1]),
            replace(QUESTION, parts=("text", other)),
            replace(QUESTION, parts=("text", replace(other, data=b"bytes", media_type="image/jpeg"))),
            replace(QUESTION, parts=("te", "xt", QUESTION.parts[1])),
            replace(QUESTION, schema={"type": "array"}),
            replace(QUESTION, max_tokens=401),
        ]
        ids = {call_id("m", question) for question in [QUESTION, *changed]} | {call_id("n", QUESTION)}
        assert len(ids) == len(changed) + 2

    def test_it_is_the_same_tomorrow(self) -> None:
        same = replace(QUESTION, schema=MappingProxyType(dict(QUESTION.schema)))
        assert call_id("m", same) == call_id("m", QUESTION) == "027e7c41b2e5dee33e949f943ff5c00c"


class TestPace:
    def test_it_halves_once_for_calls_that_were_under_way_together(self, clock: Clock) -> None:
        rate_limit = RateLimit(most=16, clock=clock, sleep=clock.sleep)
        for _ in range(8):
            rate_limit.throttled(0.0, None)
        assert rate_limit.limit == 8
        clock.now = 1.0
        rate_limit.throttled(0.5, None)
        assert rate_limit.limit == 4

    def test_it_grows_back_by_one_a_round_and_never_beyond(self, clock: Clock) -> None:
        rate_limit = RateLimit(most=8, clock=clock, sleep=clock.sleep)
        rate_limit.throttled(0.0, None)
        for _ in range(5):
            rate_limit.succeeded()
        assert 4.9 < rate_limit.limit < 5.2
        for _ in range(100):
            rate_limit.succeeded()
        assert rate_limit.limit == 8

    def test_it_never_falls_below_one(self, clock: Clock) -> None:
        rate_limit = RateLimit(most=4, clock=clock, sleep=clock.sleep)
        for second in range(1, 10):
            clock.now = second
            rate_limit.throttled(second, None)
        assert rate_limit.limit == 1
        with rate_limit.slot():
            pass

    @pytest.mark.parametrize(("asked", "waited"), [(7.0, 7.0), (0.0, 0.0), (1e9, LONGEST_WAIT)])
    def test_nobody_starts_before_the_time_asked_for(self, clock: Clock, asked: float, waited: float) -> None:
        rate_limit = RateLimit(most=4, clock=clock, sleep=clock.sleep)
        rate_limit.throttled(0.0, asked)
        with rate_limit.slot() as started:
            assert started == waited

    def test_backoff_doubles_spreads_and_is_bounded(self) -> None:
        assert [BACKOFF.seconds(failures, None, lambda: 1.0) for failures in (1, 2, 3, 4)] == [1, 2, 4, 8]
        assert BACKOFF.seconds(3, None, lambda: 0.0) == 2
        assert BACKOFF.seconds(5000, None, lambda: 1.0) == 60
        assert BACKOFF.seconds(1, 30.0, lambda: 1.0) == 30
        assert BACKOFF.seconds(1, 1e9, lambda: 1.0) == LONGEST_WAIT


class TestBudget:
    def test_what_is_set_aside_comes_back(self) -> None:
        budget = Budget(limit=10)
        amount = budget.reserve(6)
        assert amount == 6
        assert budget.reserve(6, wait=False) is None
        budget.settle(amount, 1)
        assert budget.spent == 1
        assert budget.reserve(9) == 9

    def test_it_waits_for_what_may_come_back(self) -> None:
        budget = Budget(limit=10)
        first = budget.reserve(8)
        assert first is not None
        threading.Timer(0.05, budget.settle, (first, 1)).start()
        assert budget.reserve(8) == 8

    def test_an_estimate_that_was_too_low_corrects_the_next(self) -> None:
        budget = Budget(limit=100)
        amount = budget.reserve(1)
        assert amount is not None
        budget.settle(amount, 3)
        assert budget.reserve(1) == 3

    def test_several_that_were_too_low_at_once_correct_it_no_more_than_one(self) -> None:
        budget = Budget(limit=100)
        amounts = [budget.reserve(1) for _ in range(8)]
        for amount in amounts:
            assert amount is not None
            budget.settle(amount, 2)
        assert budget.reserve(1) == 2

    def test_what_is_under_way_counts_as_dear_as_what_was_seen(self) -> None:
        budget = Budget(limit=10)
        first, second = budget.reserve(1), budget.reserve(1)
        assert first == second == 1
        budget.settle(1, 3)
        assert budget.reserve(2, wait=False) is None, "3 are spent, 3 are under way, and it may take 6"
        assert budget.reserve(1) == 3

    def test_it_holds_for_many_at_once(self) -> None:
        budget = Budget(limit=1.0)
        worst = []

        def work(seed: int) -> None:
            chance = random.Random(seed)
            while (amount := budget.reserve(0.05)) is not None:
                time.sleep(chance.random() / 1e3)
                budget.settle(amount, chance.random() * amount)
                worst.append(budget.spent)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 0.9 < max(worst) <= 1.0

    def test_it_needs_prices(self, llm_client: Callable[..., LedgerClient]) -> None:
        with pytest.raises(AcbenchError, match="prices of scripted"):
            llm_client(Scripted(price=Price()), limit=1.0)


class TestDialer:
    def test_it_asks_again_and_waits_longer_each_time(self, clock: Clock) -> None:
        model = Scripted(fails(LlmError("server", "a"), LlmError("timeout", "b"), LlmError("connection", "c")))
        outcome = Retrier(model=model, clock=clock, sleep=clock.sleep, random=lambda: 1.0).ask(QUESTION)
        assert outcome.answer
        assert outcome.sends == 4
        assert clock.slept == [1, 2, 4]

    def test_it_gives_up(self, clock: Clock) -> None:
        model = Scripted(fails(*[LlmError("server", f"no {n}") for n in range(9)]))
        outcome = Retrier(model=model, attempts=3, clock=clock, sleep=clock.sleep).ask(QUESTION)
        assert outcome.error
        assert outcome.error.message == "no 2"
        assert outcome.sends == 3

    @pytest.mark.parametrize("kind", ["refused", "auth"])
    def test_what_cannot_help_is_not_repeated(self, clock: Clock, kind: str) -> None:
        outcome = Retrier(model=Scripted(fails(LlmError(kind, "no"))), clock=clock, sleep=clock.sleep).ask(QUESTION)  # type: ignore[arg-type]
        assert outcome.sends == 1

    def test_what_was_asked_wrongly_is_asked_again_at_once_and_paid(self, clock: Clock) -> None:
        cut = LlmError("length", "cut", may_cost=True, usage=Usage(tokens_in=500, tokens_out=400), again=True)
        outcome = Retrier(model=Scripted(fails(cut)), clock=clock, sleep=clock.sleep).ask(QUESTION)
        assert outcome.answer and outcome.sends == 2 and not clock.slept
        assert outcome.cost == pytest.approx(PRICE.of(500, 400) + PRICE.of(500, 10))

    def test_the_bill_follows_what_the_body_tells(self, clock: Clock) -> None:
        told = LlmError("server", "broke off", may_cost=True, usage=Usage(dollars=0.002))
        outcome = Retrier(model=Scripted(fails(told)), clock=clock, sleep=clock.sleep).ask(QUESTION)
        assert outcome.cost == pytest.approx(0.002 + PRICE.of(500, 10))

    def test_nothing_is_asked_once_it_has_stopped(self, clock: Clock) -> None:
        retrier = Retrier(model=Scripted(), clock=clock, sleep=clock.sleep)
        retrier.stopped = LlmError("account", "no credit")
        outcome = retrier.ask(QUESTION)
        assert (outcome.sends, outcome.cost) == (0, 0) and outcome.error and outcome.error.kind == "account"

    def test_cached_tokens_have_a_price_of_their_own(self) -> None:
        assert Price(2, 8).of(1_000, 100, 900) == Price(2, 8).of(1_000, 100)
        assert Price(2, 8, 0.5).of(1_000, 100, 900) == pytest.approx((100 * 2 + 900 * 0.5 + 100 * 8) / 1e6)

    def test_retry_after_holds_everybody_back(self, clock: Clock) -> None:
        model = Scripted(fails(LlmError("rate_limit", "slow down", retry_after=20)))
        retrier = Retrier(model=model, clock=clock, sleep=clock.sleep)
        assert retrier.ask(QUESTION).answer
        assert clock.now >= 20
        assert retrier.rate_limit.limit < retrier.concurrency

    def test_an_answer_that_never_came_counts_as_paid(self, clock: Clock) -> None:
        model = Scripted(fails(LlmError("timeout", "late", may_cost=True)))
        retrier = Retrier(model=model, clock=clock, sleep=clock.sleep)
        outcome = retrier.ask(QUESTION)
        estimate, used = PRICE.of(1_000, 400), PRICE.of(500, 10)
        assert outcome.cost == retrier.budget.spent == pytest.approx(estimate + used)

    def test_a_server_that_is_gone_is_not_asked_for_ever(self, clock: Clock) -> None:
        model = Scripted(fails(*[LlmError("connection", "nobody there")] * 99))
        retrier = Retrier(model=model, concurrency=2, attempts=2, clock=clock, sleep=clock.sleep)
        outcomes = [retrier.ask(replace(QUESTION, system=f"{n}")) for n in range(10)]
        assert [outcome.sends for outcome in outcomes] == [2, 2, 2, 2, 0, 0, 0, 0, 0, 0]


class TestAsking:
    def test_every_question_is_answered_under_its_name(self, llm_client: Callable[..., LedgerClient]) -> None:
        model = Scripted(lambda text, attempt: text)
        asked = dict(llm_client(model).ask(questions(50)))
        assert {name: each.answer and each.answer.text for name, each in asked.items()} == {
            f"item-{n}": f"question {n}" for n in range(50)
        }

    def test_equal_questions_are_sent_once(self, llm_client: Callable[..., LedgerClient]) -> None:
        model = Scripted()
        asked = list(llm_client(model).ask([(f"name {n}", QUESTION) for n in range(20)]))
        assert sorted(name for name, _ in asked) == sorted(f"name {n}" for n in range(20))
        assert model.seen.total() == 1
        assert [each.cached for _, each in asked].count(False) == 1

    def test_an_answer_is_kept_before_it_is_seen(self, llm_client: Callable[..., LedgerClient], tmp_path: Path) -> None:
        maker = llm_client(Scripted())
        for _, asked in maker.ask(questions(10)):
            with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
                (answer,) = db.execute("SELECT answer FROM calls WHERE call_id = ?", (asked.call_id,)).fetchone()
            db.close()
            assert json.loads(answer)["text"] == "fine"

    def test_an_attempt_is_noted_before_it_is_made(
        self, llm_client: Callable[..., LedgerClient], tmp_path: Path
    ) -> None:
        noted = []

        def script(text: str, attempt: int) -> str:
            with LedgerCallLog(tmp_path / "ledger.sqlite") as log:
                known = log.call(key)
            noted.append(known and known.sends)
            if attempt == 0:
                raise LlmError("server", "again")
            return "fine"

        model = Scripted(script)
        key = call_id(model.name, QUESTION)
        assert list(llm_client(model).ask([("a", QUESTION)]))
        assert noted == [1, 2]

    def test_a_second_run_sends_nothing(self, llm_client: Callable[..., LedgerClient]) -> None:
        first = dict(llm_client(Scripted()).ask(questions(30)))
        model = Scripted()
        again = dict(llm_client(model).ask(questions(30)))
        assert not model.seen
        assert all(each.cached for each in again.values())
        assert {name: each.answer for name, each in first.items()} == {
            name: each.answer for name, each in again.items()
        }

    def test_another_model_is_another_call(self, llm_client: Callable[..., LedgerClient]) -> None:
        list(llm_client(Scripted()).ask(questions(3)))
        other = Scripted(name="other@11111111")
        assert not any(each.cached for _, each in llm_client(other).ask(questions(3)))

    def test_errors_are_kept_and_asked_again_only_on_demand(self, llm_client: Callable[..., LedgerClient]) -> None:
        broken = Scripted(fails(LlmError("refused", "no such thing")))
        ((_, asked),) = llm_client(broken).ask([("a", QUESTION)])
        assert (asked.answer, asked.error, asked.cached) == (None, "refused: no such thing", False)
        ((_, asked),) = llm_client(broken).ask([("a", QUESTION)])
        assert (asked.error, asked.cached) == ("refused: no such thing", True)
        ((_, asked),) = llm_client(broken, retry_errors=True).ask([("a", QUESTION)])
        assert asked.answer
        ((_, asked),) = llm_client(broken).ask([("a", QUESTION)])
        assert asked.answer

    def test_what_the_budget_leaves_unasked_is_no_error_row(self, llm_client: Callable[..., LedgerClient]) -> None:
        each = PRICE.of(500, 10)
        model = Scripted()
        asked = [each for _, each in llm_client(model, limit=10 * each).ask(questions(30))]
        left = [each for each in asked if each.answer is None]
        assert left
        assert all(each.error.startswith("budget: ") for each in left)
        assert model.seen.total() + len(left) == 30
        assert all(each.answer for _, each in llm_client(Scripted()).ask(questions(30)))

    @pytest.mark.parametrize("seed", range(20))
    def test_the_budget_holds(self, llm_client: Callable[..., LedgerClient], seed: int) -> None:
        chance = random.Random(seed)
        charged = []

        def script(text: str, attempt: int) -> str:
            if chance.random() < 0.2:
                raise LlmError("server", "free of charge")
            charged.append(PRICE.of(500, 10))
            if chance.random() < 0.2:
                raise LlmError("timeout", "but charged", may_cost=True)
            return "fine"

        limit = chance.uniform(0.002, 0.1)
        maker = llm_client(Scripted(script), limit=limit)
        assert len(list(maker.ask(questions(60)))) == 60
        assert sum(charged) <= maker.retrier.budget.spent + 1e-12 <= limit + 2e-12

    def test_a_key_that_is_not_accepted_ends_it_at_once(self, llm_client: Callable[..., LedgerClient]) -> None:
        model = Scripted(fails(*[LlmError("auth", "OPENAI_API_KEY is not accepted")] * 99))
        with pytest.raises(AcbenchError, match="OPENAI_API_KEY"):
            list(llm_client(model).ask(questions(1_000)))
        assert model.seen.total() <= 2 * 8
        assert all(each.answer for _, each in llm_client(Scripted()).ask(questions(20)))

    def test_a_bill_counts_what_is_not_there(self, llm_client: Callable[..., LedgerClient]) -> None:
        list(llm_client(Scripted()).ask(questions(4)))
        estimate = llm_client(Scripted()).estimate([question for _, question in [*questions(10), *questions(10)]])
        assert (estimate.calls, estimate.cached, estimate.lost) == (10, 4, 0)
        assert (estimate.tokens_in, estimate.tokens_out) == (6_000, 2_400)
        assert estimate.cost == PRICE.of(6_000, 2_400)

    def test_questions_are_drawn_as_they_are_needed(self, llm_client: Callable[..., LedgerClient]) -> None:
        drawn = []

        def source() -> Iterator[tuple[str, Question]]:
            for each in questions(1_000):
                drawn.append(each[0])
                yield each

        answers = llm_client(Scripted(), concurrency=4).ask(source())
        next(answers)
        assert len(drawn) <= 9
        answers.close()  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        "interrupt", [partial(os.kill, os.getpid(), signal.SIGINT), _thread.interrupt_main], ids=["waits", "begins"]
    )
    def test_an_interrupt_stops_at_once_and_keeps_what_is_done(
        self, llm_client: Callable[..., LedgerClient], interrupt: Callable[[], None]
    ) -> None:
        """While an answer is waited for, and, which wakes nobody up, as the wait begins."""
        release, late = threading.Event(), list[str]()

        def script(text: str, attempt: int) -> str:
            if int(text.split()[1]) >= 10:
                release.wait(120)
                late.append(text)
            return "fine"

        model = Scripted(script)
        answers = llm_client(model).ask(questions(1_000))
        for _ in range(10):
            next(answers)
        with pytest.raises(KeyboardInterrupt):
            threading.Timer(0.5, interrupt).start()
            next(answers)
        assert not late, "it does not wait for those that are under way"
        asked = model.seen.total()
        release.set()
        second = Scripted()
        assert len(list(llm_client(second).ask(questions(30)))) == 30
        assert model.seen.total() == asked
        assert second.seen.total() == 30 - asked

    def test_a_fault_of_the_program_is_not_a_row(self, llm_client: Callable[..., LedgerClient]) -> None:
        def script(text: str, attempt: int) -> str:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            list(llm_client(Scripted(script)).ask(questions(3)))

    def test_what_was_paid_before_it_ended_otherwise_is_kept(
        self, llm_client: Callable[..., LedgerClient], tmp_path: Path
    ) -> None:
        def script(text: str, attempt: int) -> str:
            if attempt == 0:
                raise LlmError("timeout", "late", may_cost=True)
            raise ZeroDivisionError

        asking = llm_client(model := Scripted(script))
        with pytest.raises(ZeroDivisionError):
            list(asking.ask([("a", QUESTION)]))
        with LedgerCallLog(tmp_path / "ledger.sqlite") as log:
            known = log.call(call_id(model.name, QUESTION))
        assert known and known.cost == asking.retrier.budget.spent == pytest.approx(2 * PRICE.of(1_000, 400))


class TestCanary:
    @pytest.mark.parametrize("said", ["red", '{"colour": "blue"}', "", "both red and blue", "green"])
    def test_the_blind_are_found_out(self, clock: Clock, said: str) -> None:
        model = Scripted(lambda text, attempt: said)
        with pytest.raises(AcbenchError, match="does not see images"):
            check_vision(model, Retrier(model=model, clock=clock, sleep=clock.sleep).ask)

    def test_those_who_see_pass(self) -> None:
        model = Scripted(lambda text, attempt: json.dumps({"colour": ("red", "blue")[attempt]}))
        check_vision(model)
        assert model.seen.total() == 2

    def test_an_endpoint_that_is_not_there_is_said_to_be(self, clock: Clock) -> None:
        model = Scripted(fails(*[LlmError("connection", "nobody there", "start it")] * 9))
        with pytest.raises(AcbenchError, match="nobody there"):
            check_vision(model, Retrier(model=model, clock=clock, sleep=clock.sleep).ask)
