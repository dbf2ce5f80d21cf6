"""Ranks the images that people should look at.

First come images whose independent witnesses differ, or whose label confident learning suspects: the highest
label-issue score first. Then come images for which nothing names a class, then those of which a witness is unsure and
no second witness confirms the dataset's own label. Last comes the audit: a random sample of all labels that would be
accepted although nobody looks at them, from which the error of such labels is estimated.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from acbench.records import GOOD, PEOPLE, Item, Label, Proposal
from acbench.review.witnesses import differ, witnesses
from acbench.schema import Category, Schema
from acbench.stats import Estimate, rate

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
    "unnamed": 1,
    "uncertain": 2,
    "audit": 3,
    "settled": 4,
}

UNKNOWN_SCORE = 0.5
"""Label-issue score of a label that no witness gives probabilities for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedItem:
    """One item's place in the review queue."""

    item_id: str
    rank: int
    """1 is the first to look at. Items that nobody needs to look at have a rank too, behind the queue."""
    why: Why
    label_issue_score: float
    """How much the witnesses' probabilities speak against the current label: 0 not at all, 1 entirely."""
    detail: str
    """One sentence for the reviewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSample:
    """How the audit is drawn. Raises ValueError for a share that is none."""

    share: float = 0.05
    """Share, 0…1, of the test images whose labels would be accepted without a look, normal images included."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError("the audit share is between 0 and 1")

    def draw(self, item_ids: Iterable[str]) -> list[str]:
        """The sample of some items, in the order of the draw."""
        ordered = sorted(item_ids, key=self.number)
        return ordered[: math.ceil(self.share * len(ordered))]

    def number(self, item_id: str) -> str:
        """A random number that depends on the item alone: more images leave the order of the others as it is."""
        return hashlib.blake2b(f"{self.seed}:{item_id}".encode()).hexdigest()


def rank(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    machine: Mapping[str, Label],
    schema: Schema,
    audit: AuditSample,
) -> list[RankedItem]:
    """Rank the items that can be used. Reviews play no part, so that the audit stays the same sample.

    `machine`: item_id → the label without reviews, see `resolve.machine_labels`.
    """
    usable = [item for item in items if machine[item.item_id].status != "excluded"]
    quality, suspects = _confident_learning(usable, proposals, machine)
    scores = {item.item_id: round(1 - quality.get(item.item_id, UNKNOWN_SCORE), 6) for item in usable}
    whys = {
        item.item_id: _why(
            machine[item.item_id],
            proposals.get(item.item_id, ()),
            schema.category(item.category),
            is_suspect=item.item_id in suspects,
        )
        for item in usable
    }
    unaudited = [item.item_id for item in usable if whys[item.item_id] == "settled" and item.is_at_stake]
    whys.update(dict.fromkeys(audit.draw(unaudited), "audit"))

    def place(item: Item) -> tuple[int, float, str]:
        why = whys[item.item_id]
        if why == "audit":  # in the order of the draw, so that a reviewer who stops early has seen a random sample too
            return ORDER[why], 0, audit.number(item.item_id)
        return ORDER[why], -scores[item.item_id], item.image

    return [
        RankedItem(
            item_id=item.item_id,
            rank=number,
            why=whys[item.item_id],
            label_issue_score=scores[item.item_id],
            detail=_detail(whys[item.item_id], machine[item.item_id]),
        )
        for number, item in enumerate(sorted(usable, key=place), start=1)
    ]


def auto_accept_error(
    audit: Iterable[str], machine: Mapping[str, Label], final: Mapping[str, Label]
) -> Estimate | None:
    """Share of wrong labels among the auto-accepted ones, estimated from the audit; None before the first review.

    `audit`: the ids of the sample. `machine`: the labels without reviews; `final`: the labels with them.
    """
    decided = [item_id for item_id in audit if final[item_id].decided_by == PEOPLE]
    return rate(sum(bool(is_label_wrong(machine[item_id], final[item_id])) for item_id in decided), len(decided))


def is_label_wrong(machine: Label, final: Label) -> bool | None:
    """Whether people found an auto-accepted label wrong; None if nobody has looked. People are taken as right.

    A bad image or mask is no wrong label; one of which people are unsure, or differ, counts as wrong until they decide.
    """
    if final.decided_by == PEOPLE:
        return final.status == "accepted" and final.labels != machine.labels
    return True if final.status == "pending" else None


def _why(label: Label, proposals: Sequence[Proposal], category: Category | None, *, is_suspect: bool) -> Why:
    if label.status == "pending":
        return "disputed" if differ(witnesses(proposals, category)) else "unnamed"
    if is_suspect:
        return "suspect"
    unsure = any(proposal.status == "abstained" and proposal.scores for proposal in proposals)
    return "uncertain" if unsure and label.agreement is None else "settled"


def _detail(why: Why, label: Label) -> str:
    return {
        "suspect": f"looks unlike the other {' + '.join(label.labels)}",
        "uncertain": "a witness could not tell",
        "audit": "sample of the labels that would be accepted unseen",
        "settled": "",
    }.get(why, label.reason)


# Confident learning


@dataclass(frozen=True, slots=True)
class _ScoredLabel:
    """The label of one item, and the probabilities that one proposer gives."""

    item_id: str
    label: str
    scores: Mapping[str, float]


def _confident_learning(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], labels: Mapping[str, Label]
) -> tuple[dict[str, float], set[str]]:
    """Quality 0…1 of each label of one class that has probabilities, and the items whose label is likely wrong.

    Normalised margin and confident learning of cleanlab (Northcutt et al. 2021, arXiv 1911.00068), by category and
    proposer; the lowest quality counts.
    """
    groups: defaultdict[tuple[str, str, tuple[str, ...]], list[_ScoredLabel]] = defaultdict(list)
    for item in items:
        label_set = labels[item.item_id].labels
        for proposal in proposals.get(item.item_id, ()):
            if len(label_set) == 1 and label_set[0] in proposal.scores and label_set[0] != GOOD:
                key = item.category, proposal.proposer, tuple(sorted(proposal.scores))
                groups[key].append(_ScoredLabel(item.item_id, label_set[0], proposal.scores))
    quality: dict[str, float] = {}
    suspects: set[str] = set()
    for (_, _, classes), rows in sorted(groups.items(), key=lambda group: group[0]):
        margins, issues = _margins(rows, classes)
        for row, margin, issue in zip(rows, margins, issues, strict=True):
            quality[row.item_id] = min(quality.get(row.item_id, 1.0), float(margin))
            if issue:
                suspects.add(row.item_id)
    return quality, suspects


def _margins(rows: Sequence[_ScoredLabel], classes: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Quality of each label, and whether it is likely wrong."""
    import numpy as np  # slow to import, as are the others; only a new ranking needs them
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    numbers = np.array([classes.index(row.label) for row in rows])
    probabilities = np.array([[row.scores[label] for label in classes] for row in rows])
    if len(set(numbers.tolist())) < len(classes) or len(classes) < 2:  # confident learning needs every class
        return probabilities[np.arange(len(numbers)), numbers], np.zeros(len(numbers), dtype=bool)
    margins = get_label_quality_scores(numbers, probabilities, method="normalized_margin")
    return margins, find_label_issues(numbers, probabilities, n_jobs=1)
