"""Batches: noted before they are handed in, found again by whoever comes next, and paid once, at half the price."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from acbench.errors import AcbenchError
from acbench.integrations.openai.batches import OpenAIBatches
from acbench.integrations.openai.chat import chat_openai
from acbench.predictors.llm import BatchClient, Budget, LedgerClient, Retrier
from acbench.predictors.llm.batches import BatchEnd
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.predictors.llm.messages import Completion, LlmError, Picture, Price, Question, Reply, call_id
from acbench.testing import tiny_png
from acbench.testing.endpoint import PRICE_IN, PRICE_OUT, FakeEndpoint, Fault, question_text, refusal

PRICE = Price(PRICE_IN, PRICE_OUT)
QUESTION = Question(system="s", parts=(), schema={"type": "object"}, max_tokens=60)
Waiting = Callable[[float], object]


def questions(count: int) -> list[tuple[str, Question]]:
    shown = Picture(data=tiny_png(), media_type="image/png")
    return [(f"item-{n}", replace(QUESTION, parts=(f"question {n}", shown))) for n in range(count)]


@pytest.fixture
def server() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as running:
        running.answer = question_text
        yield running


@pytest.fixture
def llm_client(server: FakeEndpoint, tmp_path: Path) -> Callable[..., BatchClient]:
    def make(*, limit: float | None = None, sleep: Waiting = lambda seconds: None, **options: Any) -> BatchClient:
        chat = chat_openai("m", server.url, price=PRICE)
        chat.settled = True
        retrier = Retrier(model=chat, budget=Budget(limit=limit), sleep=sleep)
        values = {"batch_model": OpenAIBatches(chat), "check_vision": False, **options}
        open_log = partial(LedgerCallLog, tmp_path / "ledger.sqlite")
        return BatchClient(retrier=retrier, open_log=open_log, open_batch_log=open_log, **values)

    return make


def kept(llm_client: BatchClient) -> dict[str, float]:
    """Text of each answer in the ledger → what it cost."""
    with llm_client.open_batch_log() as log:
        calls = [log.call(call_id(llm_client.model.name, question)) for _, question in questions(100)]
    return {json.loads(call.answer)["text"]: call.cost for call in calls if call and call.answer}


class TestOneRun:
    def test_every_question_is_answered_for_half_the_price(
        self, server: FakeEndpoint, llm_client: Callable[..., BatchClient]
    ) -> None:
        server.batch_polls = 3
        maker = llm_client(max_calls=4)
        asked = dict(maker.ask(questions(10)))
        assert {name: each.answer and each.answer.text for name, each in asked.items()} == {
            f"item-{n}": f"question {n}" for n in range(10)
        }
        assert len(server.batches) == 3
        assert server.dollars == pytest.approx(sum(kept(maker).values())) == pytest.approx(maker.retrier.budget.spent)
        alone = FakeEndpoint()
        for number in range(10):
            alone.charge({"model": "m", "messages": [{"content": server_content(number)}]})
        alone._server.server_close()
        assert server.dollars == pytest.approx(alone.dollars / 2)
        assert not any(each.cached for each in asked.values())

    def test_a_file_is_no_larger_than_allowed(
        self, server: FakeEndpoint, llm_client: Callable[..., BatchClient]
    ) -> None:
        maker = llm_client(max_bytes=2_000)
        assert len(list(maker.ask(questions(12)))) == 12
        assert len(server.batches) > 2
        assert all(len(data) < 4_000 for data in server.files.values())

    def test_a_second_run_sends_nothing(self, server: FakeEndpoint, llm_client: Callable[..., BatchClient]) -> None:
        first = dict(llm_client().ask(questions(5)))
        again = dict(llm_client().ask(questions(5)))
        assert len(server.batches) == 1
        assert all(each.cached for each in again.values())
        assert {name: each.answer for name, each in first.items()} == {n: each.answer for n, each in again.items()}

    def test_what_was_answered_one_by_one_is_not_handed_in(
        self, server: FakeEndpoint, llm_client: Callable[..., BatchClient]
    ) -> None:
        maker = llm_client()
        list(LedgerClient(retrier=maker.retrier, open_log=maker.open_log, check_vision=False).ask(questions(3)))
        assert len(dict(maker.ask(questions(5)))) == 5
        (file,) = (data for data in server.files.values() if b"custom_id" in data and b"method" in data)
        assert file.count(b"\n") == 2

    def test_equal_questions_are_handed_in_once(
        self, server: FakeEndpoint, llm_client: Callable[..., BatchClient]
    ) -> None:
        (_, one), *_ = questions(1)
        asked = list(llm_client().ask([(f"name {n}", one) for n in range(4)]))
        assert sorted(name for name, _ in asked) == [f"name {n}" for n in range(4)]
        assert server.paid_by_text.total() == 1

    def test_an_answer_that_does_not_say_what_it_took_counts_as_estimated(
        self, llm_client: Callable[..., BatchClient]
    ) -> None:
        class Silent(OpenAIBatches):
            def end(self, batch_id: str) -> BatchEnd | None:
                found = OpenAIBatches.end(self, batch_id)
                silent = ((key, replace(each, tokens_in=0, tokens_out=0) if isinstance(each, Completion) else each)
                          for key, each in (found.results if found else ()))  # fmt: skip
                return found and replace(found, results=tuple(silent))

        maker = llm_client()
        maker.batch_model = Silent(maker.batch_model.chat)  # type: ignore[attr-defined]
        asked = questions(3)
        estimate = maker.estimate(question for _, question in asked).cost
        assert estimate and all(each.answer for _, each in maker.ask(asked))
        assert sum(kept(maker).values()) == pytest.approx(estimate)

    def test_the_bill_is_halved_too(self, llm_client: Callable[..., BatchClient]) -> None:
        maker = llm_client()
        whole = LedgerClient(retrier=maker.retrier, open_log=maker.open_log, check_vision=False)
        asked = [question for _, question in questions(4)]
        assert maker.estimate(asked).cost == pytest.approx(whole.estimate(asked).cost / 2)

    @pytest.mark.parametrize("seed", range(8))
    def test_the_budget_holds(self, server: FakeEndpoint, llm_client: Callable[..., BatchClient], seed: int) -> None:
        limit = random.Random(seed).uniform(0.0005, 0.02)
        asked = dict(llm_client(limit=limit, max_calls=3).ask(questions(20)))
        assert len(asked) == 20
        assert server.dollars <= limit
        left = [each for each in asked.values() if each.answer is None]
        assert all(each.unasked and each.error.startswith("budget: ") for each in left)
        assert len(dict(llm_client().ask(questions(20)))) == 20
        assert set(server.paid_by_text.values()) == {1}


def server_content(number: int) -> list[dict[str, Any]]:
    return [{"type": "text", "text": f"question {number}"}, {"type": "image_url"}]


class TestFaults:
    def errors(self, asked: dict[str, Reply]) -> dict[str, str]:
        return {name: each.error for name, each in asked.items() if each.answer is None}

    @pytest.mark.parametrize(
        ("fault", "why"),
        [
            (refusal(400, "cannot decode image"), "refused: 127.0.0.1"),
            (refusal(429, "too many"), "says 429: too many"),
            (Fault(status=500, body=b"[]"), "says 500"),
            (Fault(status=500, body=b"null"), "says 500"),
            (Fault(body=b"{}"), "no choices"),
            (Fault(body=b'{"choices": [{"message": {"content": ""}}]}'), "an empty answer"),
            (Fault(reset=True), "the batch brought no answer: completed"),
        ],
    )
    def test_one_bad_row_is_one_reason(
        self, server: FakeEndpoint, llm_client: Callable[..., BatchClient], fault: Fault, why: str
    ) -> None:
        server.plan = lambda number, text: fault if text == "question 2" else None
        asked = dict(llm_client().ask(questions(5)))
        (reason,) = self.errors(asked).values()
        assert why in reason
        server.plan = lambda number, text: None
        assert self.errors(dict(llm_client().ask(questions(5)))) == {"item-2": reason}
        assert not self.errors(dict(llm_client(retry_errors=True).ask(questions(5))))

    @pytest.mark.parametrize(
        "rows", [b"", b"\xff\xfe\n\n", b"[]\n", b"{}\n", b'{"custom_id": 7}\n', b'{"custom_id": "stranger"}\n', b"{\n"]
    )
    def test_a_file_of_results_that_makes_no_sense(
        self, server: FakeEndpoint, llm_client: Callable[..., BatchClient], rows: bytes
    ) -> None:
        maker = llm_client()

        class Spoiled(OpenAIBatches):
            def end(self, batch_id: str) -> Any:
                self.chat.client.batches.retrieve(batch_id)
                server.files |= {name: rows for name in server.files if "output" in name}
                return OpenAIBatches.end(self, batch_id)

        maker.batch_model = Spoiled(maker.batch_model.chat)  # type: ignore[attr-defined]
        asked = dict(maker.ask(questions(3)))
        assert len(self.errors(asked)) == 3
        assert all("the batch brought no answer" in each.error for each in asked.values())

    @pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
    def test_a_batch_that_is_given_up_says_nothing_of_its_questions(
        self, server: FakeEndpoint, llm_client: Callable[..., BatchClient], status: str
    ) -> None:
        server.batch_polls = 10**6

        def end(seconds: float) -> None:
            for batch in server.batches.values():
                batch["status"] = status

        asked = dict(llm_client(sleep=end).ask(questions(3)))
        assert len(self.errors(asked)) == 3 and all(status in each.error for each in asked.values())
        server.batch_polls = 1
        assert not self.errors(dict(llm_client().ask(questions(3))))
        assert set(server.paid_by_text.values()) == {1}

    def test_an_endpoint_without_batches(self, server: FakeEndpoint, llm_client: Callable[..., BatchClient]) -> None:
        maker = llm_client()

        class None_(OpenAIBatches):
            def submit(self, name: str, file: bytes) -> str:
                raise LlmError("refused", "404", "no batches here")

        maker.batch_model = None_(maker.batch_model.chat)  # type: ignore[attr-defined]
        with pytest.raises(AcbenchError, match="no batch can be handed in: 404"):
            list(maker.ask(questions(3)))
        assert len(dict(llm_client().ask(questions(3)))) == 3

    def test_a_batch_that_arrived_though_it_seemed_not_to_is_not_sent_twice(
        self, server: FakeEndpoint, llm_client: Callable[..., BatchClient]
    ) -> None:
        maker = llm_client()

        class Flaky(OpenAIBatches):
            def submit(self, name: str, file: bytes) -> str:
                OpenAIBatches.submit(self, name, file)
                raise LlmError("timeout", "no reply", may_cost=True)

        maker.batch_model = Flaky(maker.batch_model.chat)  # type: ignore[attr-defined]
        assert all(each.answer for _, each in maker.ask(questions(3)))
        assert len(server.batches) == 1


class TestEnds:
    def test_another_process_waits_for_a_batch_that_is_not_its_own(
        self, server: FakeEndpoint, llm_client: Callable[..., BatchClient]
    ) -> None:
        server.batch_polls = 10**6
        first, second = llm_client(), llm_client()

        def stop(seconds: float) -> None:
            raise KeyboardInterrupt

        first.retrier.sleep = stop
        with pytest.raises(KeyboardInterrupt):
            list(first.ask(questions(4)))
        server.batch_polls = 1
        assert all(each.answer for each in dict(second.ask(questions(6))).values())
        assert len(server.batches) == 2
        assert set(server.paid_by_text.values()) == {1}

    def test_one_by_one_nobody_waits_for_a_batch_or_pays_beside_it(
        self, server: FakeEndpoint, llm_client: Callable[..., BatchClient]
    ) -> None:
        server.batch_polls = 10**6
        maker = llm_client()

        def stop(seconds: float) -> None:
            raise KeyboardInterrupt

        maker.retrier.sleep = stop
        with pytest.raises(KeyboardInterrupt):
            list(maker.ask(questions(2)))
        single = LedgerClient(retrier=llm_client().retrier, open_log=maker.open_log, check_vision=False)
        asked = dict(single.ask(questions(3)))
        assert [each.unasked for _, each in sorted(asked.items())] == [True, True, False]
        assert "--batch takes its answer" in asked["item-0"].error
        assert len(server.requests) == 1
        server.batch_polls = 1
        assert all(each.answer for each in dict(llm_client().ask(questions(3))).values())
        assert set(server.paid_by_text.values()) == {1}


def test_the_ledger_knows_the_batch_before_the_endpoint_does(
    server: FakeEndpoint, llm_client: Callable[..., BatchClient]
) -> None:
    maker = llm_client()
    seen: list[tuple[int, str | None]] = []

    class Watched(OpenAIBatches):
        def submit(self, name: str, file: bytes) -> str:
            with maker.open_batch_log() as log:
                seen.extend((len(batch.call_ids), batch.batch_id) for batch in log.open_batches(maker.model.name))
            return OpenAIBatches.submit(self, name, file)

    maker.batch_model = Watched(maker.batch_model.chat)  # type: ignore[attr-defined]
    list(maker.ask(questions(3)))
    assert seen == [(3, None)]
    with maker.open_batch_log() as log:
        assert not log.open_batches(maker.model.name)
