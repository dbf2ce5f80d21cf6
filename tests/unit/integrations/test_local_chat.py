"""A model of transformers on this machine, loaded the way real ones are. Weights are random: form is tested, not
quality."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from acbench.data import sources
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.errors import AcbenchError
from acbench.integrations.torch.chat import ModelSource, TransformersChat, chat_transformers
from acbench.predictors.base import Setup
from acbench.predictors.llm import LedgerClient, Retrier, check_vision
from acbench.predictors.llm.cache import LedgerCallLog
from acbench.predictors.llm.messages import LlmError, Picture, Question, RequestOptions, call_id
from acbench.predictors.proposers.llm import Llm
from acbench.records import Proposal
from acbench.testing import FakeModels, MemoryVectors, toy_mvtec_ad
from acbench.workflows.llm_models import LlmModel
from acbench.workflows.models import CallOptions, _chat_model
from tests.support.commands import here
from tests.support.lazy import torch
from tests.support.records import MVTEC_AC, ask
from tests.support.tiny_vlms import idefics3, llava, qwen2_vl


@pytest.fixture(scope="module", params=[llava, idefics3, qwen2_vl])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of each kind. Not to be changed."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("models") / request.param.__name__
    request.param(place)
    return place


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model. Not to be changed."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("model") / "tiny"
    idefics3(place)
    return place


def picture(number: int, size: tuple[int, int] = (120, 90)) -> Picture:
    file = io.BytesIO()
    Image.effect_noise(size, 20 + number).convert("RGB").save(file, "PNG")
    return Picture(data=file.getvalue(), media_type="image/png")


def question(number: int, *sizes: tuple[int, int], tokens: int = 16) -> Question:
    shown = [picture(number, size) for size in sizes]
    text = f"What is this? {'Look closely. ' * number}"
    return Question(system="You look.", parts=(*shown, text), schema={"type": "object"}, max_tokens=tokens)


MIXED = [
    question(0, (120, 90)),
    question(1, (120, 90), (90, 120)),
    question(2, (120, 90)),
    question(3),
    question(4, (120, 90), (90, 120)),
    question(5, (120, 90), tokens=9),
    question(6, (120, 90)),
    question(7),
]


class TestAnswers:
    def test_many_at_once_are_answered_as_each_alone(self, folder: Path) -> None:
        alone, together = chat_transformers(str(folder), batch=1), chat_transformers(str(folder), batch=4)
        with ThreadPoolExecutor(len(MIXED)) as pool:
            answers = list(pool.map(together.ask, MIXED))
        for asked, answer in zip(MIXED, answers, strict=True):
            by_itself = alone.ask(asked)
            assert answer.text == by_itself.text
            assert (answer.tokens_in, answer.tokens_out) == (by_itself.tokens_in, by_itself.tokens_out)
            assert answer.tokens_out <= asked.max_tokens
            assert answer.finish == ("length" if answer.tokens_out == asked.max_tokens else "stop")

    def test_pictures_are_seen(self, folder: Path) -> None:
        chat = chat_transformers(str(folder))
        seen = [chat.ask(Question(system="s", parts=(picture(n * 60),), schema={}, max_tokens=24)) for n in range(3)]
        blind = chat.ask(Question(system="s", parts=(), schema={}, max_tokens=24))
        assert all(each.tokens_in > blind.tokens_in for each in seen)

    def test_it_is_greedy_whatever_its_files_say(self, one: Path, tmp_path: Path) -> None:
        lively = tmp_path / "lively"
        lively.mkdir()
        for file in one.iterdir():
            (lively / file.name).write_bytes(file.read_bytes())
        settings = json.loads((one / "generation_config.json").read_text())
        settings |= {"do_sample": True, "temperature": 5.0, "top_p": 0.9}
        (lively / "generation_config.json").write_text(json.dumps(settings))
        assert chat_transformers(str(lively)).ask(MIXED[0]).text == chat_transformers(str(one)).ask(MIXED[0]).text

    def test_a_question_that_it_cannot_take_spoils_no_other(self, one: Path) -> None:
        chat = chat_transformers(str(one), batch=4)
        forged = replace(MIXED[0], system="there is an <image> here")  # the model's own mark, and no picture for it

        def ask(asked: Question) -> str:
            try:
                return chat.ask(asked).text
            except LlmError as error:
                return f"{error.kind}: {error.message}"

        broken = Question(system="s", parts=(Picture(data=b"no picture", media_type="image/png"),), schema={})
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(ask, [MIXED[0], broken, MIXED[2], forged]))
        assert answers[0] == ask(MIXED[0]) and answers[2] == ask(MIXED[2])
        assert answers[1].startswith("refused: a picture cannot be read")
        assert answers[3].startswith("refused: the model fails")


class TestWhoItIs:
    def test_its_name_holds_its_files_and_no_folder(self, one: Path, tmp_path: Path) -> None:
        moved = tmp_path / "tiny"
        moved.mkdir()
        for file in one.iterdir():
            (moved / file.name).write_bytes(file.read_bytes())
        before = chat_transformers(str(moved)).name
        assert before == chat_transformers(str(one)).name
        assert before.startswith("tiny/transformers@")
        (moved / "chat_template.jinja").write_text("other words")
        assert chat_transformers(str(moved)).name != before

    def test_what_its_requests_are_to_hold_counts_or_is_refused(self, one: Path) -> None:
        chosen = LlmModel(model=f"local:{one}", request=RequestOptions(max_tokens=9))
        model, _ = _chat_model(chosen, CallOptions())
        assert model.ask(MIXED[0]).tokens_out == 9 and model.name != chat_transformers(str(one)).name
        with pytest.raises(AcbenchError, match="--llm-effort"):
            _chat_model(replace(chosen, request=RequestOptions(effort="low")), CallOptions())

    def test_it_costs_nothing(self, one: Path, tmp_path: Path) -> None:
        chat = chat_transformers(str(one))
        estimate = LedgerClient(
            retrier=Retrier(model=chat), open_log=partial(LedgerCallLog, tmp_path / "ledger.sqlite")
        ).estimate(MIXED)
        assert (estimate.calls, estimate.cost) == (len(MIXED), 0)
        assert estimate.tokens_in >= sum(chat.ask(asked).tokens_in for asked in MIXED[:2])

    @pytest.mark.parametrize("place", ["/no/such/folder", "org/no-such-model"])
    def test_what_is_not_there_is_said_before_any_work(self, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def cut_off(*_: object, **__: object) -> None:
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", cut_off)
        with pytest.raises(AcbenchError, match=place) as error:
            chat_transformers(place)
        assert "local:FOLDER" in error.value.hint and "HF_HOME" in error.value.hint

    def test_a_folder_of_something_else(self, tmp_path: Path) -> None:
        with pytest.raises(AcbenchError, match=r"no config\.json"):
            chat_transformers(str(tmp_path))
        (tmp_path / "config.json").write_text('{"model_type": "llama"}')
        with pytest.raises(AcbenchError, match="cannot load"):
            chat_transformers(str(tmp_path)).ask(MIXED[0])

    def test_code_beside_the_weights_is_not_run(self, one: Path, tmp_path: Path) -> None:
        for file in one.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        config = json.loads((one / "config.json").read_text())
        config |= {"model_type": "trap", "auto_map": {name: f"trap.{name}" for name in ("AutoConfig", "AutoModel")}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        mark = tmp_path / "sprung"
        (tmp_path / "trap.py").write_text(f"open({str(mark)!r}, 'w')\nclass AutoConfig: ...\nclass AutoModel: ...\n")
        with pytest.raises(AcbenchError, match="cannot load"):
            chat_transformers(str(tmp_path)).ask(MIXED[0])
        assert not mark.exists()

    def test_the_hub_s_cache_is_enough(self, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from huggingface_hub import constants

        commit = "0123456789abcdef0123456789abcdef01234567"
        snapshot = tmp_path / "models--org--tiny" / "snapshots" / commit
        snapshot.mkdir(parents=True)
        for file in one.iterdir():
            (snapshot / file.name).write_bytes(file.read_bytes())
        refs = tmp_path / "models--org--tiny" / "refs"
        refs.mkdir()
        (refs / "main").write_text(commit)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        source = ModelSource.at("org/tiny")
        assert (source.title, source.content, source.place) == ("org/tiny", commit, str(snapshot))
        assert TransformersChat(source=source, batch=1).ask(MIXED[0]).text


class TestAsAWitness:
    @pytest.fixture
    def toy(self, tmp_path: Path) -> Iterator[tuple[Path, Callable[[Path], Llm]]]:
        root = toy_mvtec_ad(tmp_path / "data", {"bottle": ("broken_large", "contamination")}, each=1)

        def witness(model: Path) -> Llm:
            retrier = Retrier(model=chat_transformers(str(model), batch=4), concurrency=4)
            llm_client = LedgerClient(
                retrier=retrier, open_log=partial(LedgerCallLog, tmp_path / "ledger.sqlite"), check_vision=False
            )
            images, models = ImageReader(root), FakeModels(client=llm_client)
            return Llm(Setup(schema=MVTEC_AC, images=images, models=models, vectors=MemoryVectors()), llm_client)

        yield root, witness

    def test_gibberish_becomes_rows_with_a_reason(self, one: Path, toy: tuple[Path, Callable[[Path], Llm]]) -> None:
        root, witness = toy
        items = ingest(sources.get("mvtec_ad"), root).items

        def asked() -> list[Proposal]:
            rows = ask(witness(one), items)
            return sorted(rows, key=lambda row: row.item_id)

        rows = asked()
        assert {row.item_id for row in rows} == {item.item_id for item in items if item.anomalous}
        assert {row.status for row in rows} == {"error"}
        assert all("unparsable" in row.reason and len(row.calls) == 2 for row in rows)
        assert asked() == rows

    def test_the_canary_knows_that_it_is_blind(self, one: Path) -> None:
        with pytest.raises(AcbenchError, match="does not see images"):
            check_vision(chat_transformers(str(one)))

    def test_from_the_command_line(
        self,
        one: Path,
        toy: tuple[Path, Callable[[Path], Llm]],
        tmp_path: Path,
    ) -> None:
        root, _ = toy
        common = ["propose", "mvtec_ac", "--root", root, "--project", tmp_path, "--proposer", "llm"]
        ask = [*common, "--llm", f"local:{one}", "--no-canary", "--concurrency", "4", "--json"]
        done = here(*ask)
        assert (done.status, done.facts) == (3, {"llm": {"ok": 0, "abstained": 0, "error": 2}})
        refused = here(*ask, "--batch")
        assert refused.status == 1 and "runs here" in refused.err


def test_ids_of_calls_tell_models_apart(one: Path) -> None:
    source = ModelSource.at(str(one))
    other = ModelSource(source.title, "other", source.place)
    names = {TransformersChat(source=each, batch=1).name for each in (source, other)}
    assert len({call_id(name, MIXED[0]) for name in names}) == 2
