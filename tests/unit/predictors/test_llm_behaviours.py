"""Endpoints as they are: what each of `acbench.testing.behaviours` comes to, from the question to the bill."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from acbench.data import sources
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.errors import AcbenchError
from acbench.integrations.openai.batches import OpenAIBatches
from acbench.integrations.openai.chat import OpenAIChat, chat_openai
from acbench.predictors.base import BaselineOptions, BaselineSetup, Setup
from acbench.predictors.baselines.velm import Velm, build
from acbench.predictors.llm import BatchClient, Budget, LedgerClient, Retrier
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.predictors.llm.messages import Price, Question, RequestOptions
from acbench.predictors.llm.refusals import ENOUGH
from acbench.predictors.proposers.llm import Llm
from acbench.records import Item, Prediction, Proposal
from acbench.schema.views import in_view
from acbench.storage.ledger import Ledger
from acbench.testing import FakeModels, MemoryVectors, toy_mvtec_ad
from acbench.testing.behaviours import AFTER, BEHAVIOURS, behave
from acbench.testing.endpoint import PRICE_IN, PRICE_OUT, FakeEndpoint, refusal
from tests.support.records import MVTEC_AC, ask

IMAGES = 30
HASTE = 100
"""How much faster time goes for those who wait."""

ANSWERED = [
    "thinks", "thinks aloud", "thinks aloud, begun by the server", "thinks aloud, without an end", "refuses maxLength",
    "refuses many states", "refuses additionalProperties", "refuses a system message", "says 200 to an error",
    "has no choices", "breaks off", "talks around", "fences with CRLF", "shows its end token", "answers a list",
    "writes confidence as text", "writes confidence in percent", "writes labels as text", "adds keys", "sends parts",
    "answers in its thoughts", "streams", "comments", "compresses", "tells its cost", "has a cache", "is dear",
    "resets", "is another model", "cuts prompts",
]  # fmt: skip
"""Behaviours after which every image has its answer."""
REFUSED = {
    "takes one image": "At most 1 image",
    "takes small requests": "413 Request Entity Too Large",
    "has a short context": "maximum context length",
    "never ends thinking": "before it said anything",
}
"""Behaviours that no question gets past, and what is said of them."""
GONE = {
    "runs out of credit": "Insufficient credits",
    "uses up its quota": "exceeded your current quota",
    "is retired": "has been deprecated",
}
"""Behaviours that end a run in the middle, and what is said of them."""
FILTERED = {"flags some": "violence", "filters some": "violence"}
"""Behaviours that concern some images, and the category that is named."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    classes = {"bottle": ("broken_large", "contamination", "broken_small")}
    return toy_mvtec_ad(tmp_path_factory.mktemp("data"), classes, each=IMAGES // 3)


@pytest.fixture(scope="module")
def items(root: Path) -> list[Item]:
    return list(ingest(sources.get("mvtec_ad"), root).items)


class Asker:
    """Asks one endpoint about all images, each time as a new run would."""

    def __init__(self, root: Path, items: list[Item], ledger: Path, server: FakeEndpoint) -> None:
        self.root, self.items, self.ledger, self.server = root, items, ledger, server
        self.notes: list[str] = []
        self.spent = 0.0
        self.unasked = 0
        self.chat: OpenAIChat

    def __call__(self, *, concurrency: int = 4, limit: float | None = None, **options: Any) -> list[Proposal]:
        self.chat = chat_openai(
            "m", self.server.url, price=Price(PRICE_IN, PRICE_OUT), options=RequestOptions(**options)
        )
        retrier = Retrier(
            model=self.chat, budget=Budget(limit=limit), concurrency=concurrency,
            clock=lambda: HASTE * time.monotonic(), sleep=lambda seconds: time.sleep(seconds / HASTE),
        )  # fmt: skip
        client = LedgerClient(retrier=retrier, open_log=partial(LedgerCallLog, self.ledger), say=self.notes.append)
        setup = Setup(
            schema=MVTEC_AC, images=ImageReader(self.root), models=FakeModels(client=client), vectors=MemoryVectors()
        )
        witness = Llm(setup, client)
        rows = sorted(ask(witness, self.items), key=lambda row: row.item_id)
        self.spent, self.unasked = retrier.budget.spent, witness.unasked
        return rows

    def ledger_dollars(self) -> float:
        """What all calls cost, by the ledger."""
        with Ledger(self.ledger) as ledger:
            return float(ledger.database.execute("SELECT COALESCE(SUM(cost), 0) FROM calls").fetchone()[0])


@pytest.fixture
def server() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as running:
        yield running


@pytest.fixture
def asker(root: Path, items: list[Item], tmp_path: Path, server: FakeEndpoint) -> Callable[[str], Asker]:
    def make(behaviour: str) -> Asker:
        behave(server, behaviour)
        return Asker(root, items, tmp_path / "ledger.sqlite", server)

    return make


def statuses(rows: list[Proposal]) -> Counter[str]:
    return Counter(row.status for row in rows)


def test_no_behaviour_is_left_out() -> None:
    assert set(BEHAVIOURS) == {*ANSWERED, *REFUSED, *GONE, *FILTERED}


class TestEveryImageIsAnswered:
    @pytest.mark.parametrize("behaviour", ANSWERED)
    def test_once_and_for_what_it_cost(
        self, asker: Callable[[str], Asker], server: FakeEndpoint, behaviour: str
    ) -> None:
        run = asker(behaviour)
        rows = run()
        last = MVTEC_AC.categories["bottle"].class_ids[-1]
        assert {(row.status, row.labels) for row in rows} == {("ok", (last,))} and len(rows) == IMAGES
        assert run.spent == pytest.approx(run.ledger_dollars())
        if behaviour == "resets":  # a call whose answer was lost counts in full
            assert run.spent > server.dollars
        else:
            assert run.spent == pytest.approx(server.dollars)
        asked = len(server.requests)
        assert run() == rows
        assert len(server.requests) == asked, "nothing is asked or paid twice"

    def test_thoughts_are_spoken_of_once(self, asker: Callable[[str], Asker]) -> None:
        run = asker("thinks aloud")
        run()
        assert len([note for note in run.notes if "thoughts" in note]) == 1

    @pytest.mark.parametrize(
        ("behaviour", "said"),
        [("is another model", "something-else answers"), ("cuts prompts", "it may have cut them")],
    )
    def test_what_is_odd_is_said_once_and_kept(self, asker: Callable[[str], Asker], behaviour: str, said: str) -> None:
        run = asker(behaviour)
        run()
        assert len([note for note in run.notes if said in note]) == 1
        with Ledger(run.ledger) as ledger:
            (kept,) = ledger.database.execute(
                "SELECT COUNT(*) FROM calls WHERE answer LIKE ?", (f"%{said}%",)
            ).fetchone()
        assert kept

    def test_another_model_in_the_middle_is_said(self, asker: Callable[[str], Asker], server: FakeEndpoint) -> None:
        run = asker("adds keys")
        run()
        server.shape = lambda body, good: {**good, "model": "m-2"}
        with Ledger(run.ledger) as ledger:
            ledger.database.execute("UPDATE calls SET answer = NULL WHERE rowid % 2")
        run()
        assert [note for note in run.notes if "m-2 answers now" in note and "m-2026-01-01 answered before" in note]


class TestForm:
    @pytest.mark.parametrize(
        ("behaviour", "form"),
        [
            ("refuses maxLength", "plain_schema"),
            ("refuses many states", "plain_schema"),
            ("refuses additionalProperties", "bare_schema"),
        ],
    )
    def test_the_real_question_settles_it_and_the_next_run_knows(
        self, asker: Callable[[str], Asker], server: FakeEndpoint, behaviour: str, form: str
    ) -> None:
        run = asker(behaviour)
        run()
        assert run.chat.form.answer_format == form
        with Ledger(run.ledger) as ledger:
            ledger.database.execute("UPDATE calls SET answer = NULL")
        asked = len(server.requests)
        run()
        # The vision check, whose schema is another one, and each question once.
        assert len(server.requests) == asked + 2 + IMAGES

    def test_a_settled_form_steps_down_once_more(self, asker: Callable[[str], Asker], server: FakeEndpoint) -> None:
        run = asker("adds keys")
        run()
        assert run.chat.form.answer_format == "json_schema"
        with Ledger(run.ledger) as ledger:
            ledger.database.execute("UPDATE calls SET answer = NULL")
        BEHAVIOURS["refuses maxLength"](server)
        assert statuses(run()) == {"ok": IMAGES}
        assert run.chat.form.answer_format == "plain_schema"

    def test_what_the_user_set_is_not_left_out_in_silence(
        self, asker: Callable[[str], Asker], server: FakeEndpoint
    ) -> None:
        run = asker("adds keys")
        server.refuses = lambda body: (
            refusal(400, "Unrecognized request argument: reasoning_effort") if "reasoning_effort" in body else None
        )
        with pytest.raises(AcbenchError, match="refuses --llm-effort"):
            run(effort="low")

    def test_everything_that_is_set_is_sent(self, asker: Callable[[str], Asker], server: FakeEndpoint) -> None:
        asker("adds keys")(effort="low", max_tokens=5_000, logprobs=True, extra={"provider": {"order": ["x"]}})
        body = server.requests[-1]
        assert (body["reasoning_effort"], body["max_tokens"], body["logprobs"]) == ("low", 5_000, True)
        assert body["provider"] == {"order": ["x"]}


class TestThinking:
    def test_the_limit_grows_once_and_is_remembered(self, asker: Callable[[str], Asker], server: FakeEndpoint) -> None:
        run = asker("thinks")
        refused = server.refuses
        run(concurrency=1)
        cut = [body for body in server.requests if body.get("max_completion_tokens") == 400 and not refused(body)]
        assert len(cut) == 1, "all others have the higher limit from the start"
        with Ledger(run.ledger) as ledger:
            ledger.database.execute("UPDATE calls SET answer = NULL")
        before = len(server.requests)
        run(concurrency=1)
        assert not [body for body in server.requests[before:] if body.get("max_completion_tokens") == 400]

    def test_the_estimate_knows_it_afterwards(self, asker: Callable[[str], Asker]) -> None:
        run = asker("thinks")
        run()
        assert run.chat.limit(Question(system="s", parts=("x",), schema={})) > 10_000

    def test_a_limit_of_the_user_is_kept(self, asker: Callable[[str], Asker], server: FakeEndpoint) -> None:
        run = asker("thinks")
        with pytest.raises(AcbenchError, match="before it said anything"):
            run(max_tokens=1_000)
        assert {body.get("max_completion_tokens") for body in server.requests} <= {None, 1_000}


class TestRefusals:
    @pytest.mark.parametrize("behaviour", REFUSED)
    def test_equal_ones_end_the_run_and_stand_for_nothing(
        self, asker: Callable[[str], Asker], server: FakeEndpoint, behaviour: str
    ) -> None:
        run = asker(behaviour)
        rows = run()
        assert statuses(rows) == {"error": IMAGES} and run.unasked == IMAGES
        assert len(run.notes) == 1 and REFUSED[behaviour] in run.notes[0] and f"{ENOUGH} questions" in run.notes[0]
        real = [body for body in server.requests if len(body["messages"][-1]["content"]) > 2]
        assert len(real) < 4 * ENOUGH
        # The endpoint is put right: the next run asks all of them, though nobody says --retry-errors.
        server.refuses, server.shape = (lambda body: None), (lambda body, good: good)
        assert statuses(run()) == {"ok": IMAGES}

    def test_a_small_set_is_no_other_case(
        self, asker: Callable[[str], Asker], server: FakeEndpoint, items: list[Item]
    ) -> None:
        run = asker("takes small requests")
        run.items = [item for item in items if not item.anomalous] + [item for item in items if item.anomalous][:4]
        run()
        assert run.unasked == 4
        server.refuses = lambda body: None
        assert statuses(run()) == {"ok": 4}

    @pytest.mark.parametrize("behaviour", GONE)
    def test_an_account_that_ends_leaves_the_rest_for_the_next_run(
        self, asker: Callable[[str], Asker], server: FakeEndpoint, behaviour: str
    ) -> None:
        run = asker(behaviour)
        rows = run()
        assert statuses(rows) == {"ok": AFTER, "error": IMAGES - AFTER} and run.unasked == IMAGES - AFTER
        assert len(run.notes) == 1 and GONE[behaviour] in run.notes[0]
        assert len(server.requests) < AFTER + 2 + 2 * 4, "nothing is sent once it is known"
        server.refuses = lambda body: None
        assert statuses(run()) == {"ok": IMAGES}

    @pytest.mark.parametrize("behaviour", FILTERED)
    def test_a_filter_is_about_its_image(
        self, asker: Callable[[str], Asker], server: FakeEndpoint, behaviour: str
    ) -> None:
        run = asker(behaviour)
        rows = run()
        failed = [row for row in rows if row.status == "error"]
        assert 0 < len(failed) < IMAGES and run.unasked == 0 and not run.notes
        assert all(row.reason.startswith("filtered: ") and FILTERED[behaviour] in row.reason for row in failed)
        asked = len(server.requests)
        run()
        assert len(server.requests) == asked


class TestBudget:
    @pytest.mark.parametrize("concurrency", [1, 32])
    def test_it_is_passed_by_no_more_than_the_first_call(
        self, asker: Callable[[str], Asker], server: FakeEndpoint, concurrency: int
    ) -> None:
        server.latency = 0.01
        run = asker("is dear")
        run(limit=0.2, concurrency=concurrency)
        per_call = server.dollars / max(1, sum(server.paid_by_question.values()) - 2)
        assert 0 < run.unasked < IMAGES
        assert run.spent == pytest.approx(server.dollars)
        assert server.dollars <= 0.2 + per_call

    def test_the_vision_check_is_on_the_bill(self, asker: Callable[[str], Asker], server: FakeEndpoint) -> None:
        run = asker("adds keys")
        run()
        assert run.ledger_dollars() == pytest.approx(server.dollars)


class TestBatches:
    """A line of a batch cannot be sent again in another form, so one question shows the form first."""

    @pytest.fixture
    def batches(self, root: Path, items: list[Item], tmp_path: Path, server: FakeEndpoint) -> Callable[[str], Any]:
        def run(behaviour: str) -> tuple[list[Proposal], Llm]:
            behave(server, behaviour)
            chat = chat_openai("m", server.url, price=Price(PRICE_IN, PRICE_OUT))
            retrier = Retrier(model=chat, sleep=lambda seconds: None)
            open_log = partial(LedgerCallLog, tmp_path / "ledger.sqlite")
            client = BatchClient(
                retrier=retrier, open_log=open_log, open_batch_log=open_log, batch_model=OpenAIBatches(chat)
            )
            setup = Setup(
                schema=MVTEC_AC, images=ImageReader(root), models=FakeModels(client=client), vectors=MemoryVectors()
            )
            witness = Llm(setup, client)
            return ask(witness, items), witness

        return run

    @pytest.mark.parametrize(
        "behaviour",
        [
            "thinks",
            "thinks aloud",
            "refuses maxLength",
            "refuses additionalProperties",
            "fences with CRLF",
            "tells its cost",
        ],
    )
    def test_lines_are_in_the_settled_form(
        self, batches: Callable[[str], Any], server: FakeEndpoint, behaviour: str
    ) -> None:
        rows, _ = batches(behaviour)
        assert statuses(rows) == {"ok": IMAGES}
        (lines,) = [file for name, file in server.files.items() if "output" not in name]
        assert len(lines.splitlines()) == IMAGES - 1

    def test_a_batch_that_is_refused_as_a_whole_is_asked_again(
        self, batches: Callable[[str], Any], server: FakeEndpoint
    ) -> None:
        rows, witness = batches("is retired")
        assert statuses(rows)["error"] == witness.unasked > 0
        rows, witness = batches("adds keys")
        server.refuses = lambda body: None
        rows, witness = batches("adds keys")
        assert statuses(rows) == {"ok": IMAGES} and not witness.unasked


class TestVelm:
    """The baseline asks through the same client, and is spared nothing."""

    @pytest.fixture
    def velm(self, root: Path, items: list[Item], tmp_path: Path, server: FakeEndpoint) -> Callable[[], Any]:
        def run() -> tuple[list[Prediction], Velm]:
            chat = chat_openai("m", server.url, price=Price(PRICE_IN, PRICE_OUT))
            retrier = Retrier(model=chat, sleep=lambda seconds: None, concurrency=4)
            client = LedgerClient(retrier=retrier, open_log=partial(LedgerCallLog, tmp_path / "ledger.sqlite"))
            setup = BaselineSetup(
                schema=in_view(MVTEC_AC, "published"), images=ImageReader(root), models=FakeModels(client=client),
                vectors=MemoryVectors(), items=items, options=BaselineOptions(detector="oracle"),
            )  # fmt: skip
            baseline = build(setup)
            asked = [item for item in items if item.split == "test" and item.anomalous]
            return list(baseline.predict(asked, lambda done, total: None)), baseline

        return run

    @pytest.mark.parametrize(
        "behaviour", ["thinks", "thinks aloud", "refuses maxLength", "breaks off", "writes labels as text", "streams"]
    )
    def test_it_gets_its_answers(self, velm: Callable[[], Any], server: FakeEndpoint, behaviour: str) -> None:
        behave(server, behaviour)
        rows, _ = velm()
        assert Counter(row.parse for row in rows) == {"ok": IMAGES}

    @pytest.mark.parametrize("behaviour", ["takes small requests", "runs out of credit"])
    def test_what_is_not_its_images_fault_is_asked_again(
        self, velm: Callable[[], Any], server: FakeEndpoint, behaviour: str
    ) -> None:
        behave(server, behaviour)
        rows, baseline = velm()
        assert len(rows) + baseline.unasked == IMAGES and baseline.unasked
        assert all(row.parse == "ok" for row in rows)
        server.refuses = lambda body: None
        rows, _ = velm()
        assert Counter(row.parse for row in rows) == {"ok": IMAGES}

    def test_a_filter_is_about_its_image(self, velm: Callable[[], Any], server: FakeEndpoint) -> None:
        behave(server, "flags some")
        rows, baseline = velm()
        failed = [row for row in rows if row.parse == "error"]
        assert 0 < len(failed) < IMAGES == len(rows) and not baseline.unasked
        assert all("violence" in row.raw for row in failed)
