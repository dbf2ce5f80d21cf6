"""Labelled examples: which are chosen, what they show, and beside whom they may stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from acbench.data import sources
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.predictors.base import KnownLabel, Setup, ShowsLabels, no_labels
from acbench.predictors.llm import examples
from acbench.predictors.llm.messages import (
    Completion,
    CostEstimate,
    Picture,
    Price,
    Question,
    QuestionOptions,
    Reply,
    call_id,
)
from acbench.predictors.proposers.llm import Llm
from acbench.records import GOOD, Item, Proposal
from acbench.testing import FakeModels, MemoryVectors, toy_mvtec_ad
from tests.support.records import MVTEC_AC, ask, item


def known(number: int, *labels: str, people: bool = True, source: bool = False, **other: Any) -> KnownLabel:
    """A bottle whose label is known; its hash grows with the number."""
    return KnownLabel(
        item=item(number, **other), labels=labels or ("contamination",), by_people=people, from_source=source
    )


def numbers(chosen: Iterable[KnownLabel]) -> list[int]:
    return [int(each.item.sha256, 16) for each in chosen]


class TestChoice:
    def test_people_come_first_then_the_hash(self) -> None:
        given = [known(1, people=False, source=True), known(7), known(5), known(3, people=False)]
        assert numbers(examples.choose(given, 3, MVTEC_AC)) == [5, 7, 1]
        assert numbers(examples.choose(given[::-1], 3, MVTEC_AC)) == [5, 7, 1]

    def test_each_class_has_its_own_in_the_order_of_the_schema(self) -> None:
        given = [known(1), known(2, "broken_small"), known(3, "broken_small"), known(4, "broken_large")]
        assert numbers(examples.choose(given, 1, MVTEC_AC)) == [4, 2, 1]

    def test_from_the_chosen_alone_the_choice_is_the_same(self) -> None:
        """Workers get no others."""
        given = [known(number, people=number % 2 == 0) for number in range(9)]
        chosen = examples.choose(given, 3, MVTEC_AC)
        assert examples.choose(chosen, 3, MVTEC_AC) == chosen

    def test_a_later_decision_changes_little(self) -> None:
        given = [known(number) for number in range(0, 20, 2)]
        before = set(numbers(examples.choose(given, 3, MVTEC_AC)))
        assert set(numbers(examples.choose([*given, known(11)], 3, MVTEC_AC))) == before
        assert len(before - set(numbers(examples.choose([*given, known(1)], 3, MVTEC_AC)))) == 1

    def test_what_is_no_clear_example_is_left_out(self) -> None:
        given = [
            known(1, GOOD), known(2, "broken_small", "contamination"), known(3, problem="cut off"),
            known(4), known(4, "broken_small", image="bottle/test/broken_small/004.png"),
            known(5, sha256=""), known(6), known(6, image="bottle/test/contamination/copy.png"),
            known(8, "no_class"), known(9, category="unknown"),
        ]  # fmt: skip
        assert numbers(examples.choose(given, 5, MVTEC_AC)) == [6]

    def test_none_are_wanted_none_are_chosen(self) -> None:
        assert examples.choose([known(1)], 0, MVTEC_AC) == []


class Asker:
    """An LLM client that says the same of every image, draw by draw."""

    price_share = 1.0

    def __init__(self, *said: str, logprobs: tuple[tuple[str, float], ...] = ()) -> None:
        self.said = said or (says("contamination"),)
        self.logprobs = logprobs
        self.questions: dict[str, list[Question]] = {}
        self.notes: list[str] = []
        self.model: Any = type(
            "Model",
            (),
            {
                "name": "fake@00000000",
                "price": Price(1, 1),
                "tokens": lambda self, question: 100,
                "limit": lambda self, question: question.max_tokens,
            },
        )()

    def ask(self, questions: Iterable[tuple[str, Question]]) -> Iterator[tuple[str, Reply]]:
        for name, question in questions:
            self.questions.setdefault(name.partition(" ")[0], []).append(question)
            said = self.said[question.draw % len(self.said)]
            key = call_id("fake", question)
            if said.startswith("ERROR"):
                yield name, Reply(call_id=key, answer=None, error=said, cached=False, unasked="budget" in said)
                continue
            answer = Completion(
                text=said, model="fake", finish="stop", tokens_in=1, tokens_out=1, seconds=0,
                token_logprobs=self.logprobs,
            )  # fmt: skip
            yield name, Reply(call_id=key, answer=answer, error="", cached=False)

    def estimate(self, questions: Iterable[Question]) -> Any:
        calls = len({call_id("fake", question) for question in questions})
        return CostEstimate(calls=calls, cached=0, tokens_in=0, tokens_out=0, cost=0.0)

    def note(self, text: str) -> None:
        self.notes.append(text)


def says(*labels: str, confidence: float = 0.4) -> str:
    listed = ", ".join(f'"{label}"' for label in labels)
    return f'{{"reason": "r", "labels": [{listed}], "confidence": {confidence}}}'


class Bench:
    """Bottles, some of them with known labels."""

    def __init__(self, root: Path) -> None:
        self.root = toy_mvtec_ad(root, {"bottle": ("broken_large", "contamination")}, each=5)
        self.items = list(ingest(sources.get("mvtec_ad"), self.root).items)
        self.defective = [each for each in self.items if each.anomalous]

    def known(self, which: Mapping[int, str], *, source: bool = False) -> list[KnownLabel]:
        return [
            KnownLabel(item=self.defective[number], labels=(label,), by_people=not source, from_source=source)
            for number, label in which.items()
        ]

    def llm(self, asker: Asker, labels: Iterable[KnownLabel] = (), **options: Any) -> Llm:
        given = tuple(labels)
        setup = Setup(
            schema=MVTEC_AC, images=ImageReader(self.root), models=FakeModels(), vectors=MemoryVectors(),
            known_labels=lambda: given,
        )  # fmt: skip
        return Llm(setup, asker, options=QuestionOptions(**options))

    def rows(self, llm: Llm) -> dict[str, Proposal]:
        return {row.item_id: row for row in ask(llm, self.items)}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def captions(question: Question) -> list[str]:
    return [part for part in question.parts if isinstance(part, str) and "an example" in part]


def heads(asker: Asker, items: Iterable[Item]) -> set[tuple[object, ...]]:
    """What questions begin with, up to the image to judge."""
    found = set()
    for each in items:
        (question,) = asker.questions[each.item_id]
        parts: list[object] = []
        for part in question.parts:
            if isinstance(part, str) and "the product to judge." in part:
                break
            parts.append(part.data if isinstance(part, Picture) else part)
        found.add(tuple(parts))
    return found


class TestShown:
    def test_an_image_is_no_example_for_itself(self, bench: Bench) -> None:
        asker = Asker()
        labels = bench.known({0: "broken_large", 1: "broken_large", 6: "contamination"})
        rows = bench.rows(bench.llm(asker, labels, examples=2))
        shown = {each.item.item_id for each in labels}
        for item_id, (question,) in asker.questions.items():
            assert len(captions(question)) == (2 if item_id in shown else 3)
        assert all(row.saw == ("image", "mask", "examples") for row in rows.values())

    def test_nor_for_one_with_the_same_bytes(self, bench: Bench) -> None:
        one, two = bench.defective[0], bench.defective[1]
        (bench.root / two.image).write_bytes((bench.root / one.image).read_bytes())
        bench.items = list(ingest(sources.get("mvtec_ad"), bench.root).items)
        bench.defective = [each for each in bench.items if each.anomalous]
        asker = Asker()
        bench.rows(bench.llm(asker, bench.known({0: "broken_large"}), examples=1))
        assert {len(captions(asker.questions[each.item_id][0])) for each in bench.defective[:2]} == {0}
        assert {len(captions(asker.questions[each.item_id][0])) for each in bench.defective[2:]} == {1}

    def test_questions_of_one_category_begin_alike(self, bench: Bench) -> None:
        asker = Asker()
        bench.rows(bench.llm(asker, bench.known({0: "broken_large", 6: "contamination"}), examples=1))
        others = [each for number, each in enumerate(bench.defective) if number not in {0, 6}]
        assert len(heads(asker, others)) == 1

    def test_labels_of_the_dataset_take_its_independence(self, bench: Bench) -> None:
        asker = Asker()
        mixed = [*bench.known({0: "broken_large"}), *bench.known({6: "contamination"}, source=True)]
        rows = bench.rows(bench.llm(asker, mixed, examples=1))
        bound, free = rows[bench.defective[3].item_id], rows[bench.defective[6].item_id]
        assert bound.saw == ("image", "mask", "examples", "source_label")
        assert free.saw == ("image", "mask", "examples"), "the one example from the source is itself"
        assert any("no independent witness of bottle" in note for note in asker.notes)
        assert any("no example is known of 1 class: bottle broken_small" in note for note in asker.notes)

    def test_without_the_option_nobody_is_asked_for_labels(self, bench: Bench) -> None:
        def refuse() -> list[KnownLabel]:
            raise AssertionError("this takes a while")

        llm = bench.llm(Asker())
        object.__setattr__(llm.setup, "known_labels", refuse)
        assert llm.name and all(row.saw == ("image", "mask") for row in bench.rows(llm).values())
        assert no_labels() == ()

    def test_the_name_holds_the_examples(self, bench: Bench) -> None:
        few = bench.known({0: "broken_large"})
        names = {
            bench.llm(Asker()).name,
            bench.llm(Asker(), few).name,  # not asked for
            bench.llm(Asker(), examples=1).name,  # there are none
            bench.llm(Asker(), few, examples=1).name,
            bench.llm(Asker(), bench.known({1: "broken_large"}), examples=1).name,
            bench.llm(Asker(), bench.known({0: "contamination"}), examples=1).name,
            bench.llm(Asker(), bench.known({0: "broken_large"}, source=True), examples=1).name,
        }
        assert len(names) == 5

    def test_workers_are_told_what_is_shown(self, bench: Bench) -> None:
        labels = bench.known(dict.fromkeys(range(5), "broken_large"))
        llm = bench.llm(Asker(), labels, examples=2)
        assert isinstance(llm, ShowsLabels) and len(llm.shown_labels) == 2
        assert bench.llm(Asker(), llm.shown_labels, examples=2).name == llm.name


class TestDraws:
    def test_the_majority_of_draws_answers(self, bench: Bench) -> None:
        asker = Asker(says("broken_large"), says("contamination"), says("contamination"))
        rows = bench.rows(bench.llm(asker, votes=3))
        for row in rows.values():
            assert row.labels == ("contamination",) and len(row.calls) == 3
            assert row.scores["contamination"] == pytest.approx(2 / 3)
            assert row.rationale == "r (2 of 3 draws: contamination; 1: broken_large)"
        for questions in asker.questions.values():
            assert [question.draw for question in questions] == [0, 1, 2]
            assert len({question.parts for question in questions}) == 1

    def test_a_tie_is_an_abstention_with_a_reason(self, bench: Bench) -> None:
        rows = bench.rows(bench.llm(Asker(says("broken_large"), says("contamination")), votes=2))
        assert {row.status for row in rows.values()} == {"abstained"}
        assert all("divided" in row.reason and len(row.calls) == 2 for row in rows.values())

    def test_a_draw_that_fails_does_not_cost_the_others(self, bench: Bench) -> None:
        llm = bench.llm(Asker(says("contamination"), "ERROR budget: spent", "nonsense"), votes=3)
        rows = bench.rows(llm)
        for row in rows.values():
            assert row.labels == ("contamination",) and row.scores["contamination"] == 1
            assert "2 failed, budget: spent" in row.rationale.replace("ERROR ", "")
            assert len(row.calls) == 4, "the unusable draw was asked a second time"
        assert llm.unasked == len(rows)

    def test_they_are_counted(self, bench: Bench) -> None:
        one, three = (bench.llm(Asker(), votes=votes) for votes in (1, 3))
        assert three.estimate(bench.items).calls == 3 * one.estimate(bench.items).calls == 30
        assert three.estimate(bench.items).cost == pytest.approx(3 * one.estimate(bench.items).cost)
        assert three.dry_run(bench.items).estimate.calls == 30
        assert one.name != three.name

    def test_the_probability_of_the_label_is_the_confidence(self, bench: Bench) -> None:
        tokens = (('{"labels": ["', 0.0), ("contam", -0.105), ("ination", 0.0), ('"]}', 0.0))
        rows = bench.rows(bench.llm(Asker(says("contamination", confidence=0.2), logprobs=tokens)))
        assert {round(row.scores["contamination"], 2) for row in rows.values()} == {0.9}
