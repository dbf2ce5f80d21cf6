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
from functools import cached_property, partial
from itertools import count
from typing import Literal

from acbench._util import templates
from acbench._util.console import Progress
from acbench.errors import AcbenchError
from acbench.predictors.base import BaselineSetup, DryRun
from acbench.predictors.detection.localise import Localisation, Localiser, marked_region
from acbench.predictors.llm import questions
from acbench.predictors.llm.defect_question import DefectQuestions, Subject
from acbench.predictors.llm.messages import LlmClient, Picture, Question, QuestionOptions, Reply
from acbench.predictors.llm.parse import parse
from acbench.predictors.llm.questions import QUALITY, Draft, Reference
from acbench.records import GOOD, Item, Prediction
from acbench.schema import Category
from acbench.schema.render import json_schema
from acbench.storage.digests import digest

EDGE = 448
"""The longer edge of a picture in the paper's question, pixels; smaller images keep their size."""
_TEXTS = templates.read("velm")
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
        options = self.setup.options
        switches = (options.reference, options.contour, options.descriptions, options.strategy)
        texts = [self._description(category) for category in self.setup.schema.categories.values()]
        asked: tuple[object, ...] = (_TEXTS.source, EDGE, QUALITY, texts)
        if self.ours is not None:
            asked = self.ours.key(self.setup.schema)
        return f"velm@{digest(1, self.llm_client.model.name, self.localiser.key, switches, *asked, length=8)}"

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
        return questions.dry_run(self.llm_client, self._drafts(anomalous))

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

    # Questions

    def _drafts(self, items: Sequence[Item]) -> Iterator[Draft]:
        """The questions about items, category by category."""
        references = self._references(items)
        return questions.make_questions(
            (seen.item, partial(self._question, seen.item, seen.place, references.get(seen.item.category)))
            for seen in self.localiser.localise(items, lambda *_: None)
        )

    def _references(self, items: Sequence[Item]) -> dict[str, Reference]:
        if not self.setup.options.reference:
            return {}
        edge = self.ours.edge if self.ours else EDGE
        return questions.references(self.setup.items, {item.category for item in items}, self.setup.images, edge)

    def _question(self, item: Item, place: Localisation, reference: Reference | None) -> Question:
        """Raises AcbenchError if the image cannot be read, or the schema lacks its category."""
        category = self.setup.schema.category(item.category)
        if category is None:
            raise AcbenchError(f"the schema has no category {item.category}")
        image = self.setup.images.image(item.image)
        mask = marked_region(place, image.size) if self.setup.options.contour else None
        if self.ours is not None:
            return self.ours.question(Subject(category=category, image=image, mask=mask, reference=reference))
        parts: list[str | Picture] = [self._description(category)]
        numbers = count(1)
        if reference is not None:
            parts += [_TEXTS.fill("reference", number=next(numbers)), reference.shown.picture]
        if mask is not None and mask.any():
            from acbench.data import evidence  # imports scipy

            outlined = evidence.contour(image, mask, longest=EDGE)
            parts += [_TEXTS.fill("contour", number=next(numbers)), questions.full_view(outlined, EDGE).picture]
        else:
            parts += [_TEXTS.fill("query", number=next(numbers)), questions.full_view(image, EDGE).picture]
        class_ids = ", ".join(f"`{class_id}`" for class_id in category.class_ids)
        parts.append(_TEXTS.fill("task", ids=class_ids, good=GOOD))
        return Question(system=_TEXTS.fill("system"), parts=tuple(parts), schema=json_schema(category))

    def _description(self, category: Category) -> str:
        """What a question says about a category."""
        options = self.setup.options
        parts = [_TEXTS.fill("product", name=category.name, object=category.object if options.descriptions else "")]
        if options.descriptions and category.normal:
            parts.append(_TEXTS.fill("normal", good=GOOD, normal=category.normal))
        classes = [
            _TEXTS.fill("described", id=defect.id, name=defect.name, definition=defect.definition)
            if options.descriptions and defect.definition
            else _TEXTS.fill("named", id=defect.id, name=defect.name)
            for defect in category.classes
        ]
        parts.append(_TEXTS.fill("classes", classes="\n".join(classes)))
        if options.strategy and category.guide:
            parts.append(_TEXTS.fill("strategy", guide=category.guide))
        return "\n".join(part.strip() for part in parts)

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
        for asked in questions.ask(self.llm_client, self._drafts(anomalous)):
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
    if not (options.descriptions and options.strategy):
        raise AcbenchError(
            "acbench's question is always asked with descriptions and strategy",
            "leave --no-descriptions and --no-strategy out, or take --question paper",
        )
    _note_unused(llm_client, "velm --question acbench", shown, QuestionOptions(edge=shown.edge))
    marker = "the data set" if options.detector == "oracle" else "a detector"
    ours = DefectQuestions(edge=shown.edge, marker=marker, one_class=True)
    return Velm(setup, llm_client, Localiser(setup), ours)


def _note_unused(llm_client: LlmClient, who: str, given: QuestionOptions, used: QuestionOptions) -> None:
    """Name the options of questions that are given and change nothing here."""
    names = [name for name in ("edge", "votes", "examples") if getattr(given, name) != getattr(used, name)]
    if names:
        llm_client.note(f"{who} does not use {', '.join(f'--llm-{name}' for name in names)}")
