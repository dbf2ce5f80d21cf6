"""Says how the expected remaining error fell from day to day, replayed from the dates of decisions.

Nothing of the past is kept but what people decided and when. So each day is computed anew from what they had decided by
its end, with the images, proposals and label schema of now: it is no record of what a report said then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from acbench.records import Review
from acbench.review.doubt import Doubting
from acbench.review.history import by_item
from acbench.review.resolve import resolve_item
from acbench.storage.stored_rows import some
from acbench.workflows.queue import Queue

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


def errors_by_day(queue: Queue) -> list[ErrorOnDay]:
    """The error at the end of each day with a decision, and before the first; empty without a dated decision.

    What has no date counts from the start.
    """
    said = queue.labelled.reviews
    days = _chosen(sorted({review.day for review in said if review.day}))
    if not days:
        return []
    proposed = queue.labelled.proposed
    doubting = Doubting(
        queue.standing.auto, proposed.dataset.items, proposed.by_item, proposed.machine_labels, proposed.schema
    )
    before = (date.fromisoformat(days[0]) - timedelta(days=1)).isoformat()
    return [_on_day(queue, doubting, day, [each for each in said if each.day <= day]) for day in (before, *days)]


def _chosen(days: Sequence[str]) -> list[str]:
    """At most MOST days, the first and the last among them."""
    if len(days) <= MOST:
        return [*days]
    step = (len(days) - 1) / (MOST - 1)
    return [days[round(step * number)] for number in range(MOST)]


def _on_day(queue: Queue, doubting: Doubting, day: str, reviews: Iterable[Review]) -> ErrorOnDay:
    proposed, now = queue.labelled.proposed, queue.standing
    histories = by_item(reviews)
    answers = some(proposed.by_item, histories.keys())
    decided = {
        item_id: resolve_item(item, answers.get(item_id, ()), histories[item_id], proposed.schema)
        for item_id, item in some(now.items, histories.keys()).items()
    }
    then = dataclasses.replace(now, final=decided)
    wrong = sum(doubting.after(decided).figures[~then.is_seen].data)
    return ErrorOnDay(day=day, expected=wrong / max(then.accepted, 1), decided=then.decided)
