"""Chooses which images of the queue people are asked about, and makes their tasks."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from acbench.errors import AnnotationToolError
from acbench.records import Item, Label, Proposal, Review
from acbench.review.annotation_tool import MAX_ROUND, Task, TaskKey, TaskPrediction, TaskValue
from acbench.review.askable import NOT_FOR, deciders
from acbench.review.history import current_reviews
from acbench.review.pull import last_round
from acbench.review.queue import RankedItem
from acbench.review.wording import ASKED_BECAUSE, in_families, in_words
from acbench.schema.form import ALONE, ASKED, CONTROL, EMPTY, OBJECT, PLACES, UNMARKED

QueuePart = Literal["disputed", "all", "audit"]
"""Which part of the queue is pushed."""
Check = Callable[[TaskPrediction], Sequence[str]]
"""Gives what is wrong with a prediction, by the form that it is for."""

HIDDEN_FIELDS = (
    *("proposals", "shown", "proposed", "why", "blind"),  # would sway people before they have looked
    *("image", "reference", "round", "reviewed", "schema", "classes", UNMARKED, ALONE, PLACES, NOT_FOR),  # say nothing
)
"""Fields of a task's data that the list of tasks does not show."""
BLIND_PROPOSALS = "<p>Nobody's proposal is shown for this image.</p>"
NO_PROPOSALS = "<p>Nobody proposes anything.</p>"


@dataclass(frozen=True, slots=True)
class DueTask:
    """An image that people should be asked about now."""

    ranked: RankedItem
    round: int
    reviewed: bool = False
    """Whether people have looked at it before, without a clear outcome."""
    not_for: tuple[str, ...] = ()
    """Who decided it before without a clear outcome: somebody else is asked now."""

    def is_blind(self, share: float, seed: int) -> bool:
        """Whether the annotator sees no proposals: drawn by image and round alone, so that it never changes."""
        text = f"blind:{seed}:{self.ranked.item_id}:{self.round}"
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64 < share


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which images of the queue to ask about, and in which round."""

    part: QueuePart = "all"
    """`disputed`: where people or witnesses differ. `audit`: the sample of labels that would be accepted without a
    look."""
    round: int | None = None
    """The round of all tasks; None for the one that is due for each image."""

    def __post_init__(self) -> None:
        if self.round is not None and not 1 <= self.round <= MAX_ROUND:
            raise AnnotationToolError(f"there is no round {self.round}", f"--round takes 1 to {MAX_ROUND:,}")


def due_tasks(
    waiting: Sequence[RankedItem],
    labels: Mapping[str, Label],
    reviews: Mapping[str, Sequence[Review]],
    selection: Selection,
    undecided: Container[TaskKey] = (),
) -> list[DueTask]:
    """The waiting images that people should be asked about. `labels`: at least of those that people looked at.

    Where people have decided without a clear outcome, the round after their last one is due; elsewhere the first one
    that is not `undecided`, that is, whose task people have worked on without a decision.
    """
    due = []
    for row in waiting:
        history = reviews.get(row.item_id, ())
        reviewed = bool(current_reviews(history))
        is_open = reviewed and labels[row.item_id].status == "pending"
        if not _is_selected(row, selection.part, is_open=is_open):
            continue
        round_due = last_round(history) + 1 if is_open else 1
        while (row.item_id, round_due) in undecided:
            round_due += 1
        not_for = deciders(history) if is_open else ()
        due.append(DueTask(row, selection.round or round_due, reviewed, not_for))
    return due


def _is_selected(row: RankedItem, part: QueuePart, *, is_open: bool) -> bool:
    """`is_open`: people have decided without a clear outcome."""
    if part == "disputed":
        return is_open or row.why == "disputed"
    return part == "all" or row.why == "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContent:
    """Everything that one task shows."""

    due: DueTask
    item: Item
    proposals: Sequence[Proposal]
    pictures: Mapping[str, str]
    """Addresses by the names in `schema.form.FIELDS`, and the texts of `task_pictures.marks`."""
    blind: bool
    schema_version: str
    names: Mapping[str, str]
    """Class id → the name that people read."""

    def task(self) -> Task:
        """The task as it is sent."""
        due, answered = self.due, [proposal for proposal in self.proposals if proposal.status == "ok"]
        shown = [] if self.blind else answered
        data: dict[str, TaskValue] = {
            "item_id": self.item.item_id,
            "round": due.round,
            "blind": self.blind,
            "shown": sorted(proposal.proposer for proposal in shown),
            "proposed": len(answered),
            "reviewed": due.reviewed,
            "why": "" if self.blind else due.ranked.why,
            ASKED: " ".join(filter(None, (self._asked(), self._not_asked()))),
            NOT_FOR: list(due.not_for),
            "schema": self.schema_version,
            "classes": sorted(self.names),
            **self.pictures,
            "proposals": self._proposals(),
        }
        predictions = [_prediction(proposal) for proposal in shown]
        if predictions:
            predictions.append({"model_version": EMPTY, "result": []})
        return Task(item_id=self.item.item_id, round=due.round, data=data, predictions=predictions)

    def _asked(self) -> str:
        """Why the image is asked, in one line; empty if there is nothing to say.

        A blind task does not even tell what proposals are like.
        """
        if self.blind:
            return "Asked without proposals: it was drawn at random for that."
        why = "people have not settled it yet" if self.due.reviewed else ASKED_BECAUSE.get(self.due.ranked.why, "")
        return f"Asked because {why}." if why else ""

    def _not_asked(self) -> str:
        """Who should leave the task to somebody else, in one line; empty for nobody."""
        names = " and ".join(self.due.not_for)
        return f"Not for {names}, who decided it before: skip it." if names else ""

    def _proposals(self) -> str:
        """All proposals, as HTML."""
        if self.blind:
            return BLIND_PROPOSALS
        families = (f"<p>{html.escape(text)}.</p>" for text in in_families(self.proposals))
        return "".join([*map(self._in_html, self.proposals), *families]) or NO_PROPOSALS

    def _in_html(self, proposal: Proposal) -> str:
        said = html.escape(in_words(proposal, self.names))
        why = html.escape(proposal.rationale) if proposal.status == "ok" else ""
        return f"<p><b>{said}</b>{why and f'<br/>{why}'}</p>"


def refuse_unfit(task: Task, image: str, check: Check) -> None:
    """Raise AnnotationToolError, naming the image, for a prediction that the form cannot hold."""
    for prediction in task.predictions:
        if prediction["model_version"] != EMPTY and (wrong := check(prediction)):
            proposer = prediction["model_version"]
            raise AnnotationToolError(
                f"{task.item_id} ({image}): the answer of {proposer} does not fit the form: {wrong[0]}",
                "ask it again under the current schema: acbench propose",
            )


def _prediction(proposal: Proposal) -> TaskPrediction:
    """A proposal for Label Studio. It has a score only if the proposer gives one for exactly these labels."""
    labels = list(proposal.labels)
    prediction: TaskPrediction = {
        "model_version": proposal.proposer,
        "result": [{"from_name": CONTROL, "to_name": OBJECT, "type": "choices", "value": {"choices": labels}}],
    }
    score = proposal.scores.get(labels[0]) if len(labels) == 1 else None
    if score is not None:
        prediction["score"] = score
    return prediction
