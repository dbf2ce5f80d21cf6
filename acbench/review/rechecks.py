"""Puts images that have to be looked at again first in the queue, until somebody decides them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from acbench.records import Review
from acbench.review.app_marks import DESK
from acbench.review.decisions import clean_note
from acbench.review.history import by_item, current_reviews
from acbench.review.queue import RankedItem
from acbench.review.weighed import UNKNOWN_SCORE
from acbench.storage.stored_rows import by_item_id, some


def recheck_requests(reviews: Iterable[Review]) -> dict[str, Review]:
    """item_id → the request for another look, if nobody has decided the item since."""
    requests = {}
    for item_id, history in by_item(reviews).items():
        current = current_reviews(history)
        decided = max((review.when for review in current if review.verdict != "unsure"), default="")
        unanswered = [
            review
            for review in current
            if review.verdict == "unsure" and review.desk.startswith(DESK) and review.when >= decided
        ]
        if unanswered:
            requests[item_id] = max(unanswered, key=lambda review: (review.when, review.reviewer))
    return requests


def request_words(review: Review) -> str:
    """A request for another look, in words."""
    note = clean_note(review.note)
    return f"{review.reviewer} asks for another look" + (f": {note}" if note else "")


def flagged_first(
    queue: Sequence[RankedItem], ranked: Sequence[RankedItem], flags: Mapping[str, str]
) -> list[RankedItem]:
    """The queue with the images that somebody has to look at again before the others, as `flagged`.

    `ranked`: all images that can be used. `flags`: item_id → why, in words.
    """
    if not flags:
        return list(queue)
    places = some(by_item_id(ranked), flags.keys())
    flagged = []
    for item_id, why in flags.items():
        place = places.get(item_id)
        flagged.append(
            RankedItem(
                item_id=item_id,
                rank=place.rank if place else len(ranked) + 1,  # an excluded image has no rank
                why="flagged",
                label_issue_score=place.label_issue_score if place else UNKNOWN_SCORE,
                detail=why,
            )
        )
    flagged.sort(key=lambda row: (row.rank, row.item_id))
    return [*flagged, *(row for row in queue if row.item_id not in flags)]
