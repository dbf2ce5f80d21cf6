"""Says how the expected remaining error fell from day to day, replayed from the dates of decisions.

Nothing of the past is kept but what people decided and when. So each day is computed anew from what they had decided by
its end, with the images, proposals and label schema of now: it is no record of what a report said then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from acbench.records import Label, Review
from acbench.review.doubt import doubts
from acbench.review.history import by_item
from acbench.review.plan import Standing
from acbench.review.queue import RankedItem
from acbench.review.resolve import resolve_item
from acbench.storage.stored_rows import some
from acbench.workflows.label import Labelled

MOST = 24
"""Days that are computed, at most: the first, the last, and others between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorOnDay:
    """What was to be expected at the end of a day."""

    day: str
    expected: float
    """Share of the accepted labels of test images that was probably wrong."""
    decided: int
    """Test images that people had decided."""


def errors_by_day(labelled: Labelled, ranked: Sequence[RankedItem]) -> list[ErrorOnDay]:
    """The error at the end of each day with a decision, and before the first; empty without a dated decision.

    What has no date counts from the start.
    """
    days = _chosen(sorted({review.day for review in labelled.reviews if review.day}))
    if not days:
        return []
    before = (date.fromisoformat(days[0]) - timedelta(days=1)).isoformat()
    return [
        _on_day(labelled, ranked, day, [review for review in labelled.reviews if review.day <= day])
        for day in (before, *days)
    ]


def _chosen(days: Sequence[str]) -> list[str]:
    """At most MOST days, the first and the last among them."""
    if len(days) <= MOST:
        return [*days]
    step = (len(days) - 1) / (MOST - 1)
    return [days[round(step * number)] for number in range(MOST)]


def _on_day(labelled: Labelled, ranked: Sequence[RankedItem], day: str, reviews: Iterable[Review]) -> ErrorOnDay:
    proposed = labelled.proposed
    items, machine = proposed.dataset.by_id, proposed.machine_labels
    histories = by_item(reviews)
    answers = some(proposed.by_item, histories.keys())
    decided: dict[str, Label] = {
        item_id: resolve_item(item, answers.get(item_id, ()), histories[item_id], proposed.schema)
        for item_id, item in some(items, histories.keys()).items()
    }
    standing = Standing(items=items, ranked=ranked, machine=machine, final=decided)
    known = doubts(
        standing.auto, proposed.dataset.items, proposed.by_item, machine, standing.final, proposed.schema
    ).of_label
    wrong = sum(known[item_id] for item_id in standing.unseen)
    return ErrorOnDay(day=day, expected=wrong / max(standing.accepted, 1), decided=standing.decided)
