"""Checks the history of a row: it has to end in what the row says that people say now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from acbench.records import Review, Sight, Verdict
from acbench.review.former import as_read
from acbench.review.history import current_reviews
from acbench.schema import Category

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def problems(row: Mapping[str, Any], category: Category | None) -> Iterator[str]:
    """Say what about the decisions of a row cannot be. `category`: what its classes are called now, if that is known.

    Raises KeyError or TypeError for what is no row of a release.
    """
    history = row["history"] or []
    for decision in history:
        if why := _wrong(decision):
            yield why
            return
    order = [(decision["who"], decision["round"]) for decision in history]
    if order != sorted(order):
        yield "the decisions in its history are not in their order"
    now = [_told(review) for review in current_reviews(_reviews(row["item_id"], history, category))]
    votes = [
        (vote["who"], vote["said"], tuple(vote["labels"] or ()), vote["blind"])
        for vote in row["votes"] or []
        if vote["kind"] == "person"
    ]
    if now != votes:
        differ = sorted({who for who, *_ in {*now} ^ {*votes}})
        yield f"its votes of people are not what its history ends in: {', '.join(differ)[:80]!a}"


def _wrong(decision: Mapping[str, Any]) -> str:
    if decision["said"] not in get_args(Verdict):
        return f"nobody can have said {str(decision['said'])[:40]!a}"
    if decision["sight"] not in get_args(Sight) or not decision["sight"]:
        return f"there is no sight {str(decision['sight'])[:40]!a}"
    if decision["date"] is not None and not _DATE.fullmatch(decision["date"]):
        return f"a decision is dated {decision['date'][:40]!a}"
    if min(decision["round"], decision["place"]) < 1:
        return "rounds and places are counted from 1"
    return "" if bool(decision["labels"]) == (decision["said"] == "label") else "a decision names classes, or has to"


def _reviews(item_id: str, history: Sequence[Mapping[str, Any]], category: Category | None) -> Iterator[Review]:
    """The decisions as they were kept, but for what a release leaves out: their place in the list tells their age."""
    for number, decision in enumerate(history):
        review = Review(
            item_id=item_id,
            reviewer=decision["who"],
            round=decision["round"],
            verdict=decision["said"],
            labels=tuple(decision["labels"] or ()),
            sight=decision["sight"],
            when=f"{number:09}",
            desk=str(decision["place"]),
        )
        yield as_read(review, category)


def _told(review: Review) -> tuple[str, str, tuple[str, ...], bool | None]:
    """What a vote says of a decision that stands."""
    return review.reviewer, review.verdict, review.labels, None if review.sight == "none" else review.sight == "blind"
