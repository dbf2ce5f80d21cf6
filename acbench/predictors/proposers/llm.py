"""Asks a multimodal language model which defects an image shows.

A question shows a normal image from the training split, the image to judge, the same image with the anomaly outlined,
and the marked place close up, with the schema's description of the category. The model answers with a set of classes, a
confidence and a reason, or abstains (`acbench.predictors.llm.parse`). If an answer cannot be used, the model is asked a
second time and told what is wrong.

A question holds pixels and the schema's words only. File names, folders, source labels and metadata never enter it, so
that the model is an independent witness. Text inside a picture is part of the scene, and the model reports it.

The confidence is the model's own number, not a calibrated probability. If an answer names one class, `scores` give that
class the confidence, at least 1/K, and spread the rest evenly over the other of the K answers, `good` included, since
the model does not say how it is spread. An abstention is even over all K. The scores rank images; `acbench compare`
shows how good they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from acbench._util import templates
from acbench._util.console import Progress
from acbench._util.text import tidy
from acbench.errors import AcbenchError
from acbench.predictors.base import DryRun, Proposer, Setup
from acbench.predictors.llm import questions
from acbench.predictors.llm.family import family_of, without_folders
from acbench.predictors.llm.messages import CostEstimate, LlmClient, Picture, Question, QuestionOptions, Reply
from acbench.predictors.llm.parse import Parsed, parse
from acbench.predictors.llm.questions import EDGE, QUALITY, Draft, Reference, SizedPicture
from acbench.records import GOOD, Item, Proposal
from acbench.schema import Category
from acbench.schema.render import json_schema, prompt_text
from acbench.storage.digests import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

CLOSER = 1.5
"""A close-up has to show the marked place at least this many times as large as the full view does."""
ENCODING = f"JPEG {QUALITY} 4:4:4, {EDGE} px, close-up from {CLOSER}; 1"
"""Part of the name. Raise the number when the same file is to give other pictures."""
MAX_REPEATED = 1_000
"""Characters of an unusable answer that the second question repeats."""
_TEXTS = templates.read("llm")


class _CloseUp(NamedTuple):
    """The marked place, close up."""

    shown: SizedPicture
    what: str
    """What it shows, such as `the marked place`."""
    times: float
    """How many times as large it is as in the full view."""


class _Unusable(NamedTuple):
    """A first answer that could not be used."""

    call_id: str
    text: str
    problem: str


@dataclass
class Llm:
    """The proposer `llm`."""

    setup: Setup
    llm_client: LlmClient
    model: str = ""
    """The name of the model in the user's table of models; empty for the one of the settings."""
    options: QuestionOptions = field(default_factory=QuestionOptions)
    family: str = ""
    """The family that the user says the model is of; empty to tell by its name."""
    unasked: int = field(init=False, default=0)

    @cached_property
    def name(self) -> str:
        shown = [(prompt_text(category), json_schema(category)) for category in self.setup.schema.categories.values()]
        decides = (self.llm_client.model.name, _TEXTS.source, ENCODING, self.setup.schema.digest, shown, self.family)
        return f"{':'.join(filter(None, ('llm', self.model)))}@{digest(*decides, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterator[Proposal]:
        """One proposal for each anomalous item, in the order in which answers come. Normal items are not covered."""
        self.unasked = 0
        covered = self.covers(items)
        for done, proposal in enumerate(self._proposals(covered, self._references(items)), start=1):
            progress(done, len(covered))
            yield proposal

    def estimate(self, items: Sequence[Item]) -> CostEstimate:
        """An upper bound of what asking takes. One question of each category stands for all of them."""
        covered = self.covers(items)
        sizes = Counter(item.category for item in covered)
        samples = {item.category: item for item in covered}.values()
        tokens_in = tokens_out = 0
        for draft in self._drafts(samples, self._references(items)):
            if draft.question is not None:
                tokens_in += sizes[draft.item.category] * self.llm_client.model.tokens(draft.question)
                tokens_out += sizes[draft.item.category] * draft.question.max_tokens
        cost = self.llm_client.price_share * self.llm_client.model.price.of(tokens_in, tokens_out)
        return CostEstimate(calls=len(covered), cached=0, tokens_in=tokens_in, tokens_out=tokens_out, cost=cost)

    def dry_run(self, items: Sequence[Item]) -> DryRun:
        """What `propose` would ask about the same items. Makes all pictures, and sends nothing."""
        return questions.dry_run(self.llm_client, self._drafts(self.covers(items), self._references(items)))

    def covers(self, items: Iterable[Item]) -> list[Item]:
        """The anomalous items, category by category: endpoints cache what questions have in common."""
        return sorted((item for item in items if item.anomalous), key=lambda item: (item.category, item.image))

    def context(self, items: Sequence[Item]) -> list[Item]:
        """The normal items that questions show."""
        return [reference.item for reference in self._references(items).values()]

    # Questions

    def _references(self, items: Sequence[Item]) -> dict[str, Reference]:
        categories = {item.category for item in items if item.anomalous}
        return questions.references(items, categories, self.setup.images)

    def _drafts(
        self,
        items: Iterable[Item],
        references: Mapping[str, Reference],
        unusable: Mapping[str, _Unusable] | None = None,
    ) -> Iterator[Draft]:
        """The questions about items, in their order. `unusable`: item_id → the first answer, for second questions."""
        first_answers = unusable or {}
        return questions.make_questions(
            (item, partial(self._question, item, references.get(item.category), first_answers.get(item.item_id)))
            for item in items
        )

    def _question(self, item: Item, reference: Reference | None, unusable: _Unusable | None) -> Question:
        """Raises AcbenchError if the image or its mask cannot be read, or the schema lacks the category."""
        category = self.setup.schema.category(item.category)
        if item.problem or category is None:
            raise AcbenchError(item.problem or f"the schema has no category {item.category}")
        parts: list[str | Picture] = [_TEXTS.fill("product", name=category.name, description=prompt_text(category))]
        parts += self._pictures(item, reference)
        parts.append(_TEXTS.fill("task", ids=", ".join(f"`{class_id}`" for class_id in category.class_ids), good=GOOD))
        if unusable:
            answer = tidy(unusable.text, MAX_REPEATED) or "(nothing)"
            parts.append(_TEXTS.fill("correction", problem=unusable.problem, answer=answer))
        return Question(system=_TEXTS.fill("system"), parts=tuple(parts), schema=json_schema(category))

    def _pictures(self, item: Item, reference: Reference | None) -> list[str | Picture]:
        """The pictures of a question, each after a sentence with its number. Raises AcbenchError."""
        image = self.setup.images.image(item.image)
        mask = self.setup.images.mask(item.mask, image.size) if item.mask else None
        parts: list[str | Picture] = []
        numbers = count(1)

        def show(section: str, shown: SizedPicture, **values: object) -> None:
            parts.append(_TEXTS.fill(section, number=next(numbers), size=shown.size, **values))
            parts.append(shown.picture)

        if reference is None:
            parts.append(_TEXTS.fill("no_reference"))
        else:
            show("reference", reference.shown)
        show("query", questions.full_view(image))
        if mask is None or not mask.any():
            parts.append(_TEXTS.fill("no_mask"))
            return parts
        from acbench.data import evidence  # imports scipy

        show("outline", questions.encoded(evidence.contour(image, mask, longest=EDGE)))
        if close_up := _close_up(image, mask):
            show("close_up", close_up.shown, what=close_up.what, times=f"{close_up.times:.1f}")
        return parts

    # Answers

    def _proposals(self, items: Sequence[Item], references: Mapping[str, Reference]) -> Iterator[Proposal]:
        unusable: dict[str, _Unusable] = {}
        failures: list[Proposal] = []
        for asked in questions.ask(self.llm_client, self._drafts(items, references)):
            item, reply = asked.item, asked.reply
            if reply is None:
                failures.append(self._failure(item, asked.problem))
                continue
            parsed = self._parsed(item, reply)
            if reply.answer is not None and parsed.status == "error":
                unusable[item.item_id] = _Unusable(reply.call_id, reply.answer.text, parsed.problem)
            else:
                yield self._proposal(item, reply, parsed)
        # All second questions come after all first ones: a budget that runs out leaves second questions unasked.
        by_id = {item.item_id: item for item in items}
        second = self._drafts([by_id[item_id] for item_id in unusable], references, unusable)
        for asked in questions.ask(self.llm_client, second):
            item, reply = asked.item, asked.reply
            if reply is None:
                failures.append(self._failure(item, asked.problem))
            else:
                yield self._proposal(item, reply, self._parsed(item, reply), unusable[item.item_id])
        yield from failures

    def _parsed(self, item: Item, reply: Reply) -> Parsed:
        self.unasked += reply.unasked
        if reply.answer is None:
            return Parsed(status="error", problem=reply.error)
        parsed = parse(reply.answer.text, self._category(item))
        if parsed.liberty:
            self.llm_client.note(f"{self.llm_client.model.name}: {parsed.liberty}")
        if parsed.status == "error" and reply.answer.finish == "length":
            return Parsed(status="error", problem=f"{parsed.problem} (cut off: it was too long)")
        return parsed

    def _proposal(self, item: Item, reply: Reply, parsed: Parsed, first: _Unusable | None = None) -> Proposal:
        """The proposal that an answer gives. `first`: the unusable answer before it."""
        reason = f"{parsed.reason} (text in the image)".lstrip() if parsed.text_in_image else parsed.reason
        why = {"ok": "", "abstained": reason or "gave no reason", "error": parsed.problem}[parsed.status]
        note = f" (second answer; the first: {first.problem})" if first else ""
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=parsed.labels,
            scores=_scores(parsed, self._category(item)),
            rationale=reason + note if parsed.status == "ok" else "",
            status=parsed.status,
            reason=why + note if why else "",
            saw=("image",) if item.mask is None else ("image", "mask"),
            calls=(first.call_id, reply.call_id) if first else (reply.call_id,),
            schema_version=self.setup.schema.version,
            model=without_folders(reply.answer.model) if reply.answer else "",
            family=self._family(reply),
        )

    def _family(self, reply: Reply) -> str:
        asked = self.llm_client.model.name.rpartition("@")[0]
        return family_of(reply.answer.model, asked, said=self.family) if reply.answer else ""

    def _failure(self, item: Item, problem: str) -> Proposal:
        """The proposal for an item that there is no question about."""
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=(),
            status="error",
            reason=problem,
            schema_version=self.setup.schema.version,
        )

    def _category(self, item: Item) -> Category:
        category = self.setup.schema.category(item.category)
        assert category is not None, "only items of known categories are asked about"
        return category


def _scores(parsed: Parsed, category: Category) -> dict[str, float]:
    """Class id → score, as the module's docstring says."""
    class_ids = category.answers
    even = 1 / len(class_ids)
    if parsed.status == "abstained":
        return dict.fromkeys(class_ids, even)
    if parsed.confidence is None or len(parsed.labels) != 1:
        return {}
    best = max(parsed.confidence, even)
    others = (1 - best) / (len(class_ids) - 1)
    return {class_id: best if class_id in parsed.labels else others for class_id in class_ids}


def _close_up(image: Image.Image, mask: NDArray[np.bool_]) -> _CloseUp | None:
    """A close-up of all marked places, or else of the largest; None if neither is CLOSER than the full view.

    `mask`: bool[H, W].
    """
    from PIL import Image

    from acbench.data import regions  # imports scipy

    parts = regions.components(mask)
    places = [("the marked place" if len(parts) == 1 else f"all {len(parts)} marked places", mask)]
    if len(parts) > 1:
        places.append((f"the largest of {len(parts)} marked places", parts[0]))
    for what, marked in places:
        box = regions.square(marked)
        times = EDGE / box.width / min(1.0, EDGE / max(image.size))
        if times >= CLOSER:
            return _CloseUp(questions.encoded(Image.fromarray(regions.cut(image, box, EDGE))), what, times)
    return None


def build(setup: Setup, argument: str = "") -> Proposer:
    """The proposer with the LLM that the user chose. Raises AcbenchError if the user chose none."""
    models = setup.models
    options, family = models.question_options(argument), models.llm_family(argument)
    return Llm(setup, models.llm_client(argument), argument, options, family)
