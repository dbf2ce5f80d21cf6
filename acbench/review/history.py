"""What reviewers have decided so far: which decision of each stands, which came first, and how new rows are added."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from acbench.errors import ReviewError
from acbench.records import Item, Review, Sight
from acbench.review.annotation_tool import MAX_ROUND
from acbench.review.decisions import Decision
from acbench.review.sight import TOOL_DESK, sight_of
from acbench.schema import Category, Schema


@dataclass(frozen=True, slots=True, order=True)
class AnnotationName:
    """The name of an annotation, as `Review.desk` holds it."""

    round: int
    """Round of the task, 1 to MAX_ROUND."""
    number: int
    """Number of the annotation in the tool."""
    project: str
    """`ToolProject.uid`."""

    @classmethod
    def parse(cls, desk: str) -> AnnotationName | None:
        """The annotation that a desk names; None if it names none."""
        match = re.fullmatch(rf"{TOOL_DESK}([0-9a-f]{{8}})/([0-9]{{1,9}})/([0-9]{{1,18}})", desk)
        return cls(int(match[2]), int(match[3]), match[1]) if match else None

    def __str__(self) -> str:
        return f"{TOOL_DESK}{self.project}/{self.round}/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A decision, who made it, where and when."""

    item_id: str
    reviewer: str
    decision: Decision
    shown: tuple[str, ...] = ()
    """Proposers whose answers were in reach."""
    sight: Sight = ""
    """What the page or file where it was decided let the reviewer know of proposals."""
    seconds: float | None = None
    """Time spent, if known."""
    when: str
    """UTC, ISO 8601, to the second."""
    desk: str
    """Where it was decided, as in `Review`."""
    settles: bool = False
    """As in `Review`."""
    schema_version: str = ""
    """Version of the schema whose classes were offered; empty for the present one."""


class ReviewLog:
    """The reviews of one benchmark, to which new decisions are added. Nothing is ever taken out.

    `items`: item_id → item of the dataset. `earlier`: the reviews that are kept already, also those of other items.
    """

    def __init__(self, items: Mapping[str, Item], schema: Schema, earlier: Sequence[Review]) -> None:
        self.items = items
        self.schema = schema
        self.earlier = earlier
        self.added: list[Review] = []
        self._by_reviewer: defaultdict[tuple[str, str], list[Review]] = defaultdict(list)
        for review in earlier:
            self._by_reviewer[review.item_id, review.reviewer].append(review)

    @property
    def reviews(self) -> list[Review]:
        """All reviews: those that were kept already, and the new ones."""
        return [*self.earlier, *self.added]

    def category(self, item: Item) -> Category | None:
        """The category of an item; None if the schema does not have it."""
        return self.schema.category(item.category)

    def of_reviewer(self, item_id: str, reviewer: str) -> list[Review]:
        """Everything that one reviewer said of one item, by round."""
        return sorted(self._by_reviewer.get((item_id, reviewer), ()), key=lambda review: review.round)

    def add(self, *statements: Statement) -> None:
        """Add what one reviewer said of one item at one time: one round, and a row for each statement.

        Raises ReviewError if no higher round is left.
        """
        first = statements[0]
        before = self.of_reviewer(first.item_id, first.reviewer)
        number = before[-1].round + 1 if before else 1
        if number > MAX_ROUND:
            raise ReviewError(
                f"{first.reviewer} has a row of round {before[-1].round} about {first.item_id}, and none can follow it",
                "mend its round in reviews.jsonl, or in the file of its category in reviews/: it counts from 1",
            )
        rows = [_row(statement, number, before, self.schema.version) for statement in statements]
        self.added += rows
        self._by_reviewer[first.item_id, first.reviewer] += rows


def _row(statement: Statement, number: int, before: Sequence[Review], schema_version: str) -> Review:
    row = Review(
        item_id=statement.item_id,
        reviewer=statement.reviewer,
        round=number,
        verdict=statement.decision.verdict,
        labels=statement.decision.labels,
        note=statement.decision.note,
        shown=statement.shown,
        sight=statement.sight,
        seconds=statement.seconds,
        when=statement.when,
        desk=statement.desk,
        settles=statement.settles,
        schema_version=statement.schema_version or schema_version,
    )
    return replace(row, sight=sight_of(row, before))


def by_item(reviews: Iterable[Review]) -> dict[str, list[Review]]:
    """Reviews keyed by item_id."""
    table: defaultdict[str, list[Review]] = defaultdict(list)
    for review in reviews:
        table[review.item_id].append(review)
    return dict(table)


def current_reviews(reviews: Iterable[Review]) -> list[Review]:
    """The latest decision of each reviewer of one item, by the reviewer's name; withdrawn decisions do not count."""
    latest: dict[str, Review] = {}
    for review in sorted(_last_at_each_desk(reviews), key=by_age):
        latest[review.reviewer] = review
    return [latest[name] for name in sorted(latest)]


def first_answers(reviews: Iterable[Review]) -> list[Review]:
    """The first answer of each reviewer of one item, by the reviewer's name: what nobody's answer had a part in.

    `unsure` is no answer. What was taken back does not count, and neither does an answer to a task that was sent
    because people had answered in an earlier round and not settled the image: such images are chosen for being hard.
    """
    history = sorted(reviews, key=by_age)
    standing = {(review.reviewer, review.desk) for review in _last_at_each_desk(history)}
    answers = [
        review
        for review in history
        if review.verdict not in ("unsure", "withdrawn") and (review.reviewer, review.desk) in standing
    ]
    first: dict[str, Review] = {}
    for review in answers:
        first.setdefault(review.reviewer, review)
    return [first[name] for name in sorted(first) if not _settles(first[name], answers)]


def _settles(review: Review, answers: Iterable[Review]) -> bool:
    """Whether an answer was asked for because others had answered without a clear outcome."""
    others = [other for other in answers if other.reviewer != review.reviewer and not other.settles]
    if review.settles:
        return bool(others)
    number = _task_round(review)
    return number > 1 and any(_task_round(other) < number for other in others)


def _task_round(review: Review) -> int:
    """The round of the task that a review comes from; 0 if it comes from none."""
    name = AnnotationName.parse(review.desk)
    return name.round if name else 0


def rows_that_differ(reviews: Iterable[Review]) -> list[tuple[Review, Review]]:
    """Pairs of rows of one reviewer, round and item that say different things, such as a merge of two branches leaves.

    The second one counts.
    """
    first: dict[tuple[str, str, int], Review] = {}
    pairs = []
    for review in sorted(reviews, key=lambda review: (review.item_id, review.reviewer, by_age(review))):
        before = first.setdefault((review.item_id, review.reviewer, review.round), review)
        if (before.verdict, before.labels) != (review.verdict, review.labels):
            pairs.append((before, review))
    return pairs


def _last_at_each_desk(reviews: Iterable[Review]) -> list[Review]:
    """The last row of each reviewer at each desk, unless it withdraws."""
    standing: dict[tuple[str, str], Review] = {}
    for review in sorted(reviews, key=by_age):
        standing[review.reviewer, review.desk] = review
    return [review for review in standing.values() if review.verdict != "withdrawn"]


def by_age(review: Review) -> tuple[object, ...]:
    """Give what the reviews of one item are sorted by, the oldest first."""
    # Two branches of a repository may each add a row of the same round: the later row counts, in whatever order.
    return review.round, review.when, review.verdict, review.labels, review.note
