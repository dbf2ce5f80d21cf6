"""What reviewers have decided so far: which decision of each stands, and how new rows are added."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from acbench.records import Item, Review
from acbench.schema import Category, Schema


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

    def next_round(self, item_id: str, reviewer: str) -> int:
        """The round of the next decision of one reviewer on one item."""
        said = self.of_reviewer(item_id, reviewer)
        return said[-1].round + 1 if said else 1

    def add(self, review: Review) -> None:
        """Add a row; its round is one from `next_round`."""
        self.added.append(review)
        self._by_reviewer[review.item_id, review.reviewer].append(review)


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
