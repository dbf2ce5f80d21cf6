"""From what is known of images to the tasks that people are given."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Literal

from acbench.errors import AnnotationToolError
from acbench.records import Item, Label, Proposal, Review
from acbench.review.annotation_tool import Key, Task
from acbench.review.csv_queue import says
from acbench.review.history import current_reviews
from acbench.review.pull import last_round
from acbench.review.queue import RankedItem, Why
from acbench.schema import Schema
from acbench.schema.form import ALONE, CONTROL, EMPTY, OBJECT, PLACES, UNMARKED
from acbench.schema.form import ASKED as ASKED_FIELD

Part = Literal["disputed", "all", "audit"]
"""Of the queue."""
Check = Callable[[Mapping[str, Any]], Sequence[str]]
"""What is wrong with a prediction, judged by the form that it is for."""

ASKED: Mapping[Why, str] = {
    "flagged": "somebody wants it looked at again",
    "disputed": "proposals differ",
    "suspect": "its label in the dataset may be a mistake",
    "unnamed": "nothing names a class for it",
    "uncertain": "a proposer could not tell",
    "audit": "it was drawn at random, as a check",
}
"""Why an image is in the queue, in words that tell no label: not the proposed one, nor the dataset's."""
UNLISTED = (
    *("proposals", "shown", "why", "blind"),  # would sway people before they have looked
    *("image", "reference", "round", "schema", UNMARKED, ALONE, PLACES),  # say nothing to them
)
"""Fields of a task's data that are kept out of the list of tasks."""
HIDDEN = "<p>Nobody's proposal is shown for this image.</p>"


def chosen(
    waiting: Sequence[RankedItem],
    labels: Mapping[str, Label],
    reviews: Mapping[str, Sequence[Review]],
    *,
    part: Part = "all",
    turn: int | None = None,
    undecided: Container[Key] = (),
) -> list[tuple[RankedItem, int]]:
    """Which of the waiting images are put to people, and in which round.

    Where people have decided without a clear outcome, it is the round after their last one; elsewhere the first that is
    not `undecided`: worked on, with nothing that decides; or `turn` for all. `disputed`: where people or witnesses
    differ. `audit`: the sample of labels accepted unseen.
    """
    found = []
    for each in waiting:
        said = current_reviews(reviews.get(each.item_id, ()))
        open_question = bool(said) and labels[each.item_id].status == "pending"
        if part == "disputed" and not open_question and each.why != "disputed":
            continue
        if part == "audit" and each.why != "audit":
            continue
        due = last_round(reviews[each.item_id]) + 1 if open_question else 1
        while (each.item_id, due) in undecided:
            due += 1
        found.append((each, turn or due))
    return found


def is_blind(item: str, turn: int, share: float, seed: int) -> bool:
    """Whether proposals are kept from whoever decides an image: drawn by the image alone, so that it never changes."""
    digest = hashlib.blake2b(f"blind:{seed}:{item}:{turn}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < share


def task(
    ranked: RankedItem,
    turn: int,
    item: Item,
    proposals: Sequence[Proposal],
    pictures: Mapping[str, str],
    schema: Schema,
    *,
    blind: bool,
    check: Check,
    reviewed: bool = False,
) -> Task:
    """One image as a task; `pictures` are addresses by the names in `schema.form.FIELDS`, with `desk_pictures.marks`.
    `reviewed`: whether people have looked at it before, without a clear outcome.

    Raises DeskError, naming the item, for a prediction that the form cannot hold.
    """
    answered = [each for each in proposals if each.status == "ok"]
    predictions = [] if blind else [_prediction(each) for each in answered]
    for each, prediction in zip(answered, predictions, strict=False):
        if wrong := check(prediction):
            raise AnnotationToolError(
                f"{item.item_id} ({item.image}): the answer of {each.proposer} does not fit the form: {wrong[0]}",
                "ask it again under the current schema: acbench propose",
            )
    data = {
        "item_id": item.item_id,
        "round": turn,
        "blind": blind,
        "shown": [] if blind else sorted(each.proposer for each in answered),
        "why": "" if blind else ranked.why,
        ASKED_FIELD: _asked(ranked, blind=blind, reviewed=reviewed),
        "schema": schema.version,
        **pictures,
        "proposals": HIDDEN if blind else "".join(map(_in_html, proposals)) or "<p>Nobody proposes anything.</p>",
    }
    if predictions:
        predictions.append({"model_version": EMPTY, "result": []})
    return Task(item_id=item.item_id, round=turn, data=data, predictions=predictions)


def _asked(ranked: RankedItem, *, blind: bool, reviewed: bool) -> str:
    """One line for the annotator; empty if there is nothing to say. A blind task does not tell even what is thought of
    proposals."""
    if blind:
        return "Asked without proposals: it was drawn at random for that."
    why = "people have not settled it yet" if reviewed else ASKED.get(ranked.why, "")
    return f"Asked because {why}." if why else ""


def _prediction(proposal: Proposal) -> dict[str, Any]:
    """A proposal as Label Studio keeps it. It has a score only if the proposer gave one for exactly these labels."""
    labels = list(proposal.labels)
    prediction: dict[str, Any] = {
        "model_version": proposal.proposer,
        "result": [{"from_name": CONTROL, "to_name": OBJECT, "type": "choices", "value": {"choices": labels}}],
    }
    score = proposal.scores.get(labels[0]) if len(labels) == 1 else None
    return prediction if score is None else {**prediction, "score": score}


def _in_html(proposal: Proposal) -> str:
    why = f"<br/>{html.escape(proposal.rationale)}" if proposal.rationale and proposal.status == "ok" else ""
    return f"<p><b>{html.escape(says(proposal))}</b>{why}</p>"
