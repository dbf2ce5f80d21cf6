"""Makes and asks the questions about images; the proposer `llm` and the baseline `velm` share it.

Here are the encoding of pictures, the choice of the normal image to show, and how questions are made in threads, asked,
counted in a dry run, and written down for people. What a question says is up to `llm` and `velm`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from acbench._util.cores import cores
from acbench._util.prefetch import prefetch_attempts
from acbench.data import images as imaging
from acbench.errors import AcbenchError
from acbench.predictors.base import DryRun, Example, ItemWithoutQuestion
from acbench.predictors.llm.messages import LlmClient, Picture, Question, Reply
from acbench.records import Item

if TYPE_CHECKING:
    from PIL import Image

    from acbench.data.images import ImageReader

QUALITY = 92
"""JPEG quality. Chroma is not subsampled, which would blur the outline."""
WORKERS = min(8, cores() + 2)
"""Threads that make questions. A few more than processors, since the first answers wait for them."""


# Pictures


class SizedPicture(NamedTuple):
    """A picture that is ready to be sent, and its size."""

    picture: Picture
    size: str
    """Such as `448 × 336`."""


def encoded(image: Image.Image) -> SizedPicture:
    """An image as a JPEG of the same size."""
    picture = Picture(data=imaging.jpeg(image, QUALITY), media_type="image/jpeg")
    return SizedPicture(picture, f"{image.width} × {image.height}")


def full_view(image: Image.Image, edge: int) -> SizedPicture:
    """All of an image, made smaller if its longer edge has more than `edge` pixels."""
    return encoded(imaging.shrunk(image, edge))


class Reference(NamedTuple):
    """The normal image that all questions of one category show."""

    item: Item
    image: Image.Image
    shown: SizedPicture


def references(
    items: Iterable[Item], categories: Collection[str], images: ImageReader, edge: int
) -> dict[str, Reference]:
    """Category → its reference, shown with at most `edge` pixels; a category without a readable one has none.

    It is the same for all questions of a category, so that endpoints can cache their common beginning. It is chosen by
    the hash of its bytes: a choice by file name would let names into the question. A test image is never shown, since
    it is scored.
    """
    chosen: dict[str, Reference] = {}
    normal = (item for item in items if item.split == "train" and not item.anomalous and not item.problem)
    for item in sorted((item for item in normal if item.category in categories), key=lambda item: item.sha256):
        if item.category not in chosen:
            try:
                image = images.image(item.image)
                chosen[item.category] = Reference(item, image, full_view(image, edge))
            except AcbenchError:
                continue  # ingest has reported it, and the next image serves as well
    return dict(sorted(chosen.items()))


# Making and asking


@dataclass(frozen=True, slots=True)
class Draft:
    """The question about one item, or the reason why there is none."""

    item: Item
    question: Question | None
    problem: str = ""
    """Empty if there is a question."""


@dataclass(frozen=True, slots=True)
class ItemReply:
    """The reply to a question about one item, or the reason why there was no question."""

    item: Item
    reply: Reply | None
    problem: str = ""
    """Empty if there is a reply."""
    draw: int = 0
    """Which draw of the question it is."""


def make_questions(makers: Iterable[tuple[Item, Callable[[], Question]]]) -> Iterator[Draft]:
    """Make the questions about some items, in threads a little ahead of their use, in the given order.

    `makers`: each item, and the function that makes its question or raises AcbenchError.
    """
    for attempt in prefetch_attempts(lambda maker: maker[1](), makers, workers=WORKERS):
        yield Draft(attempt.input[0], attempt.result, attempt.problem)


def drawn(drafts: Iterable[Draft], draws: int) -> Iterator[Draft]:
    """Each question as often as it is to be drawn, one draw after the other: endpoints cache what they have in common.

    An item without a question comes once.
    """
    for draft in drafts:
        if draft.question is None:
            yield draft
        else:
            for draw in range(draws):
                yield replace(draft, question=replace(draft.question, draw=draw))


def ask(client: LlmClient, drafts: Iterable[Draft]) -> Iterator[ItemReply]:
    """Ask the questions. Gives the replies as they come, and at the end the items that have no question."""
    asked: dict[str, tuple[Item, int]] = {}
    without_question: list[Draft] = []

    def questions() -> Iterator[tuple[str, Question]]:
        for draft in drafts:
            if draft.question is None:
                without_question.append(draft)
            else:
                name = f"{draft.item.item_id} {draft.question.draw}"
                asked[name] = draft.item, draft.question.draw
                yield name, draft.question

    for name, reply in client.ask(questions()):
        item, draw = asked[name]
        yield ItemReply(item, reply, draw=draw)
    for draft in without_question:
        yield ItemReply(draft.item, None, draft.problem)


def dry_run(client: LlmClient, drafts: Iterable[Draft]) -> DryRun:
    """Make the questions, and count what asking them would take. Sends nothing."""
    without_question: list[ItemWithoutQuestion] = []
    first: list[Question] = []

    def questions() -> Iterator[Question]:
        for draft in drafts:
            if draft.question is None:
                without_question.append(ItemWithoutQuestion(draft.item.item_id, draft.problem))
                continue
            if not first:
                first.append(draft.question)
            yield draft.question

    estimate = client.estimate(questions())
    return DryRun(estimate, tuple(without_question), readable(first[0]) if first else None)


def readable(question: Question) -> Example:
    """A question in a form for people."""
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
