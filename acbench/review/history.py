"""What reviewers have decided so far: which decision of each stands, and how new rows are added."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from acbench.records import Item, Review
from acbench.review.decisions import Decision
from acbench.schema import Category, Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A decision, who made it, where and when."""

    item_id: str
    reviewer: str
    decision: Decision
    shown: tuple[str, ...] = ()
    """Proposers whose answers were in sight."""
    seconds: float | None = None
    """Time spent, if known."""
    when: str
    """UTC, ISO 8601, to the second."""
    desk: str
    """Where it was decided, as in `Review`."""


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
        """Add what one reviewer said of one item at one time: one round, and a row for each statement."""
        first = statements[0]
        before = self.of_reviewer(first.item_id, first.reviewer)
        rows = [_row(statement, before[-1].round + 1 if before else 1, self.schema.version) for statement in statements]
        self.added += rows
        self._by_reviewer[first.item_id, first.reviewer] += rows


def _row(statement: Statement, number: int, schema_version: str) -> Review:
    return Review(
        item_id=statement.item_id,
        reviewer=statement.reviewer,
        round=number,
        verdict=statement.decision.verdict,
        labels=statement.decision.labels,
        note=statement.decision.note,
        shown=statement.shown,
        seconds=statement.seconds,
        when=statement.when,
        desk=statement.desk,
        schema_version=schema_version,
    )


def by_item(reviews: Iterable[Review]) -> dict[str, list[Review]]:
    """Reviews keyed by item_id."""
    table: defaultdict[str, list[Review]] = defaultdict(list)
    for review in reviews:
        table[review.item_id].append(review)
    return dict(table)


def current_reviews(reviews: Iterable[Review]) -> list[Review]:
    """The latest decision of each reviewer of one item, by the reviewer's name; withdrawn decisions do not count."""
    standing: dict[tuple[str, str], Review] = {}
    for review in sorted(reviews, key=_age):
        standing[review.reviewer, review.desk] = review
    latest: dict[str, Review] = {}
    for review in sorted(standing.values(), key=_age):
        if review.verdict != "withdrawn":
            latest[review.reviewer] = review
    return [latest[name] for name in sorted(latest)]


def _age(review: Review) -> tuple[object, ...]:
    # Two branches of a repository may each add a row of the same round: the later row counts, in whatever order.
    return review.round, review.when, review.verdict, review.labels, review.note
