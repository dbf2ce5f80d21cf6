"""VELM: a detector finds the anomalous pictures and the place, a multimodal LLM names the kind of defect.

After Mokhtar et al. 2025, *Detect, Classify, Act*, arXiv 2505.02626: detector, gate, a red contour on the query of 448
pixels beside a normal picture of training, the categories' descriptions and a strategy, and one question a picture.
What the gate stops is `good` and costs nothing. An answer that cannot be read is a wrong one: nobody is asked twice.

The detector is the one that was chosen (`_maps`), the paper's being DDAD. Answers, calls, budget and cache are those of
the proposer `llm`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

from PIL import Image

from acbench._util import templates
from acbench._util.console import Progress
from acbench._util.prefetch import ahead
from acbench.data import images as imaging
from acbench.errors import AcbenchError
from acbench.predictors.base import BaselineSetup, DryRun
from acbench.predictors.detection.localise import Localisation, Localiser, marked
from acbench.predictors.llm import parse as answers
from acbench.predictors.llm.messages import LlmClient, Picture, Question, Reply
from acbench.predictors.proposers.llm import render
from acbench.records import GOOD, Item, Prediction
from acbench.schema import Category
from acbench.schema.render import json_schema
from acbench.storage.digests import digest

EDGE = 448
"""Longer edge of a picture, pixels, as in the paper; smaller images stay as they are."""
QUALITY = 92
"""Of JPEG, without chroma subsampling: it would blur the outline."""
_TEXTS = templates.read("velm")


@dataclass
class Velm:
    """See the module."""

    setup: BaselineSetup
    llm_client: LlmClient
    localiser: Localiser
    references: Sequence[str] = ()
    """None is scored: the normal pictures that are shown are of the training split."""
    paid: bool = True
    unfinished: int = 0
    _failed: dict[str, str] = field(default_factory=dict)
    """item_id → why no question can be made of it."""

    @cached_property
    def name(self) -> str:
        options = self.setup.options
        switches = (options.reference, options.contour, options.descriptions, options.strategy)
        told = [self._told(category) for category in self.setup.schema.categories.values()]
        decides = (1, self.llm_client.model.name, self.localiser.key, switches, _TEXTS.source, EDGE, QUALITY, told)
        return f"velm@{digest(*decides, length=8)}"

    @property
    def localisation(self) -> tuple[str, str]:
        return self.localiser.told

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterator[Prediction]:
        """One prediction for each item, in the order in which answers come; none for what the budget left open."""
        self.unfinished = 0
        places: dict[str, Localisation] = {}
        by_id = {item.item_id: item for item in items}
        done = count(1)

        def finished(prediction: Prediction) -> Prediction:
            progress(next(done), len(items))
            return prediction

        let_through = []
        for item, place in self.localiser.look(items, lambda *_: None):
            places[item.item_id] = place._replace(map=None)
            if place.problem:
                yield finished(self._row(item, place, raw=place.problem, parse="error"))
            elif place.anomalous is False:
                yield finished(self._row(item, place, raw=GOOD, labels=(GOOD,)))
            else:
                let_through.append(item)
        for item_id, asked in self.llm_client.ask(self._questions(let_through)):
            if asked.unasked:
                self.unfinished += 1
            else:
                yield finished(self._answer(by_id[item_id], places[item_id], asked))
        for item_id, why in self._failed.items():
            yield finished(self._row(by_id[item_id], places[item_id], raw=why, parse="error"))

    def dry_run(self, items: Sequence[Item], progress: Progress) -> DryRun:
        """What `predict` would ask, without asking. The detector runs: it decides how many questions there are."""
        looked = self.localiser.look(items, progress)
        let_through = [item for item, place in looked if not place.problem and place.anomalous is not False]
        example: list[Question] = []

        def questions() -> Iterator[Question]:
            for _, question in self._questions(let_through):
                if not example:
                    example.append(question)
                yield question

        estimate = self.llm_client.estimate(questions())
        return DryRun(estimate, tuple(self._failed.items()), render(example[0]) if example else None)

    # For engines

    def around(self, items: Sequence[Item]) -> list[Item]:
        """The training items: normal ones are shown and fitted to, and all are part of the name."""
        return [each for each in self.setup.items if each.split == "train"]

    def fits(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        """One item of each category: a detector is fitted to a category."""
        return [[each] for each in {item.category: item for item in items}.values()]

    def settle(self, items: Sequence[Item]) -> None:
        """Fit the detector to the items' categories."""
        self.localiser.fit({item.category for item in items})

    # Questions

    def _questions(self, items: Sequence[Item]) -> Iterator[tuple[str, Question]]:
        """Questions category by category, made in threads a little ahead of whoever takes them."""
        self._failed = {}
        references = self._references({item.category for item in items})

        def made(each: tuple[Item, Localisation]) -> tuple[Item, Question | str]:
            item, place = each
            try:
                return item, self._question(item, place, references)
            except AcbenchError as error:
                return item, error.message

        for item, question in ahead(made, self.localiser.look(items, lambda *_: None)):
            if isinstance(question, str):
                self._failed[item.item_id] = question
            else:
                yield item.item_id, question

    def _question(self, item: Item, place: Localisation, references: Mapping[str, Picture]) -> Question:
        """Raises AcbenchError if the picture cannot be read, or the schema lacks its category."""
        category = self.setup.schema.category(item.category)
        if category is None:
            raise AcbenchError(f"the schema has no category {item.category}")
        image = self.setup.images.image(item.image)
        parts: list[str | Picture] = [self._told(category)]
        numbers = count(1)
        if item.category in references:
            parts += [_TEXTS.fill("reference", number=next(numbers)), references[item.category]]
        mask = marked(place, image.size) if self.setup.options.contour else None
        if mask is not None and mask.any():
            from acbench.data import evidence  # brings scipy along

            shown = evidence.contour(image, mask, longest=EDGE)
            parts += [_TEXTS.fill("contour", number=next(numbers)), _encoded(shown)]
        else:
            parts += [_TEXTS.fill("query", number=next(numbers)), _encoded(image)]
        ids = ", ".join(f"`{each}`" for each in category.class_ids)
        parts.append(_TEXTS.fill("task", ids=ids, good=GOOD))
        return Question(system=_TEXTS.fill("system"), parts=tuple(parts), schema=json_schema(category))

    def _told(self, category: Category) -> str:
        """What is said of a category."""
        options = self.setup.options
        parts = [_TEXTS.fill("product", name=category.name, object=category.object if options.descriptions else "")]
        if options.descriptions:
            parts.append(_TEXTS.fill("normal", good=GOOD, normal=category.normal))
        section = "described" if options.descriptions else "named"
        classes = [
            _TEXTS.fill(section, id=one.id, name=one.name, definition=one.definition) for one in category.classes
        ]
        parts.append(_TEXTS.fill("classes", classes="\n".join(classes)))
        if options.strategy:
            parts.append(_TEXTS.fill("strategy", guide=category.guide))
        return "\n".join(part.strip() for part in parts)

    def _references(self, categories: Iterable[str]) -> dict[str, Picture]:
        """Category → a normal picture of training, the same for all of it; chosen by content, not by name."""
        if not self.setup.options.reference:
            return {}
        found: dict[str, Picture] = {}
        for item in sorted(self.setup.items, key=lambda each: each.sha256):
            wanted = item.category in categories and item.category not in found
            if wanted and item.split == "train" and not item.anomalous and not item.problem:
                try:
                    found[item.category] = _encoded(self.setup.images.image(item.image))
                except AcbenchError:
                    continue  # ingest has reported it; the next one serves as well
        return found

    # Answers

    def _answer(self, item: Item, place: Localisation, asked: Reply) -> Prediction:
        category = self.setup.schema.category(item.category)
        assert category is not None, "asked about items of known categories only"
        if asked.answer is None:
            return self._row(item, place, raw=asked.error, parse="error", calls=(asked.call_id,))
        said = answers.parse(asked.answer.text, category)
        parse = {"ok": "ok", "abstained": "empty", "error": "unknown"}[said.status]
        return self._row(item, place, raw=asked.answer.text, labels=said.labels, parse=parse, calls=(asked.call_id,))

    def _row(self, item: Item, place: Localisation, **values: object) -> Prediction:
        fixed = {"item_id": item.item_id, "system": self.name, "detector_score": place.score}
        return Prediction(**{"labels": (), "parse": "ok", **fixed, **values})  # type: ignore[arg-type]


def _encoded(image: Image.Image) -> Picture:
    return Picture(data=imaging.jpeg(imaging.shrunk(image, EDGE), QUALITY), media_type="image/jpeg")


def build(setup: BaselineSetup) -> Velm:
    """The model that was chosen. Raises AcbenchError if none was."""
    return Velm(setup, setup.models.llm_client(), Localiser(setup))
