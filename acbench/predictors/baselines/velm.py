"""The baseline `velm`: a detector finds anomalous images and the place, a multimodal LLM names the kind of defect.

After Mokhtar et al. 2025, *Detect, Classify, Act*, arXiv 2505.02626: a detector and its threshold, the image with a red
contour at 448 pixels beside a normal training image, the descriptions of the classes, a strategy, and one question an
image. An image that the detector calls normal is `good` and costs nothing. An answer that cannot be read is wrong:
there is no second question.

The paper's detector is DDAD; here it is the one that the user chose (`acbench.predictors.detection`). The parser of
answers, the LLM client, the budget and the kept calls are those of the proposer `llm`. So is the question if
`BaselineOptions.question` is `acbench`: then it has close-ups and measured facts, and asks for the one class that fits
best. It never has examples, since every labelled image may be a scored one, and each question is drawn once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from acbench._util.console import Progress
from acbench.predictors.base import BaselineSetup, DryRun
from acbench.predictors.detection.localise import Localisation, Localiser
from acbench.predictors.llm import questions
from acbench.predictors.llm.class_question import ClassQuestions, ours
from acbench.predictors.llm.defect_question import DefectQuestions
from acbench.predictors.llm.messages import LlmClient, QuestionOptions, Reply
from acbench.predictors.llm.parse import parse
from acbench.records import GOOD, Item, Prediction
from acbench.storage.digests import digest

_PARSE: Mapping[str, Literal["ok", "unknown", "empty"]] = {"ok": "ok", "abstained": "empty", "error": "unknown"}
"""Status of a parsed answer → how the prediction calls it."""


@dataclass
class Velm:
    """The baseline `velm`."""

    setup: BaselineSetup
    llm_client: LlmClient
    localiser: Localiser
    ours: DefectQuestions | None = None
    """Makes acbench's question; None for the paper's."""
    references: Sequence[str] = field(init=False, default=())
    """Empty: the normal images that it shows are from the training split, which is not scored."""
    paid: bool = field(init=False, default=True)
    unasked: int = field(init=False, default=0)

    @cached_property
    def name(self) -> str:
        return f"velm@{digest(1, self.llm_client.model.name, self.localiser.key, *self._questions.key, length=8)}"

    @cached_property
    def _questions(self) -> ClassQuestions:
        return ClassQuestions(self.setup, self.localiser, self.ours)

    @property
    def localisation(self) -> tuple[str, str]:
        return self.localiser.provenance

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterator[Prediction]:
        """One prediction for each item, in the order in which answers come; none if its question was not asked."""
        self.unasked = 0
        for done, prediction in enumerate(self._predictions(items), start=1):
            progress(done, len(items))
            yield prediction

    def dry_run(self, items: Sequence[Item], progress: Progress) -> DryRun:
        """What `predict` would ask. Sends nothing, but the detector runs: it decides how many questions there are."""
        anomalous = [seen.item for seen in self.localiser.localise(items, progress) if _is_asked(seen.place)]
        return questions.dry_run(self.llm_client, self._questions.drafts(anomalous))

    # Work in parts

    def context(self, items: Sequence[Item]) -> list[Item]:
        """The normal training items: the detector is fitted to them, questions show them, and all decide the name."""
        return [item for item in self.setup.items if item.split == "train" and not item.anomalous]

    def fit_parts(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        """One item of each category, since a detector is fitted to a category."""
        return [[item] for item in {item.category: item for item in items}.values()]

    def fit(self, items: Sequence[Item]) -> None:
        """Fit the detector to the items' categories."""
        self.localiser.fit({item.category for item in items})

    # Answers

    def _predictions(self, items: Sequence[Item]) -> Iterator[Prediction]:
        scores: dict[str, float | None] = {}
        anomalous: list[Item] = []
        for item, place in self.localiser.localise(items, lambda *_: None):
            scores[item.item_id] = place.score
            if place.problem:
                yield self._failure(item, place.score, place.problem)
            elif place.anomalous is False:
                yield self._normal(item, place.score)
            else:
                anomalous.append(item)
        for asked in questions.ask(self.llm_client, self._questions.drafts(anomalous)):
            score = scores[asked.item.item_id]
            if asked.reply is None:
                yield self._failure(asked.item, score, asked.problem)
            elif asked.reply.unasked:
                self.unasked += 1
            else:
                yield self._answer(asked.item, score, asked.reply)

    def _answer(self, item: Item, score: float | None, reply: Reply) -> Prediction:
        if reply.answer is None:
            return self._failure(item, score, reply.error, calls=(reply.call_id,))
        category = self.setup.schema.category(item.category)
        assert category is not None, "only items of known categories are asked about"
        parsed = parse(reply.answer.text, category)
        if parsed.liberty:
            self.llm_client.note(f"{self.llm_client.model.name}: {parsed.liberty}")
        return Prediction(
            item_id=item.item_id,
            system=self.name,
            raw=reply.answer.text,
            labels=parsed.labels,
            parse=_PARSE[parsed.status],
            detector_score=score,
            calls=(reply.call_id,),
        )

    def _normal(self, item: Item, score: float | None) -> Prediction:
        """The prediction for an image that the detector calls normal."""
        return Prediction(
            item_id=item.item_id, system=self.name, raw=GOOD, labels=(GOOD,), parse="ok", detector_score=score
        )

    def _failure(self, item: Item, score: float | None, problem: str, calls: tuple[str, ...] = ()) -> Prediction:
        return Prediction(
            item_id=item.item_id,
            system=self.name,
            raw=problem,
            labels=(),
            parse="error",
            detector_score=score,
            calls=calls,
        )


def _is_asked(place: Localisation) -> bool:
    """Whether the LLM is asked about an image."""
    return not place.problem and place.anomalous is not False


def build(setup: BaselineSetup) -> Velm:
    """The baseline with the LLM that the user chose. Raises AcbenchError if the user chose none, or for an ablation of
    acbench's question that it does not have."""
    llm_client, shown, options = setup.models.llm_client(), setup.models.question_options(), setup.options
    if options.question == "paper":
        _note_unused(llm_client, "velm", shown, QuestionOptions())
        return Velm(setup, llm_client, Localiser(setup))
    made = ours(setup, shown.edge)
    _note_unused(llm_client, "velm --question acbench", shown, QuestionOptions(edge=shown.edge))
    return Velm(setup, llm_client, Localiser(setup), made)


def _note_unused(llm_client: LlmClient, who: str, given: QuestionOptions, used: QuestionOptions) -> None:
    """Name the options of questions that are given and change nothing here."""
    names = [name for name in ("edge", "votes", "examples") if getattr(given, name) != getattr(used, name)]
    if names:
        llm_client.note(f"{who} does not use {', '.join(f'--llm-{name}' for name in names)}")
