"""Reads decisions under the schema as it is now: classes that were renamed or merged since, and classes that are gone.

A row stays as it was said. Where the schema says what a former class is called now, the row is read so; where it does
not, the decision is lost to the labels until somebody mends the schema or decides anew, and that is told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from acbench.records import JOIN, Item, Review, label_set
from acbench.review.history import by_item, current_reviews
from acbench.schema import Category, Schema


@dataclass(frozen=True, slots=True)
class LostClass:
    """A decision that stands and names classes which the schema no longer has."""

    review: Review
    names: tuple[str, ...]
    """The class ids, sorted."""
    category: str


def as_read(review: Review, category: Category | None) -> Review:
    """A review with its classes as the schema calls them now. One that names a class which is gone stays as it is."""
    if category is None or all(label in category.answers for label in review.labels):
        return review
    present = [category.present(label) for label in review.labels]
    return replace(review, labels=label_set(name for names in present for name in names)) if all(present) else review


def all_as_read(reviews: Iterable[Review], items: Mapping[str, Item], schema: Schema) -> list[Review]:
    """All reviews with their classes as the schema calls them now. `items`: item_id → item; reviews of others stay."""
    return [
        as_read(review, schema.category(items[review.item_id].category)) if review.item_id in items else review
        for review in reviews
    ]


def lost_classes(reviews: Iterable[Review], items: Mapping[str, Item], schema: Schema) -> list[LostClass]:
    """The current decisions that name classes which the schema no longer has, by item and reviewer."""
    found = []
    for item_id, history in sorted(by_item(reviews).items()):
        if (item := items.get(item_id)) is None:
            continue
        category = schema.category(item.category)
        for review in current_reviews(history):
            known = category.answers if category else ()
            gone = tuple(sorted(set(as_read(review, category).labels) - set(known)))
            if gone:
                found.append(LostClass(review, gone, item.category))
    return found


def flag_words(lost: LostClass) -> str:
    """Why the image of such a decision has to be looked at again, in words."""
    return f"{lost.review.reviewer} decided {JOIN.join(lost.names)}, which the schema no longer has"


def in_words(lost: Sequence[LostClass]) -> str:
    """How many decisions name which classes that are gone; empty if none does."""
    if not lost:
        return ""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in lost:
        counts[each.category].update(each.names)
    named = "; ".join(f"{category}: {', '.join(sorted(names))}" for category, names in sorted(counts.items()))
    decisions = "1 decision names" if len(lost) == 1 else f"{len(lost):,} decisions name"
    return f"{decisions} classes that the schema no longer has ({named})"
