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

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from acbench.records import PEOPLE, Item, Label, Proposal, one_defect, short_name
from acbench.review.audit import AuditSample
from acbench.review.weighing import label_issues
from acbench.review.witnesses import differ, witnesses
from acbench.schema import Category, Schema
from acbench.stats import Estimate, rate

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

UNKNOWN_SCORE = 0.5
"""Label-issue score of a label that cannot be weighed: none, several classes, or `good`."""

TEACHABLE = "neighbours"
"""The proposer whose classifier learns from decisions."""


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


def rank(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    machine: Mapping[str, Label],
    schema: Schema,
    audit: AuditSample,
    *,
    final: Mapping[str, Label] | None = None,
    learned: Mapping[str, Mapping[str, float]] | None = None,
) -> list[RankedItem]:
    """Rank the items that can be used.

    `machine`: item_id → the label without reviews, see `resolve.machine_labels`; `final`: with them. `learned`:
    item_id → class id → probability by `neighbours` taught with what people decided, in place of what it proposed.
    These two change the order of the list, never why an image is in it, so that the audit stays the same sample.
    """
    usable = [item for item in items if machine[item.item_id].status != "excluded"]
    suspects = _suspects(usable, proposals, machine)
    issues = label_issues(usable, _taught(proposals, learned or {}), machine, final or machine, schema)
    scores = {item.item_id: round(issues.get(item.item_id, UNKNOWN_SCORE), 6) for item in usable}
    whys = {
        item.item_id: _why(
            machine[item.item_id],
            proposals.get(item.item_id, ()),
            schema.category(item.category),
            is_suspect=item.item_id in suspects,
        )
        for item in usable
    }
    unaudited = [
        (item.item_id, item.category) for item in usable if whys[item.item_id] == "settled" and item.is_at_stake
    ]
    whys.update(dict.fromkeys(audit.draw(unaudited), "audit"))

    def place(item: Item) -> tuple[int, float, str]:
        why = whys[item.item_id]
        if why == "audit":  # in the order of the draw, so that a reviewer who stops early has seen a random sample too
            return ORDER[why], 0, audit.number(item.item_id)
        return ORDER[why], -issues.get(item.item_id, UNKNOWN_SCORE), item.image

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

    `audit`: the ids of the sample. `machine`: the labels without reviews; `final`: the labels with them. A bad image or
    mask has no label that could be right or wrong, and does not count. See also `unsettled`.
    """
    decided = [
        item_id for item_id in audit if final[item_id].decided_by == PEOPLE and final[item_id].status == "accepted"
    ]
    return rate(sum(bool(is_label_wrong(machine[item_id], final[item_id])) for item_id in decided), len(decided))


def unsettled(audit: Iterable[str], final: Mapping[str, Label]) -> int:
    """How many of the audited labels people have looked at without settling them: they are unsure, or differ."""
    return sum(final[item_id].status == "pending" for item_id in audit)


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
        "suspect": f"looks unlike the other images of {' + '.join(label.labels)}",
        "uncertain": "a proposer could not tell",
        "audit": "drawn at random from the labels that would be accepted without a look",
        "settled": "",
    }.get(why, label.reason)


def _taught(
    proposals: Mapping[str, Sequence[Proposal]], learned: Mapping[str, Mapping[str, float]]
) -> Mapping[str, Sequence[Proposal]]:
    """The proposals, with what `neighbours` learned in place of its probabilities."""
    changed = {
        item_id: [
            replace(each, scores=scores) if short_name(each.proposer) == TEACHABLE and each.scores else each
            for each in proposals.get(item_id, ())
        ]
        for item_id, scores in learned.items()
    }
    return {**proposals, **changed}


# Confident learning

_ScoredLabel = tuple[str, str, Mapping[str, float]]
"""An item, its label, and the probabilities that one proposer gives."""


def _suspects(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], labels: Mapping[str, Label]
) -> set[str]:
    """The items whose label is likely wrong by confident learning (Northcutt et al. 2021, arXiv 1911.00068; cleanlab).

    By category and proposer, of labels of one class.
    """
    groups: defaultdict[tuple[str, str, tuple[str, ...]], list[tuple[str, str, Mapping[str, float]]]] = defaultdict(
        list
    )
    for item in items:
        label = one_defect(labels[item.item_id].labels)
        for proposal in proposals.get(item.item_id, ()):
            if label in proposal.scores:
                key = item.category, proposal.proposer, tuple(sorted(proposal.scores))
                groups[key].append((item.item_id, label, proposal.scores))
    suspects: set[str] = set()
    for (_, _, classes), rows in groups.items():
        if len({label for _, label, _ in rows}) == len(classes) > 1:  # confident learning needs every class
            suspects |= _issues(rows, classes)
    return suspects


def _issues(rows: Sequence[_ScoredLabel], classes: Sequence[str]) -> set[str]:
    import numpy as np  # slow to import, as is the other; only a new ranking needs them
    from cleanlab.filter import find_label_issues

    numbers = np.array([classes.index(label) for _, label, _ in rows])
    probabilities = np.array([[scores[label] for label in classes] for _, _, scores in rows])
    found = find_label_issues(numbers, probabilities, n_jobs=1)
    return {item_id for (item_id, _, _), wrong in zip(rows, found, strict=True) if wrong}
