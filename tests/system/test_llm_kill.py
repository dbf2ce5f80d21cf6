"""Processes that ask an LLM are killed, and no kept answer is paid for again."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from acbench.integrations.openai.batches import OpenAIBatches
from acbench.integrations.openai.chat import chat_openai
from acbench.predictors.llm import BatchClient, LedgerClient, Retrier
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.predictors.llm.messages import Picture, Price, Question, call_id
from acbench.testing import FakeEndpoint, tiny_png, toy_mvtec_ad
from acbench.testing.endpoint import PRICE_IN, PRICE_OUT, Fault, question_hash, question_text, refusal
from tests.support.commands import start

PRICE = Price(PRICE_IN, PRICE_OUT)
QUESTION = Question(system="s", parts=(), schema={"type": "object"}, max_tokens=60)
BATCHED = 6
"""Questions of the runs that hand in batches."""


def questions(count: int) -> list[tuple[str, Question]]:
    shown = Picture(data=tiny_png(), media_type="image/png")
    return [(f"item-{n}", replace(QUESTION, parts=(f"question {n}", shown))) for n in range(count)]


@pytest.fixture
def server() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as running:
        yield running


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["openai", "acbench.predictors.llm", "acbench.integrations.openai.chat"])
    return context


def run(processes: ForkServerContext, work: Callable[..., None], *arguments: object) -> int | None:
    """Run a function in a process of its own; gives the exit status, negative for a signal."""
    process = processes.Process(target=work, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# Questions one by one


def ask_all(url: str, ledger: Path, count: int) -> None:
    """What a process does that is going to be killed."""
    chat = chat_openai("m", url, price=PRICE)
    retrier = Retrier(model=chat, sleep=lambda seconds: time.sleep(seconds / 100))
    client = LedgerClient(
        retrier=retrier, open_log=partial(LedgerCallLog, ledger), retry_errors=True, check_vision=False
    )
    for _ in client.ask(questions(count)):
        pass


def answered(ledger: Path, call_ids: dict[str, str]) -> set[str]:
    """The questions whose answers are kept, of those with these ids of calls."""
    if not ledger.exists():
        return set()
    with LedgerCallLog(ledger) as log:
        return {text for text, key in call_ids.items() if (call := log.call(key)) and call.answer is not None}


def test_a_success_is_never_paid_twice_however_often_it_is_killed(processes: ForkServerContext, tmp_path: Path) -> None:
    """Killed at requests: some are under way, some answers are about to be kept."""
    ledger, count, chance = tmp_path / "ledger.sqlite", 400, random.Random(7)
    kills, settled = 0, dict[str, int]()
    faults = [None, None, None, refusal(500), refusal(429), Fault(cut_after=9), Fault(reset=True)]
    with FakeEndpoint(lambda number, text: chance.choice(faults), latency=0.01) as server:
        name = chat_openai("m", server.url).name
        call_ids = {f"question {n}": call_id(name, question) for n, (_, question) in enumerate(questions(count))}
        while True:
            process = processes.Process(target=ask_all, args=(server.url, ledger, count))
            process.start()
            enough = len(server.requests) + chance.randint(1, 40)
            while process.exitcode is None and len(server.requests) < enough:
                time.sleep(0.002)
            if ended := process.exitcode is not None:
                assert process.exitcode == 0
            else:
                process.kill()
                kills += 1
            process.join()
            for text, paid in settled.items():
                assert server.paid_by_text[text] == paid, text
            settled |= {text: server.paid_by_text[text] for text in answered(ledger, call_ids) - set(settled)}
            if ended and len(settled) == count:  # one that failed to the end is asked by the next
                break
        assert kills >= 10
        with LedgerCallLog(ledger) as log:
            for text, key in call_ids.items():
                call = log.call(key)
                assert call
                assert server.paid_by_text[text] <= call.sends, "what may have been paid was noted before"


def test_two_at_once_do_not_pay_twice(processes: ForkServerContext, tmp_path: Path) -> None:
    with FakeEndpoint(latency=0.02) as server:
        arguments = (server.url, tmp_path / "ledger.sqlite", 150)
        pair = [processes.Process(target=ask_all, args=arguments) for _ in range(2)]
        for process in pair:
            process.start()
        for process in pair:
            process.join()
        assert [process.exitcode for process in pair] == [0, 0]
        assert len(server.paid_by_text) == 150
        assert set(server.paid_by_text.values()) == {1}


def test_an_estimate_tells_of_calls_that_may_have_been_paid(processes: ForkServerContext, tmp_path: Path) -> None:
    with FakeEndpoint(latency=60.0) as server:
        process = processes.Process(target=ask_all, args=(server.url, tmp_path / "l.sqlite", 3))
        process.start()
        while len(server.requests) < 3:
            assert process.exitcode is None
            time.sleep(0.01)
        process.kill()
        process.join()
        chat = chat_openai("m", server.url, price=PRICE)
        client = LedgerClient(retrier=Retrier(model=chat), open_log=partial(LedgerCallLog, tmp_path / "l.sqlite"))
        estimate = client.estimate(question for _, question in questions(5))
    assert (estimate.calls, estimate.cached, estimate.lost) == (5, 0, 3)


# Batches


def batch_client(url: str, ledger: Path, **options: Any) -> BatchClient:
    chat = chat_openai("m", url, price=PRICE)
    chat.settled = True  # no question has to be asked alone, which may be paid twice if it is killed
    retrier = Retrier(model=chat, sleep=lambda seconds: None)
    open_log = partial(LedgerCallLog, ledger)
    return BatchClient(
        retrier=retrier, open_log=open_log, open_batch_log=open_log, batch_model=OpenAIBatches(chat),
        check_vision=False, **options,
    )  # fmt: skip


def ask_in_batches_and_die(url: str, ledger: Path, moment: str | int) -> None:
    """A run that is killed at a named moment, or before or after its nth step."""
    left = [moment if isinstance(moment, int) else 0]

    def counted(work: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                die()
            result = work(*arguments, **options)
            left[0] -= 1
            if left[0] == 0:
                die()
            return result

        return step

    match moment:
        case "before it is handed in":
            OpenAIBatches.submit = lambda *arguments: die()  # type: ignore[method-assign]
        case "before its id is kept":
            LedgerCallLog.submitted = lambda *arguments: die()  # type: ignore[method-assign]
        case "while it runs":
            OpenAIBatches.end = lambda *arguments: die()  # type: ignore[method-assign]
        case _:
            steps = ((OpenAIBatches, "submit"), (LedgerCallLog, "open_batch"), (LedgerCallLog, "submitted"),
                     (OpenAIBatches, "end"), (LedgerCallLog, "settle"), (LedgerCallLog, "close_batch"))  # fmt: skip
            for kind, name in steps:
                setattr(kind, name, counted(getattr(kind, name)))
    list(batch_client(url, ledger, max_calls=4 if isinstance(moment, int) else 10_000).ask(questions(BATCHED)))


@pytest.fixture
def batches(server: FakeEndpoint) -> FakeEndpoint:
    server.answer = question_text
    return server


@pytest.mark.parametrize("moment", ["before it is handed in", "before its id is kept", "while it runs"])
def test_the_next_run_takes_a_batch_up(
    processes: ForkServerContext, batches: FakeEndpoint, tmp_path: Path, moment: str
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    assert run(processes, ask_in_batches_and_die, batches.url, ledger, moment) == -signal.SIGKILL
    assert len(batches.batches) == (0 if moment == "before it is handed in" else 1)
    client = batch_client(batches.url, ledger)
    estimate = client.estimate([question for _, question in questions(BATCHED)])
    assert estimate.calls == BATCHED
    asked = dict(client.ask(questions(BATCHED)))
    assert {name: reply.answer and reply.answer.text for name, reply in asked.items()} == {
        f"item-{n}": f"question {n}" for n in range(BATCHED)
    }
    assert len(batches.batches) == 1
    assert set(batches.paid_by_text.values()) == {1}
    assert all(reply.cached for reply in asked.values()) == (moment != "before it is handed in")


def test_killed_at_each_step_no_batch_is_paid_twice(
    processes: ForkServerContext, batches: FakeEndpoint, tmp_path: Path
) -> None:
    """One project, killed at a later step each time."""
    ledger, kills = tmp_path / "ledger.sqlite", 0
    while run(processes, ask_in_batches_and_die, batches.url, ledger, kills + 1) == -signal.SIGKILL:
        kills += 1
    assert kills > 8, "steps are not seen"
    client = batch_client(batches.url, ledger)
    asked = dict(client.ask(questions(BATCHED)))
    assert {reply.answer and reply.answer.text for reply in asked.values()} == {f"question {n}" for n in range(BATCHED)}
    assert set(batches.paid_by_text.values()) == {1}


# The command


def marks_of_answers(ledger: Path) -> set[str]:
    """The marks of the questions whose answers are kept."""
    if not ledger.exists():
        return set()
    db = sqlite3.connect(ledger, timeout=30)
    try:
        rows = db.execute("SELECT answer FROM calls WHERE answer IS NOT NULL").fetchall()
    except sqlite3.OperationalError:  # killed before there was a table
        return set()
    finally:
        db.close()
    return {json.loads(json.loads(answer)["text"])["reason"] for (answer,) in rows}


def test_the_command_is_killed_at_requests_and_pays_no_kept_answer_again(tmp_path: Path, server: FakeEndpoint) -> None:
    def answer(body: dict[str, Any]) -> str:
        said = {"labels": ["contamination"], "confidence": 0.75, "text_in_image": False}
        return json.dumps({"reason": question_hash(body), **said})

    root = toy_mvtec_ad(tmp_path / "data", {"bottle": ("broken_large", "contamination")}, each=30)
    project = tmp_path / "project"
    chance = random.Random(3)
    server.answer, server.latency = answer, 0.03
    server.plan = lambda number, text: chance.choice([None, None, None, refusal(500), Fault(reset=True)])
    llm = ("--llm", "m", "--llm-url", server.url, "--llm-price", f"{PRICE_IN}/{PRICE_OUT}")
    asks = ("propose", "mvtec_ac", "--proposer", "llm", "--root", root, *llm, "--no-canary", "--retry-errors")
    settled: dict[str, int] = {}
    kills, status, out = 0, -1, ""
    while status != 0:
        process = start(project, *asks, "--json")
        enough = len(server.requests) + chance.randint(5, 25)
        while process.poll() is None and (kills == 4 or len(server.requests) < enough):
            time.sleep(0.002)
        if process.poll() is None:
            process.kill()
            kills += 1
        out, err = process.communicate()
        status = process.returncode
        assert status in {0, 3, -signal.SIGKILL}, err
        for mark, paid in settled.items():
            assert server.paid_by_question[mark] == paid
        new = marks_of_answers(project / ".acbench/ledger.sqlite") - set(settled)
        settled |= {mark: server.paid_by_question[mark] for mark in new}
    assert kills == 4
    assert len(settled) == 60
    assert json.loads(out) == {"llm": {"ok": 60, "abstained": 0, "error": 0}}
