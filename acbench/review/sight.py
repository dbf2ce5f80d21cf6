"""What a reviewer could know of proposals when deciding, as it was recorded, and over all decisions about an image.

Proposers are told apart by name, without the hash of their version: a person who has seen one version's answer is not
blind for the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from acbench.records import Review, Sight, short_name

TOOL_DESK = "label-studio:"
"""How `Review.desk` of a decision from the annotation tool begins. Its page shows proposals folded."""
WORDS: Mapping[Sight, str] = {
    "seen": "saw proposals",
    "available": "proposals to unfold",
    "earlier": "proposals hidden, in reach before",
    "blind": "blind",
    "none": "nothing proposed",
}
"""The states in words, in the order in which they are listed."""


def sight_of(review: Review, history: Iterable[Review]) -> Sight:
    """What the reviewer could know of any proposal. `history`: all that was said of the image, by anybody."""
    own = _own_sight(review)
    return "earlier" if own in ("blind", "none") and _shown_before(review, history) else own


def sight_of_proposer(review: Review, history: Iterable[Review], proposer: str) -> Sight:
    """The same of one proposer, by its name without a hash; `none` if it had proposed nothing."""
    if proposer in map(short_name, review.shown):
        return _own_sight(review)
    if proposer in _shown_before(review, history):
        return "earlier"
    # A page that shows proposals shows those of all who answered.
    return "blind" if _own_sight(review) in ("blind", "earlier") else "none"


def _own_sight(review: Review) -> Sight:
    """The state that the row holds; of an earlier version's row, what `shown` and desk tell."""
    if review.sight:
        return review.sight
    if review.shown:
        return "available" if review.desk.startswith(TOOL_DESK) else "seen"
    return "blind"


def _shown_before(review: Review, history: Iterable[Review]) -> set[str]:
    """The names of proposers that were in reach at earlier decisions of the same person about the same image."""
    age = review.round, review.when
    return {
        short_name(name)
        for other in history
        if (other.item_id, other.reviewer) == (review.item_id, review.reviewer) and (other.round, other.when) < age
        for name in other.shown
    }
