"""What reviewers have decided so far: which decision of each stands, and how rows are added."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from acbench.records import Review


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
