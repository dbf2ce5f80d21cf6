"""Makes the question which defects an image shows; the proposer `llm` asks it, and `velm` on demand.

A question shows, as far as they are there: a normal product, labelled examples, the image to judge, the same with a
thin line around what is marked, and each marked place close up beside the same place of the normal product. Its words
are the schema's description of the category, what the mask tells in figures, and what to answer; they fit what is
shown.

The order is that of what changes least: questions of one category begin alike, and endpoints cache that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from acbench._util import templates
from acbench._util.templates import Texts
from acbench._util.text import tidy
from acbench.data import images as imaging
from acbench.predictors.llm import close_ups, questions
from acbench.predictors.llm.examples import ShownExample
from acbench.predictors.llm.messages import Picture, Question
from acbench.predictors.llm.questions import QUALITY, Reference, SizedPicture
from acbench.records import GOOD
from acbench.schema import Category, Schema
from acbench.schema.render import json_schema, prompt_text

if TYPE_CHECKING:
    from PIL import Image

    from acbench.data.mask_facts import MaskFacts
    from acbench.data.regions import Mask

TEXTS = templates.read("llm")
BOX_TEXTS = templates.read("llm_boxes")
"""What stands in place of the sections of the same names where boxes mark the places."""
ENCODING = f"JPEG {QUALITY} 4:4:4; 2"
"""Part of the key of every question. Raise the number when the same files are to give other pictures, figures or words:
also for a change of how `acbench.data` outlines, cuts, measures or compares."""
MAX_TOKENS = 900
"""The longest answer: thoughts, and then the JSON's other keys."""
MAX_OBSERVATIONS = 1_500
"""Characters that a model may think in, before it answers."""
MAX_REPEATED = 1_000
"""Characters of an unusable answer that the second question repeats."""
GAP = 2
"""Pixels between what is marked and the line around it, so that the line does not colour the edge of a small spot."""
LINE = 448
"""The line is one pixel wide for each LINE pixels of the picture's longer edge, and at least two."""


class Unusable(NamedTuple):
    """A first answer that could not be used."""

    call_id: str
    text: str
    problem: str


class Subject(NamedTuple):
    """What one question is about."""

    category: Category
    image: Image.Image
    mask: Mask | None
    """bool[H, W]; None if nothing is marked."""
    reference: Reference | None
    examples: Sequence[ShownExample] = ()
    unusable: Unusable | None = None
    """The answer to correct, for a second question."""
    boxed: bool = False
    """Whether what is marked are boxes, filled. Then no figures are told: they would be those of the boxes."""


class _Shown(NamedTuple):
    """A picture, and the section of the template that says what it is."""

    section: str
    picture: SizedPicture
    values: Mapping[str, object]
    texts: Texts = TEXTS


@dataclass(frozen=True)
class DefectQuestions:
    """Makes questions about the images of one dataset."""

    edge: int
    """The longer edge of a picture, pixels."""
    marker: str = "the data set"
    """Who marked the anomaly."""
    one_class: bool = False
    """Whether to ask for the one class that fits best; else for all classes that are there."""
    boxed: bool = False
    """Whether boxes mark the places of some images."""

    def key(self, schema: Schema) -> tuple[object, ...]:
        """Everything that decides the questions, apart from images, examples and unusable answers."""
        shown = [(prompt_text(category), answer_schema(category)) for category in schema.categories.values()]
        own = (self.edge, self.marker, self.one_class, *([BOX_TEXTS.source] if self.boxed else []))
        cuts = (close_ups.MOST, close_ups.CLOSER, close_ups.ENLARGED, close_ups.JOINED, close_ups.SMALLER)
        return (*own, TEXTS.source, ENCODING, cuts, GAP, LINE, MAX_TOKENS, schema.digest, shown)

    def question(self, subject: Subject) -> Question:
        """The question about one image."""
        category = subject.category
        parts: list[str | Picture] = [
            TEXTS.fill("product", name=category.name, description=prompt_text(category)),
            *self._pictures(subject),
            self._task(category, compares=subject.reference is not None),
        ]
        if subject.unusable:
            answer = tidy(subject.unusable.text, MAX_REPEATED) or "(nothing)"
            parts.append(TEXTS.fill("correction", problem=subject.unusable.problem, answer=answer))
        return Question(
            system=TEXTS.fill("system"), parts=tuple(parts), schema=answer_schema(category), max_tokens=MAX_TOKENS
        )

    # Pictures

    def _pictures(self, subject: Subject) -> list[str | Picture]:
        """The pictures, each after a sentence with its number, and what is known without one."""
        from acbench.data import evidence, mask_facts  # imports scipy

        image, mask = subject.image, subject.mask
        marked = mask is not None and bool(mask.any())
        texts = BOX_TEXTS if subject.boxed else TEXTS
        first: list[_Shown] = []
        if subject.reference is not None:
            first.append(_Shown("reference", subject.reference.shown, {}))
        for example in subject.examples:
            first.append(_Shown("example", example.shown, _named(example, subject.category)))
        query = len(first) + 1
        full_view = imaging.shrunk(image, self.edge)
        first.append(_Shown("query", questions.encoded(full_view), {}))
        close: list[_Shown] = []
        rest = ""
        if mask is not None and marked:
            outlined = evidence.outlined(full_view, mask, gap=GAP, line=LINE)
            first.append(_Shown("outline", questions.encoded(outlined), {"marker": self.marker}, texts))
            cuts = close_ups.plan(mask, self.edge)
            close = _close_ups(image, mask, subject.reference, cuts, query)
            rest = _rest(cuts, query)
        alone = len(first) + len(close) == 1
        said = [] if subject.reference else [TEXTS.fill("no_reference")]
        shown = _numbered(first, 1, alone=alone)
        if mask is not None and marked and not subject.boxed:
            shown.append(TEXTS.fill("facts", facts=facts_in_words(mask_facts.measure(image, mask), image.size)))
        shown += _numbered(close, len(first) + 1, alone=False)
        if rest:
            shown.append(rest)
        shown.append(texts.fill("marked") if marked else TEXTS.fill("not_marked"))
        return [*said, *shown]

    # Words

    def _task(self, category: Category, *, compares: bool) -> str:
        ids = category.class_ids
        listed = ", ".join(f"`{class_id}`" for class_id in ids)
        if len(ids) == 1:
            ask, labels = "whether", TEXTS.fill("the_label", id=ids[0], good=GOOD)
        elif self.one_class:
            ask, labels = "which_class", TEXTS.fill("one_label", ids=listed, good=GOOD)
        else:
            ask, labels = "which_classes", TEXTS.fill("several_labels", ids=listed, good=GOOD)
        how = TEXTS.fill("compare", reference="picture 1") if compares else TEXTS.fill("decide")
        weigh = TEXTS.fill("weigh_one" if len(ids) == 1 else "weigh_classes")
        return f"{TEXTS.fill(ask)} {how}\n\n{TEXTS.fill('answer', labels=labels, weigh=weigh)}"


def answer_schema(category: Category) -> dict[str, object]:
    """The JSON Schema of an answer: the usual one, and before it a place to think."""
    usual = json_schema(category)
    properties = usual["properties"]
    assert isinstance(properties, dict)
    thoughts = {"type": "string", "maxLength": MAX_OBSERVATIONS}
    properties = {"observations": thoughts, **properties}
    return {**usual, "required": list(properties), "properties": properties}


def facts_in_words(facts: MaskFacts, size: tuple[int, int]) -> str:
    """What was measured on a mask of an image of that (width, height)."""
    shares: dict[str, object] = {"share": percent(facts.share)}
    if facts.share_of_product is not None:
        shares["product"] = percent(facts.share_of_product)
    covered = TEXTS.fill("share_of_product" if "product" in shares else "share", **shares)
    count = f"{facts.places}{' or more' if facts.many else ''}"
    said = [TEXTS.fill("one_place" if facts.places == 1 else "many_places", count=count, shares=covered)]
    which = "" if facts.places == 1 else "the largest of them "
    lengths: dict[str, object] = {
        "which": f"{which or 'it '}is",
        "pixels": f"{facts.longest:.0f}",
        "size": f"{size[0]} × {size[1]}",
        "image": percent(facts.longest_of_image),
    }
    if facts.longest_of_product is not None:
        lengths["product"] = percent(facts.longest_of_product)
    said.append(TEXTS.fill("longest_of_product" if "product" in lengths else "longest", **lengths))
    if facts.arc is not None:
        said.append(TEXTS.fill("arc", which=f"{which or 'it '}takes", degrees=f"{facts.arc:.0f}"))
    said.append(TEXTS.fill("at_edge" if facts.at_edge else "within"))
    return "; ".join(said)


def percent(share: float) -> str:
    """A share with two digits that count, such as `0.013 %`, `1.4 %`, `27 %`."""
    value = 100 * share
    if value >= 10:
        return f"{value:.0f} %"
    if value < 0.001:
        return "less than 0.001 %"
    digits = 1 if value >= 1 else 2 if value >= 0.1 else 3 if value >= 0.01 else 4
    return f"{value:.{digits}f} %"


def _close_ups(
    image: Image.Image, mask: Mask, reference: Reference | None, cuts: close_ups.Cuts, query: int
) -> list[_Shown]:
    """The close-ups, each before the same place on the normal product if that is aligned."""
    from acbench.data import alignment

    if not cuts.shown:
        return []
    aligned = reference is not None and alignment.is_aligned(image, mask, reference.image)
    shown = []
    for number, cut in enumerate(cuts.shown):
        values = {"what": _what(cuts, number), "times": f"{cut.times:.1f}", "query": f"picture {query}"}
        shown.append(_Shown("close_up", questions.encoded(close_ups.cut(image, cut)), values))
        if reference is not None and aligned:
            normal = questions.encoded(close_ups.cut(reference.image, cut))
            shown.append(_Shown("same_place", normal, {"reference": "picture 1"}))
    return shown


def _what(cuts: close_ups.Cuts, number: int) -> str:
    """What a close-up shows, the one after `number` others."""
    places = cuts.shown[number].places
    if len(cuts.shown) == 1 and not (cuts.large or cuts.left_out or cuts.many):
        return "the marked place" if places == 1 else f"all {places} marked places"
    further = "further " if number else ""
    return f"one {further}marked place" if places == 1 else f"{places} {further}marked places that lie close together"


def _rest(cuts: close_ups.Cuts, query: int) -> str:
    """Which marked places have no close-up; empty if all have."""
    said = []
    if cuts.shown and cuts.large:
        places = "Another marked place is" if cuts.large == 1 else f"{cuts.large} other marked places are"
        said.append(f"{places} large enough to be seen in picture {query}.")
    if cuts.left_out:
        more = " or more" if cuts.many else ""
        one = cuts.left_out == 1 and not more
        places = "One smaller marked place is" if one else f"{cuts.left_out}{more} smaller marked places are"
        said.append(f"{places} not shown close up.")
    return " ".join(said)


def _named(example: ShownExample, category: Category) -> dict[str, object]:
    """How an example is called."""
    (class_id,) = example.known.labels
    name = next(defect.name for defect in category.classes if defect.id == class_id)
    return {"label": f"`{class_id}`", "name": name}


def _numbered(pictures: Sequence[_Shown], start: int, *, alone: bool) -> list[str | Picture]:
    """Pictures, each after its sentence; the first has the number `start`. `alone`: there is no other picture."""
    parts: list[str | Picture] = []
    for number, shown in enumerate(pictures, start):
        named = TEXTS.fill("only_picture" if alone else "picture", number=number, size=shown.picture.size)
        parts += [shown.texts.fill(shown.section, picture=named, **shown.values), shown.picture.picture]
    return parts
