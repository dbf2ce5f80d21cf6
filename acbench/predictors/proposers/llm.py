"""What a multimodal language model sees in the pictures.

It is shown a normal picture from the training images, the picture to judge, the same with the anomaly outlined, and the
marked place close up, with the schema's words on the category. It answers with a set of classes, a confidence and a
reason, or abstains (`acbench.predictors.llm.parse`). An answer that cannot be used is put back to it once, with what is
wrong.

A question holds pixels and the schema's words. File names, folders, source labels and metadata never enter it, so the
model is a witness of its own; text within a picture is for it to see and to report.

The confidence is the model's own word, not a calibrated probability. For an answer of one class `scores` hold it, at
least 1/K, and spread the rest evenly over the other of the K answers, `good` included: the model said nothing of how it
is spread. An abstention is even over all. It ranks images, and `acbench compare` shows what it is worth.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from acbench._util import templates
from acbench._util.console import Progress
from acbench._util.prefetch import ahead
from acbench._util.text import tidy
from acbench.data import images as imaging
from acbench.errors import AcbenchError
from acbench.predictors.base import DryRun, Example, Proposer, Setup
from acbench.predictors.llm import parse as answers
from acbench.predictors.llm.messages import CostEstimate, LlmClient, Picture, Question, Reply
from acbench.records import GOOD, Item, Proposal
from acbench.schema import Category
from acbench.schema.render import json_schema, prompt_text
from acbench.storage.digests import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

EDGE = 448
"""Longer edge of a picture, pixels; smaller images stay as they are. A multiple of 14, 28 and 32, the patches of usual
models, and about 250 tokens in most."""
QUALITY = 92
"""Of JPEG, without chroma subsampling: it would blur the outline."""
CLOSER = 1.5
"""A close-up has to show the marked place at least so many times as large as the whole picture does."""
ENCODING = f"JPEG {QUALITY} 4:4:4, {EDGE} px, close-up from {CLOSER}; 1"
"""Raise the number when the same file is to give other pictures."""
WORKERS = min(8, (os.cpu_count() or 1) + 2)
"""Threads that draw pictures: a few more than processors, as the first answers wait for them."""
SHOWN = 1_000
"""Characters of an unusable answer that are put back to the model."""
_TEXTS = templates.read("llm")


class _Shown(NamedTuple):
    """A picture ready to be sent."""

    picture: Picture
    size: str
    """Such as `448 × 336`."""


class _Unusable(NamedTuple):
    """A first answer that could not be used."""

    call_id: str
    text: str
    problem: str


@dataclass
class Llm:
    """See the module."""

    setup: Setup
    llm_client: LlmClient
    unfinished: int = 0
    """Questions of the last `propose` that were not asked, as the budget was spent or the endpoint gone."""
    _failed: dict[str, str] = field(default_factory=dict)
    """item_id → why no question can be made of it. Filled by whichever thread draws the questions."""

    @cached_property
    def name(self) -> str:
        told = [(prompt_text(each), json_schema(each)) for each in self.setup.schema.categories.values()]
        decides = (self.llm_client.model.name, _TEXTS.source, ENCODING, self.setup.schema.digest, told)
        return f"llm@{digest(*decides, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterator[Proposal]:
        """One proposal for each anomalous item, as answers come; normal ones are not covered."""
        covered = {item.item_id: item for item in self.covers(items)}
        self.unfinished = 0
        references = self._references(items)
        again: dict[str, _Unusable] = {}
        done = count(1)

        def finished(proposal: Proposal) -> Proposal:
            progress(next(done), len(covered))
            return proposal

        for item_id, asked in self.llm_client.ask(self._questions(covered.values(), references)):
            item = covered[item_id]
            parsed = self._parsed(item, asked)
            if asked.answer is not None and parsed.status == "error":
                again[item_id] = _Unusable(asked.call_id, asked.answer.text, parsed.problem)
            else:
                yield finished(self._proposal(item, asked, parsed))
        # All second questions come after all first ones: a budget that runs out leaves corrections unasked
        corrections = self._questions([covered[item_id] for item_id in again], references, again)
        for item_id, asked in self.llm_client.ask(corrections):
            item = covered[item_id]
            yield finished(self._proposal(item, asked, self._parsed(item, asked), again[item_id]))
        for item_id, why in self._failed.items():
            yield finished(self._row(covered[item_id], status="error", reason=why))

    def estimate(self, items: Sequence[Item]) -> CostEstimate:
        """See `Paid`. One question of each category stands for all of it."""
        covered = self.covers(items)
        sizes = Counter(item.category for item in covered)
        samples = {item.category: item for item in covered}.values()
        images = {item.item_id: sizes[item.category] for item in samples}
        tokens_in = tokens_out = 0
        for item_id, question in self._questions(samples, self._references(items)):
            tokens_in += images[item_id] * self.llm_client.model.tokens(question)
            tokens_out += images[item_id] * question.max_tokens
        cost = self.llm_client.share * self.llm_client.model.price.of(tokens_in, tokens_out)
        return CostEstimate(calls=len(covered), cached=0, tokens_in=tokens_in, tokens_out=tokens_out, cost=cost)

    def dry_run(self, items: Sequence[Item]) -> DryRun:
        """What `propose` would ask of the same items. Draws all pictures and calls nobody."""
        example: list[Question] = []

        def questions() -> Iterator[Question]:
            for _, question in self._questions(self.covers(items), self._references(items)):
                if not example:
                    example.append(question)
                yield question

        estimate = self.llm_client.estimate(questions())
        return DryRun(estimate, tuple(self._failed.items()), render(example[0]) if example else None)

    # Questions

    def covers(self, items: Iterable[Item]) -> list[Item]:
        """The anomalous ones, category by category: endpoints cache what questions have in common."""
        return sorted((item for item in items if item.anomalous), key=lambda item: (item.category, item.image))

    def around(self, items: Sequence[Item]) -> list[Item]:
        """The normal items that are shown."""
        return [found[0] for found in self._normal(items).values() if found]

    def _questions(
        self,
        items: Iterable[Item],
        references: Mapping[str, _Shown | None],
        again: Mapping[str, _Unusable] | None = None,
    ) -> Iterator[tuple[str, Question]]:
        """Questions in the items' order, made in threads a little ahead of whoever takes them."""

        def made(item: Item) -> Question | str:
            try:
                return self._question(item, references.get(item.category), (again or {}).get(item.item_id))
            except AcbenchError as error:
                return error.message

        self._failed = {} if again is None else self._failed
        items = list(items)
        for item, question in zip(items, ahead(made, items, workers=WORKERS), strict=True):
            if isinstance(question, str):
                self._failed[item.item_id] = question
            else:
                yield item.item_id, question

    def _question(self, item: Item, reference: _Shown | None, unusable: _Unusable | None = None) -> Question:
        """Raises AcbenchError if the item's picture or mask cannot be read, or the schema lacks its category."""
        category = self.setup.schema.category(item.category)
        if item.problem or category is None:
            raise AcbenchError(item.problem or f"the schema has no category {item.category}")
        image = self.setup.images.image(item.image)
        mask = self.setup.images.mask(item.mask, image.size) if item.mask else None
        parts: list[str | Picture] = [_TEXTS.fill("product", name=category.name, description=prompt_text(category))]
        numbers = count(1)

        def show(section: str, shown: _Shown, **values: object) -> None:
            parts.append(_TEXTS.fill(section, number=next(numbers), size=shown.size, **values))
            parts.append(shown.picture)

        if reference is None:
            parts.append(_TEXTS.fill("no_reference"))
        else:
            show("reference", reference)
        show("query", _whole(image))
        if mask is None or not mask.any():
            parts.append(_TEXTS.fill("no_mask"))
        else:
            from acbench.data import evidence  # brings scipy along

            show("outline", _encoded(evidence.contour(image, mask, longest=EDGE)))
            if close := _close_up(image, mask):
                shown, what, times = close
                show("close_up", shown, what=what, times=f"{times:.1f}")
        parts.append(_TEXTS.fill("task", ids=", ".join(f"`{each}`" for each in category.class_ids), good=GOOD))
        if unusable:
            answer = tidy(unusable.text, SHOWN) or "(nothing)"
            parts.append(_TEXTS.fill("correction", problem=unusable.problem, answer=answer))
        return Question(system=_TEXTS.fill("system"), parts=tuple(parts), schema=json_schema(category))

    def _references(self, items: Sequence[Item]) -> dict[str, _Shown | None]:
        """Category → the normal picture that is shown with all of it."""
        return {category: found[1] if found else None for category, found in self._normal(items).items()}

    def _normal(self, items: Sequence[Item]) -> dict[str, tuple[Item, _Shown] | None]:
        """Category → a normal item from train, the same for all of it, so that endpoints can cache what comes first.

        Chosen by content, since a choice by name would let names into the question. Never a test image: it is scored.
        """
        normal: defaultdict[str, list[Item]] = defaultdict(list)
        for item in items:
            if item.split == "train" and not item.anomalous and not item.problem:
                normal[item.category].append(item)
        categories = {item.category for item in items if item.anomalous}
        return {category: self._first(normal[category]) for category in sorted(categories)}

    def _first(self, items: Iterable[Item]) -> tuple[Item, _Shown] | None:
        for item in sorted(items, key=lambda each: each.sha256):
            try:
                return item, _whole(self.setup.images.image(item.image))
            except AcbenchError:
                continue  # ingest has reported it; the next one serves as well
        return None

    # Answers

    def _parsed(self, item: Item, asked: Reply) -> answers.Parsed:
        self.unfinished += asked.unasked
        category = self.setup.schema.category(item.category)
        assert category is not None, "asked about items of known categories only"
        if asked.answer is None:
            return answers.Parsed(status="error", problem=asked.error)
        parsed = answers.parse(asked.answer.text, category)
        if parsed.status == "error" and asked.answer.finish == "length":
            return answers.Parsed(status="error", problem=f"{parsed.problem} (cut off: it was too long)")
        return parsed

    def _proposal(self, item: Item, asked: Reply, parsed: answers.Parsed, first: _Unusable | None = None) -> Proposal:
        said = parsed.reason
        if parsed.text_in_image:
            said = f"{said} (text in the image)".lstrip()
        why = {"ok": "", "abstained": said or "gave no reason", "error": parsed.problem}[parsed.status]
        note = f" (second answer; the first: {first.problem})" if first else ""
        category = self.setup.schema.category(item.category)
        return self._row(
            item,
            status=parsed.status,
            labels=parsed.labels,
            scores=_scores(parsed, category) if category else {},
            rationale=said + note if parsed.status == "ok" else "",
            reason=why + note if why else "",
            saw=("image",) if item.mask is None else ("image", "mask"),
            calls=(first.call_id, asked.call_id) if first else (asked.call_id,),
        )

    def _row(self, item: Item, **values: object) -> Proposal:
        fixed = {"item_id": item.item_id, "proposer": self.name, "schema_version": self.setup.schema.version}
        return Proposal(**{"labels": (), **fixed, **values})  # type: ignore[arg-type]


def render(question: Question) -> Example:
    """A question as a person reads it."""
    pictures: list[tuple[str, bytes]] = []
    lines = ["# system", question.system, "", "# user"]
    for part in question.parts:
        if isinstance(part, str):
            lines.append(part)
        else:
            name = f"picture-{len(pictures) + 1}.{part.media_type.removeprefix('image/').replace('jpeg', 'jpg')}"
            pictures.append((name, part.data))
            lines.append(f"[{name}]")
    return Example("\n".join(lines) + "\n", tuple(pictures))


def _scores(parsed: answers.Parsed, category: Category) -> dict[str, float]:
    """See the module."""
    ids = (GOOD, *category.class_ids)
    even = 1 / len(ids)
    if parsed.status == "abstained":
        return dict.fromkeys(ids, even)
    if parsed.confidence is None or len(parsed.labels) != 1:
        return {}
    best = max(parsed.confidence, even)
    return {each: best if each in parsed.labels else (1 - best) / (len(ids) - 1) for each in ids}


# Pictures


def _whole(image: Image.Image) -> _Shown:
    return _encoded(imaging.shrunk(image, EDGE))


def _close_up(image: Image.Image, mask: NDArray[np.bool_]) -> tuple[_Shown, str, float] | None:
    """All that is marked, or its largest part, close up, with what it is and how much larger than in `_whole`.

    None if that is not CLOSER.
    """
    from PIL import Image

    from acbench.data import regions  # brings scipy along

    parts = regions.components(mask)
    places = [("the marked place" if len(parts) == 1 else f"all {len(parts)} marked places", mask)]
    if len(parts) > 1:
        places.append((f"the largest of {len(parts)} marked places", parts[0]))
    for what, marked in places:
        box = regions.square(marked)
        times = EDGE / box.width / min(1.0, EDGE / max(image.size))
        if times >= CLOSER:
            return _encoded(Image.fromarray(regions.cut(image, box, EDGE))), what, times
    return None


def _encoded(image: Image.Image) -> _Shown:
    picture = Picture(data=imaging.jpeg(image, QUALITY), media_type="image/jpeg")
    return _Shown(picture, f"{image.width} × {image.height}")


def build(setup: Setup, argument: str = "") -> Proposer:
    """The model that was chosen. Raises AcbenchError if none was."""
    return Llm(setup, setup.models.llm_client())
