"""Makes the question which one class an image of the test split shows: the one that the baseline `velm` asks.

It is the paper's (arXiv 2505.02626: the image with a red contour at 448 pixels beside a normal training image, the
descriptions of the classes, a strategy), or that of the proposer `llm`, which has close-ups and measured facts, and
then asks for the one class that fits best. Neither has examples, since every labelled image may be a scored one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

from acbench._util import templates
from acbench.errors import AcbenchError
from acbench.predictors.base import BaselineSetup
from acbench.predictors.detection.localise import NONE, ORACLE, Localisation, Localiser, marked_region
from acbench.predictors.llm import questions
from acbench.predictors.llm.defect_question import DefectQuestions, Subject
from acbench.predictors.llm.messages import Picture, Question
from acbench.predictors.llm.questions import QUALITY, Draft, Reference
from acbench.records import GOOD, Item
from acbench.schema import Category
from acbench.schema.render import json_schema

EDGE = 448
"""The longer edge of a picture in the paper's question, pixels; smaller images keep their size."""
TEXTS = templates.read("velm")
UNSEEN_TEXTS = templates.read("velm_none")
"""What stands in place of the section of the same name where no detector has looked."""


@dataclass(frozen=True)
class ClassQuestions:
    """Makes questions about the images of a test split, in which a detector has marked what it finds."""

    setup: BaselineSetup
    localiser: Localiser
    ours: DefectQuestions | None = None
    """Makes acbench's question; None for the paper's."""

    @property
    def key(self) -> tuple[object, ...]:
        """Everything that decides the questions, apart from images and localisations."""
        options = self.setup.options
        switches = (options.reference, options.contour, options.descriptions, options.strategy)
        if self.ours is not None:
            return (switches, *self.ours.key(self.setup.schema))
        texts = [self._description(category) for category in self.setup.schema.categories.values()]
        unseen = [UNSEEN_TEXTS.source] if options.detector == NONE else []
        return (switches, TEXTS.source, EDGE, QUALITY, texts, *unseen)

    def drafts(self, items: Sequence[Item]) -> Iterator[Draft]:
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
            parts += [TEXTS.fill("reference", number=next(numbers)), reference.shown.picture]
        if mask is not None and mask.any():
            from acbench.data import evidence  # imports scipy

            outlined = evidence.contour(image, mask, longest=EDGE)
            parts += [TEXTS.fill("contour", number=next(numbers)), questions.full_view(outlined, EDGE).picture]
        else:
            said = UNSEEN_TEXTS if place.anomalous is None else TEXTS
            parts += [said.fill("query", number=next(numbers)), questions.full_view(image, EDGE).picture]
        class_ids = ", ".join(f"`{class_id}`" for class_id in category.class_ids)
        parts.append(TEXTS.fill("task", ids=class_ids, good=GOOD))
        return Question(system=TEXTS.fill("system"), parts=tuple(parts), schema=json_schema(category))

    def _description(self, category: Category) -> str:
        """What a question says about a category."""
        options = self.setup.options
        parts = [TEXTS.fill("product", name=category.name, object=category.object if options.descriptions else "")]
        if options.descriptions and category.normal:
            parts.append(TEXTS.fill("normal", good=GOOD, normal=category.normal))
        classes = [
            TEXTS.fill("described", id=defect.id, name=defect.name, definition=defect.definition)
            if options.descriptions and defect.definition
            else TEXTS.fill("named", id=defect.id, name=defect.name)
            for defect in category.classes
        ]
        parts.append(TEXTS.fill("classes", classes="\n".join(classes)))
        if options.strategy and category.guide:
            parts.append(TEXTS.fill("strategy", guide=category.guide))
        return "\n".join(part.strip() for part in parts)


def ours(setup: BaselineSetup, edge: int) -> DefectQuestions:
    """What makes acbench's question, with pictures of `edge` pixels.

    Raises AcbenchError for an ablation of it that there is not.
    """
    options = setup.options
    if not (options.descriptions and options.strategy):
        raise AcbenchError(
            "acbench's question is always asked with descriptions and strategy",
            "leave --no-descriptions and --no-strategy out, or take --question paper",
        )
    marker = "the data set" if options.detector == ORACLE else "a detector"
    return DefectQuestions(edge=edge, marker=marker, one_class=True)
