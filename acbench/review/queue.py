"""Ranks the images that people should look at.

They come in one list: the likelier it is that a label is wrong, by all that witnesses say and are worth
(`acbench.review.weighing`), the earlier. Why an image is in the list plays no part in its place; an image for which
nothing names a class stands where a label is as likely wrong as right. After the list comes the audit: a random sample
of all labels that would be accepted although nobody looks at them, from which the error of such labels is estimated.

In the list are images whose independent witnesses differ or none names a class, those whose label confident learning
suspects, and those of which a witness is unsure and no second witness confirms the dataset's own label. That, and with
it the audit, rests on witnesses alone; the order also learns from what people decided.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from acbench.records import PEOPLE, Label
from acbench.review.audit import AuditSample
from acbench.review.weighed import WeighedItem
from acbench.stats import Estimate, rate
from acbench.storage.stored_rows import fields
from acbench.storage.texts import Texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Why = Literal["flagged", "disputed", "suspect", "doubtful", "unnamed", "uncertain", "audit", "settled"]
"""Why an image is in the queue. `flagged`: somebody wants another look, see `acbench.review.rechecks`. `doubtful`: a
plan asks for it, see `acbench.review.plan`. `settled`: nobody needs to look, so it is not in the queue."""

ORDER: dict[Why, int] = {
    "flagged": -1,
    "disputed": 0,
    "suspect": 0,
    "doubtful": 0,
    "unnamed": 0,
    "uncertain": 0,
    "audit": 1,
    "settled": 2,
}
"""Which part of the ranking an image is in, by why: what somebody asks for, the list, the audit, and the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedItem:
    """One item's place in the review queue."""

    item_id: str
    rank: int
    """1 is the first to look at. Items that nobody needs to look at have a rank too, behind the queue."""
    why: Why
    label_issue_score: float
    """Probability that the label which witnesses give is wrong, 0…1."""
    detail: str
    """One sentence for the reviewer."""


def ranked_rows(weighed: Sequence[WeighedItem], by_path: Iterable[str], audit: AuditSample) -> Iterator[RankedItem]:
    """Rank the items that can be used, by how they are weighed. `by_path`: the ids of all items, sorted by path.

    In memory are little more than the ids of the items.
    """
    import numpy as np

    kinds, words = list(ORDER), dict[str, int]()
    ids, whys, details, likely = Texts(), array("b"), array("i"), array("d")
    for item_id, why, detail, issue in fields(weighed, "item_id", "why", "detail", "issue"):
        ids.append(item_id)
        whys.append(kinds.index(why))
        details.append(words.setdefault(detail, len(words)))
        likely.append(issue)
    unquestioned = _Unquestioned(weighed)
    turns = {item_id: turn for turn, item_id in enumerate(audit.draw(unquestioned))}
    audited = {turns[item_id]: number for number, item_id in unquestioned.numbered() if item_id in turns}
    for number in audited.values():
        whys[number], details[number] = kinds.index("audit"), words.setdefault(_AUDIT, len(words))
    parts = np.array([*ORDER.values()])[np.asarray(whys)]
    issues = np.asarray(likely)
    order = np.lexsort((_places(ids, by_path), -issues, parts))
    begin, end = np.searchsorted(parts[order], [ORDER["audit"], ORDER["settled"]])
    drawn = (audited[turn] for turn in range(len(audited)))  # who stops early has seen a random sample too
    said = list(words)
    for rank, number in enumerate(itertools.chain(map(int, order[:begin]), drawn, map(int, order[end:])), start=1):
        yield RankedItem(
            item_id=ids[number],
            rank=rank,
            why=kinds[whys[number]],
            label_issue_score=round(likely[number], 6),
            detail=said[details[number]],
        )


@dataclass(frozen=True, slots=True)
class _Unquestioned:
    """The labels at stake that no witness questions, (item_id, category), read anew each time."""

    weighed: Sequence[WeighedItem]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for item_id, category, why, at_stake in fields(self.weighed, "item_id", "category", "why", "at_stake"):
            if why == "settled" and at_stake:
                yield item_id, category

    def numbered(self) -> Iterator[tuple[int, str]]:
        """The number of each among all that are weighed, and its id."""
        for number, (item_id, why, at_stake) in enumerate(fields(self.weighed, "item_id", "why", "at_stake")):
            if why == "settled" and at_stake:
                yield number, item_id


_AUDIT = "drawn at random from the labels that would be accepted without a look"


def _places(ids: Texts, by_path: Iterable[str]) -> NDArray[np.int64]:
    """Numbers by which ids are in the order of their paths."""
    import numpy as np

    wanted = iter(ids)
    following = next(wanted, None)
    for item_id in by_path:
        if item_id == following:
            following = next(wanted, None)
    if following is None:  # they are in that order, as nearly always
        return np.arange(len(ids))
    places = {item_id: place for place, item_id in enumerate(by_path)}
    return np.array([places[item_id] for item_id in ids])


def auto_accept_error(
    audit: Iterable[str], machine: Mapping[str, Label], final: Mapping[str, Label]
) -> Estimate | None:
    """Share of wrong labels among the auto-accepted ones, estimated from the audit; None before the first review.

    `audit`: the ids of the sample. `machine`: the labels without reviews; `final`: the labels with them. A bad image or
    mask has no label that could be right or wrong, and does not count. See also `unsettled`.
    """
    decided = [
        item_id for item_id in audit if final[item_id].decided_by == PEOPLE and final[item_id].status == "accepted"
    ]
    return rate(sum(bool(is_label_wrong(machine[item_id].labels, final[item_id])) for item_id in decided), len(decided))


def unsettled(audit: Iterable[str], final: Mapping[str, Label]) -> int:
    """How many of the audited labels people have looked at without settling them: they are unsure, or differ."""
    return sum(final[item_id].status == "pending" for item_id in audit)


def is_label_wrong(machine: tuple[str, ...], final: Label) -> bool | None:
    """Whether people found an auto-accepted label wrong; None if nobody has looked. People are taken as right.

    `machine`: the classes that it names; `final`: the label now.

    A bad image or mask is no wrong label; one of which people are unsure, or differ, counts as wrong until they decide.
    """
    if final.decided_by == PEOPLE:
        return final.status == "accepted" and final.labels != machine
    return True if final.status == "pending" else None
