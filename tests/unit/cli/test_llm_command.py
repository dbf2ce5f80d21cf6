"""Several multimodal LLMs by name, through the real command line, against models on loopback that err differently."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from acbench.cli.screen import Screen
from acbench.records import Label, Proposal
from acbench.review.app_samples import SampleBuilder
from acbench.storage import tables
from acbench.testing.endpoint import ANSWER, FakeEndpoint, Json, colour_of, question_pictures, refusal
from acbench.workflows.label import label, prepare
from acbench.workflows.queue import rank
from acbench.workflows.run import open_run
from tests.support.commands import Done, here, here_in
from tests.support.releases import build
from tests.support.sample import project_with_images

WORK = Path(".acbench/sample")
ASK = ("relabel", "sample", "--without", "neighbours", "--category", "washer")


def answers(number: int) -> Callable[[Json], str]:
    """A model that always names the same class, by its number in the schema of the answer; it sees colours."""

    def answer(body: Json) -> str:
        properties = body["response_format"]["json_schema"]["schema"]["properties"]
        if "colour" in properties:
            return json.dumps({"colour": colour_of(question_pictures(body)[0])})
        return json.dumps({**ANSWER, "labels": [properties["labels"]["items"]["enum"][number]]})

    return answer


@pytest.fixture
def one() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as running:
        running.answer = answers(-1)
        yield running


@pytest.fixture
def other() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as running:
        running.answer = answers(-2)
        yield running


@pytest.fixture
def project(sample_images: Path, tmp_path: Path) -> Path:
    return project_with_images(tmp_path / "project", sample_images)


def add(project: Path, name: str, server: FakeEndpoint, *more: object, model: str = "", status: int = 0) -> Done:
    at = ("--model", model or name, "--url", server.url)
    return here_in(project, "llm", "add", name, *at, *more, status=status)


def table(project: Path) -> Any:
    return json.loads((project / ".acbench/llm.json").read_text())["models"]


def proposals(project: Path, name: str) -> list[Proposal]:
    return tables.read(project / WORK / f"proposals/{name}.parquet", Proposal)


def labels(project: Path) -> dict[str, Label]:
    return {row.image: row for row in tables.read(project / "annotations/sample/labels.jsonl", Label)}


def accepted(project: Path) -> dict[str, tuple[Any, ...]]:
    return {image: (row.status, row.labels, row.agreement) for image, row in labels(project).items()}


class TestTwoModels:
    def test_they_are_two_witnesses_everywhere(self, project: Path, one: FakeEndpoint, other: FakeEndpoint) -> None:
        add(project, "a", one, "--price", "2/8")
        add(project, "b", other, "--price", "0/0")
        done = here_in(project, *ASK, "--with", "llm:a", "--with", "llm:b", "--budget", "5")
        assert one.requests and other.requests
        assert {body["model"] for body in one.requests} == {"a"} and {body["model"] for body in other.requests} == {"b"}
        assert "llm:a (a-2026-01-01) named a class" in done.out and "llm:b (b-2026-01-01) named a class" in done.out
        assert "one family" not in done.out
        with (project / WORK / "queue.csv").open(encoding="utf-8-sig", newline="") as file:
            (first, *_) = csv.DictReader(file)
        assert "llm:a (a-2026-01-01): " in first["proposals"] and "llm:b (b-2026-01-01): " in first["proposals"]
        disputed = [row for row in labels(project).values() if "witnesses differ" in row.reason]
        assert disputed and all("llm:a (a-2026-01-01) says " in row.reason for row in disputed)
        meta = json.loads((project / "annotations/sample/labels.meta.json").read_text())
        assert {name.partition("@")[0]: facts.get("models") for name, facts in meta["witnesses"].items()} == {
            "source_label": None, "llm:a": ["a-2026-01-01"], "llm:b": ["b-2026-01-01"],
        }  # fmt: skip
        compared = here_in(project, "compare", "sample")
        assert "llm:a (a-2026-01-01)" in compared.out and "llm:b (b-2026-01-01)" in compared.out
        self.app_and_desk(project)
        card = build(project, "sample").folder.joinpath("README.md").read_text()
        assert "witnesses-3" in card and "a-2026-01-01, a" in re.sub(r"\\(.)", r"\1", card)
        assert re.search(r"\| `llm:a@\w+` \| model \|", card) and re.search(r"\| `llm:b@\w+` \| model \|", card)

    def app_and_desk(self, project: Path) -> None:
        from acbench.review.tasks import DueTask, TaskContent

        with open_run(project, "sample", console=Screen()) as run:
            labelled = label(run, prepare(run))
            queue = rank(run, labelled)
            proposed = labelled.proposed
            builder = SampleBuilder(
                root=project, items=proposed.dataset.items, labels=labelled.labels, proposals=proposed.by_item,
                reviews=[], ranked=queue.ranked, waiting=queue.waiting, predictions={}, schema=run.schema,
            )  # fmt: skip
            sample = builder.samples()[0]
            shown: Any = sample.fields["proposal_llm_a"]
            assert shown.facts["model"] == "a-2026-01-01" and "proposal_llm_b" in sample.fields
            first = queue.waiting[0]
            content = TaskContent(
                due=DueTask(first, 1), item=proposed.dataset.by_id[first.item_id], pictures={}, blind=False,
                proposals=proposed.by_item[first.item_id], schema_version="1", names={},
            )  # fmt: skip
            task = content.task()
        assert "llm:a (a-2026-01-01)" in str(task.data["proposals"]) and "one family" not in str(task.data)
        assert {str(each["model_version"]).partition("@")[0] for each in task.predictions} >= {"llm:a", "llm:b"}

    def test_models_of_one_family_are_one_witness(self, project: Path, one: FakeEndpoint, other: FakeEndpoint) -> None:
        other.answer = one.answer
        add(project, "a", one, model="gpt-4o")
        add(project, "b", other, model="gpt-4o-mini")
        done = here_in(project, *ASK, "--with", "llm:a", "--without", "source_label", "--with", "llm:b")
        assert "llm:a and llm:b are models of one family, openai: what they agree on counts once" in done.out
        single = {row.agreement for row in labels(project).values() if "/test/scratch/" in row.image}
        assert single == {None}
        here_in(project, "llm", "add", "b", "--family", "mine")
        here_in(project, "relabel", "sample")
        several = {row.agreement for row in labels(project).values() if "/test/scratch/" in row.image}
        assert several == {1.0}

    def test_one_model_under_two_names_is_one_witness(self, project: Path, one: FakeEndpoint) -> None:
        add(project, "a", one, model="m")
        add(project, "b", one, model="m")
        here_in(project, *ASK, "--without", "source_label", "--with", "llm:a", "--with", "llm:b")
        assert {row.agreement for row in labels(project).values() if "/test/scratch/" in row.image} == {None}

    def test_the_budget_is_one_for_both(self, project: Path, one: FakeEndpoint, other: FakeEndpoint) -> None:
        add(project, "a", one, "--price", "2/8")
        add(project, "b", other, "--price", "2/8")
        here_in(project, *ASK, "--with", "llm:a", "--with", "llm:b", "--budget", "0.05", "--concurrency", "1", status=3)
        assert 0 < one.dollars + other.dollars <= 0.05

    def test_answers_of_a_model_that_is_no_longer_asked_stay_in_compare_and_do_not_vote(
        self, project: Path, one: FakeEndpoint, other: FakeEndpoint
    ) -> None:
        here_in(project, *ASK, "--with", "llm", "--llm", "a", "--llm-url", one.url)
        before = accepted(project)
        here_in(project, "relabel", "sample", "--llm", "b", "--llm-url", other.url)
        compared = here_in(project, "compare", "sample")
        assert "(a-2026-01-01), no longer asked" in compared.out and "(b-2026-01-01)" in compared.out
        here_in(project, "relabel", "sample", "--with", "source_label")
        facts = here_in(project, "compare", "sample", "--json").facts["proposers"]
        assert [each["asked"] for name, each in facts.items() if name.startswith("llm")] == [False, False]
        assert accepted(project) != before
        assert all("llm" not in row.decided_by for row in labels(project).values())


class TestTable:
    def test_what_is_added_is_listed_changed_and_removed(self, project: Path, one: FakeEndpoint) -> None:
        done = add(
            project, "a.b-c_1", one, "--price", "2.5/10", "--key-env", "MY_KEY", "--max-tokens", "4000",
            "--effort", "low", "--extra", 'provider={"order": ["x"]}', "--extra", "top_k=1", "--edge", "1024",
            "--votes", "3", "--examples", "2", "--logprobs", "--family", "mine",
        )  # fmt: skip
        assert "Next: acbench llm test a.b-c_1" in done.out
        kept = table(project)["a.b-c_1"]
        assert kept["request"] == {
            "max_tokens": 4000, "effort": "low", "logprobs": True, "extra": {"provider": {"order": ["x"]}, "top_k": 1},
        }  # fmt: skip
        assert kept["question"] == {"edge": 1024, "votes": 3, "examples": 2}
        listed = here_in(project, "llm", "list").out
        assert "llm:a.b-c_1" in listed and one.url in listed and "2.5/10" in listed
        here_in(project, "llm", "add", "a.b-c_1", "--effort", "default", "--extra", "default", "--price", "default")
        kept = table(project)["a.b-c_1"]
        assert (kept["request"]["effort"], kept["request"]["extra"], kept["price"]) == ("", {}, [])
        assert kept["request"]["max_tokens"] == 4000 and kept["key_env"] == "MY_KEY"
        here_in(project, "llm", "remove", "a.b-c_1")
        assert table(project) == {} and "No model" in here_in(project, "llm", "list").out

    def test_another_model_inherits_nothing_that_was_said_of_the_former(self, project: Path, one: FakeEndpoint) -> None:
        add(project, "a", one, "--price", "1/2", "--key-env", "MY_KEY", "--effort", "low", "--edge", "1024")
        done = here_in(project, "llm", "add", "a", "--model", "new")
        assert "--price" in done.err and "--effort" in done.err and "were said of a" in done.err
        kept = table(project)["a"]
        assert (kept["price"], kept["request"]["effort"]) == ([], "")
        assert (kept["key_env"], kept["question"]["edge"]) == ("MY_KEY", 1024), "the key stays with the address"
        done = here_in(project, "llm", "add", "a", "--url", "https://llm.example.org/v1")
        assert "--key-env" in done.err and table(project)["a"]["key_env"] is None

    @pytest.mark.parametrize("name", ["a b", "a/b", "", ".a", "-", "a@b", "a:b", "ä", "x" * 41])
    def test_a_name_that_cannot_be_typed_is_refused(self, project: Path, one: FakeEndpoint, name: str) -> None:
        done = here("llm", "add", "--model", "m", "--project", project, "--", name)
        assert done.status == 1
        assert "letters, digits" in done.err and not (project / ".acbench/llm.json").exists()

    def test_what_is_no_model_or_a_key_is_refused(self, project: Path) -> None:
        assert "expected a model" in here_in(project, "llm", "add", "a", "--effort", "low", status=1).err
        assert "expected a model" in here_in(project, "llm", "add", "a", "--model", "llm:b", status=1).err
        done = here_in(project, "llm", "add", "a", "--model", "m", "--key-env", "sk-5ecret", status=2)
        assert "not the key" in done.err and "5ecret" not in done.err
        assert "KEY=JSON" in here_in(project, "llm", "add", "a", "--model", "m", "--extra", "x", status=2).err
        assert "quotes" in here_in(project, "llm", "add", "a", "--model", "m", "--extra", "x=low", status=2).err
        assert (
            "set by acbench"
            in here_in(project, "llm", "add", "a", "--model", "m", "--extra", 'model="x"', status=1).err
        )

    def test_a_wrong_value_is_named_by_file_and_field(self, project: Path, one: FakeEndpoint) -> None:
        add(project, "a", one)
        path = project / ".acbench/llm.json"
        path.write_text(path.read_text().replace('"edge": 768', '"edge": "big"'))
        done = here_in(project, "llm", "list", status=1)
        assert str(path) in done.err and "question.edge" in done.err
        path.write_text(json.dumps({"models": {"a": {"model": "m", "prise": [1, 2]}}}))
        assert "prise" in here_in(project, "relabel", "sample", status=1).err

    def test_a_model_that_a_benchmark_asks_for_is_not_removed(self, project: Path, one: FakeEndpoint) -> None:
        add(project, "a", one)
        here_in(project, *ASK, "--with", "llm:a")
        done = here_in(project, "llm", "remove", "a", status=1)
        assert "sample asks for llm:a" in done.err and "a" in table(project)
        here_in(project, "relabel", "sample", "--with", "source_label")
        here_in(project, "llm", "remove", "a")

    def test_a_name_that_nobody_has_says_how_to_add_it(self, project: Path) -> None:
        done = here_in(project, *ASK, "--with", "llm:new", status=1)
        assert "acbench llm add new" in done.err
        assert "acbench llm add new" in here_in(project, "llm", "test", "new", status=1).err
        assert "acbench llm add new" in here_in(project, "llm", "remove", "new", status=1).err


class TestMoney:
    @pytest.mark.parametrize("command", [("compare",), ("report",), ("review", "queue"), ("review", "push")])
    def test_a_command_without_a_budget_asks_nobody(
        self, project: Path, one: FakeEndpoint, command: tuple[str, ...]
    ) -> None:
        add(project, "a", one, "--price", "2/8")
        done = here_in(project, *ASK, "--with", "llm:a", "--budget", "0.1", status=3)
        assert "run again to go on" in done.err
        asked = len(one.requests)
        assert asked
        there = here_in(project, *command, "sample", status=1 if command == ("review", "push") else 0)
        assert len(one.requests) == asked
        if command != ("review", "push"):  # which finds no server first
            assert "llm:a: some answers are missing or out of date, and this command asks nobody" in there.err

    def test_what_a_model_takes_that_thinks_is_known_once_it_was_asked(self, project: Path, one: FakeEndpoint) -> None:
        add(project, "a", one, "--price", "2/8/0.5")
        assert table(project)["a"]["price"] == [2, 8, 0.5]
        unknown = here_in(project, *ASK, "--with", "llm:a", "--dry-run")
        assert "more if the model thinks before it answers" in unknown.out
        here_in(project, *ASK, "--with", "llm:a", "--limit", "4")
        assert "more if the model" not in here_in(project, *ASK, "--with", "llm:a", "--limit", "0", "--dry-run").out


class TestTest:
    def test_it_tells_what_a_question_takes_and_keeps_nothing(self, project: Path, one: FakeEndpoint) -> None:
        add(project, "a", one, "--price", "2/8")
        done = here_in(project, "llm", "test", "a")
        assert "a-2026-01-01 answered, of the family a" in done.out and "json_schema" in done.out
        assert "tokens in, 30 out, $0.0" in done.out and "s a call" in done.out
        assert len(one.requests) == 3, "two colours and one question"
        here_in(project, "llm", "test", "a")
        assert len(one.requests) == 6
        assert here_in(project, "llm", "test", "a", "--json").facts["tokens_out"] == 30

    def test_a_blind_model_fails_with_the_reason(self, project: Path, one: FakeEndpoint) -> None:
        one.answer = lambda body: json.dumps({"colour": "red"})
        add(project, "a", one)
        done = here_in(project, "llm", "test", "a", status=1)
        assert "does not see images" in done.err and "→" in done.err

    def test_so_does_one_that_refuses_the_key(self, project: Path, one: FakeEndpoint) -> None:
        one.refuses = lambda body: refusal(401)
        add(project, "a", one)
        assert "key" in here_in(project, "llm", "test", "a", status=1).err

    def test_so_does_one_that_answers_nothing_of_use(self, project: Path, one: FakeEndpoint) -> None:
        sees = one.answer
        one.answer = lambda body: sees(body) if "red or blue" in str(body) else "well"
        add(project, "a", one)
        done = here_in(project, "llm", "test", "a", status=1)
        assert "no answer that can be used" in done.err and "acbench llm add a" in done.err


class TestSettings:
    def test_what_is_said_of_the_unnamed_model_is_kept_and_taken_back(self, project: Path, one: FakeEndpoint) -> None:
        here_in(
            project, *ASK, "--llm", "a", "--llm-url", one.url, "--llm-max-tokens", "900", "--llm-effort", "low",
            "--llm-extra", "top_k=1", "--llm-edge", "1024", "--llm-votes", "3", "--llm-examples", "1",
            "--llm-logprobs", "--llm-family", "mine", "--llm-key-env", "MY_KEY",
        )  # fmt: skip
        path = project / WORK / "settings.json"
        kept = json.loads(path.read_text())["llm"]
        assert kept["request"] == {"max_tokens": 900, "effort": "low", "logprobs": True, "extra": {"top_k": 1}}
        assert (kept["question"]["edge"], kept["family"], kept["key_env"]) == (1024, "mine", "MY_KEY")
        here_in(
            project, "relabel", "sample", "--llm-max-tokens", "default", "--llm-effort", "default",
            "--llm-extra", "default", "--llm-edge", "default", "--llm-votes", "default", "--llm-examples", "default",
            "--no-llm-logprobs", "--llm-family", "default", "--llm-key-env", "default", "--llm-url", "default",
            "--llm-price", "default", "--llm", "",
        )  # fmt: skip
        kept = json.loads(path.read_text())["llm"]
        assert kept == {
            "model": "", "url": None, "key_env": None, "price": [], "family": "",
            "request": {"max_tokens": None, "effort": "", "logprobs": False, "extra": {}},
            "question": {"edge": 768, "votes": 1, "examples": 0},
        }  # fmt: skip

    def test_another_model_drops_what_was_said_of_the_former_and_says_so(
        self, project: Path, one: FakeEndpoint
    ) -> None:
        here_in(project, *ASK, "--llm", "a", "--llm-url", one.url, "--llm-price", "1/2", "--llm-effort", "low")
        done = here_in(project, "relabel", "sample", "--llm", "b")
        assert "--llm-price, --llm-effort: dropped, since they were said of a" in done.err
        assert "dropped" not in here_in(project, "relabel", "sample").err

    def test_a_model_of_the_table_stands_in_for_the_unnamed_one(self, project: Path, one: FakeEndpoint) -> None:
        add(project, "a", one)
        here_in(project, *ASK, "--with", "llm", "--llm", "llm:a")
        assert one.requests and {row.model for row in proposals(project, "llm")} == {"a-2026-01-01"}
        done = here_in(project, "relabel", "sample", "--llm-edge", "1024", status=1)
        assert "acbench llm add a --edge" in done.err

    def test_velm_and_a_shard_ask_a_model_of_the_table_too(self, project: Path, one: FakeEndpoint) -> None:
        add(project, "a", one, "--price", "2/8")
        velm = ("velm", "sample", "--category", "washer", "--detector", "none", "--llm", "llm:a", "--json")
        assert here_in(project, *velm, "--dry-run").facts["velm"]["cost"] > 0
        done = here_in(project, "propose", "sample", "--category", "washer", "--proposer", "llm:a", "--shard", "1/2")
        assert "of 52 llm:a" in done.out and one.requests
        here_in(project, "merge", "sample")
        asked = len(one.requests)
        facts = here_in(project, "propose", "sample", "--proposer", "llm:a", "--no-canary", "--json").facts
        assert facts["llm:a"]["ok"] == 52 and len(one.requests) < asked + 52, "what the shard asked is known"

    @pytest.mark.parametrize(
        ("options", "hint"),
        [
            (["--llm", "a", "--llm", "b"], "acbench llm add"),
            (["--llm-url", "http://localhost:1/v1", "--llm-url", "http://localhost:2/v1"], "--llm-url takes one value"),
            (["--clip-model", "A", "--clip-model", "B"], "clip:MODEL/WEIGHTS"),
            (["--seed", "1", "--seed", "2"], "--seed takes one value"),
            (["--llm-logprobs", "--no-llm-logprobs"], "takes one value"),
        ],
    )
    def test_an_option_given_twice_never_drops_a_value(self, project: Path, options: list[str], hint: str) -> None:
        assert hint in here_in(project, "relabel", "sample", *options, status=2).err

    def test_an_option_given_twice_with_one_value_is_no_question(self, project: Path) -> None:
        here_in(project, *ASK, "--seed", "1", "--seed", "1")

    def test_a_key_of_openai_that_is_not_sent_is_told(self, project: Path) -> None:
        asked = ("--with", "llm", "--llm", "a", "--llm-url", "https://llm.example.org/v1", "--dry-run")
        done = here_in(project, *ASK, *asked, OPENAI_API_KEY="sk-5ecret")
        assert "OPENAI_API_KEY goes to api.openai.com only" in done.err and "--llm-key-env NAME" in done.err
        assert "5ecret" not in done.said
        assert "only" not in here_in(project, *ASK, *asked, "--llm-key-env", "K", OPENAI_API_KEY="k").err


class TestExport:
    def test_answers_go_out_and_come_home_the_same(self, project: Path, one: FakeEndpoint, tmp_path: Path) -> None:
        add(project, "a", one)
        here_in(project, *ASK, "--with", "llm:a")
        before = accepted(project)
        out = tmp_path / "a.csv"
        assert "rows" in here_in(project, "export", "proposals", "sample", "llm:a", "--out", out).out
        assert here_in(project, "export", "proposals", "sample", "llm:a").out == out.read_text()
        here_in(project, "relabel", "sample", "--with", f"file:{out}")
        assert accepted(project) == before
        done = here_in(project, "relabel", "sample", "--with", f"file:{out}", "--with", "llm:a")
        assert "counts once" in done.out and accepted(project) == before, "the same model, not a second witness"
        scored = here_in(project, "score", "sample", "--predictions", out, "--json", status=3).facts
        assert scored["system"] == "a"

    def test_who_has_not_answered_is_told(self, project: Path) -> None:
        here_in(project, *ASK)
        done = here_in(project, "export", "proposals", "sample", "llm:a", status=1)
        assert "has not answered" in done.err and "source_label@" in done.err
