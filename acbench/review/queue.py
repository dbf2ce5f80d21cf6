"""Which images people should look at, and in what order.

First where independent witnesses differ or confident learning suspects the dataset's label, the most suspect first;
then where nothing names a class; then where a witness could not
tell and no other one stands beside the dataset. At the end a random sample of all that would be
accepted unseen, from which the error of the unseen labels is estimated.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from acbench.records import GOOD, PEOPLE, Item, Label, Proposal, Review
from acbench.review.resolve import witnesses
from acbench.schema import Category, Schema
from acbench.stats import Estimate, rate

Why = Literal["flagged", "disputed", "suspect", "unnamed", "uncertain", "audit", "settled"]
ORDER: dict[Why, int] = {
    "flagged": -1,
    "disputed": 0,
    "suspect": 0,
    "unnamed": 1,
    "uncertain": 2,
    "audit": 3,
    "settled": 4,
}
"""`flagged` is what somebody wants looked at again (`stages.flags`), `settled` everything that nobody needs to see."""

UNKNOWN = 0.5
"""Suspicion of a label that no witness has probabilities for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedItem:
    """One item's place in the review queue."""

    item_id: str
    rank: int
    """1 is the first to see. Ranks go on beyond the queue, to the least suspect item."""
    why: Why
    label_issue_score: float
    """How much the witnesses' probabilities speak against the current label: 0 not at all, 1 entirely."""
    detail: str
    """One sentence for the reviewer."""


def rank(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    machine: Mapping[str, Label],
    schema: Schema,
    *,
    audit: float = 0.05,
    seed: int = 0,
) -> list[RankedItem]:
    """Rank the items that can be used. Reviews play no part, so that the audit sample stays what it was.

    `machine`: item_id → the label without reviews, see `resolve.machine_labels`. `audit`: share, 0…1, of the test
    images whose labels would be accepted unseen, normal ones included. Raises ValueError if it is none.
    """
    if not 0 <= audit <= 1:
        raise ValueError("the audit share is between 0 and 1")
    usable = [item for item in items if machine[item.item_id].status != "excluded"]
    quality, suspects = _confident_learning(usable, proposals, machine)
    whys = {
        item.item_id: _why(
            machine[item.item_id],
            proposals.get(item.item_id, ()),
            schema.category(item.category),
            item.item_id in suspects,
        )
        for item in usable
    }
    unseen = [item.item_id for item in usable if whys[item.item_id] == "settled" and item.split == "test"]
    unseen.sort(key=lambda each: _draw(seed, each))
    whys.update(dict.fromkeys(unseen[: math.ceil(audit * len(unseen))], "audit"))
    label_issue_score = {item.item_id: round(1 - quality.get(item.item_id, UNKNOWN), 6) for item in usable}

    def place(item: Item) -> tuple[int, float, str]:
        why = whys[item.item_id]
        if why == "audit":  # in the order of the draw, so that whoever stops early has still seen a random sample
            return ORDER[why], 0, _draw(seed, item.item_id)
        return ORDER[why], -label_issue_score[item.item_id], item.image

    ordered = sorted(usable, key=place)
    return [
        RankedItem(
            item_id=item.item_id,
            rank=rank,
            why=whys[item.item_id],
            label_issue_score=label_issue_score[item.item_id],
            detail=_detail(whys[item.item_id], machine[item.item_id]),
        )
        for rank, item in enumerate(ordered, start=1)
    ]


def auto_accept_error(
    ranked: Iterable[RankedItem], machine: Mapping[str, Label], final: Mapping[str, Label]
) -> Estimate | None:
    """Share of the labels accepted unseen that are wrong, from the audited ones; None before any was reviewed.

    `machine`: the labels without reviews; `final`: the labels with them.
    """
    audited = [each.item_id for each in ranked if each.why == "audit" and final[each.item_id].decided_by == PEOPLE]
    return rate(sum(machine[each].labels != final[each].labels for each in audited), len(audited))


def _why(label: Label, proposals: Sequence[Proposal], category: Category | None, suspect: bool) -> Why:
    if label.status == "pending":
        return "disputed" if len({voice.labels for voice in witnesses(proposals, category)}) > 1 else "unnamed"
    if suspect:
        return "suspect"
    unsure = any(each.status == "abstained" and each.scores for each in proposals)
    return "uncertain" if unsure and label.agreement is None else "settled"


def _detail(why: Why, label: Label) -> str:
    return {
        "suspect": f"looks unlike the other {' + '.join(label.labels)}",
        "uncertain": "a witness could not tell",
        "audit": "sample of the labels that would be accepted unseen",
        "settled": "",
    }.get(why, label.reason)


def _confident_learning(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], labels: Mapping[str, Label]
) -> tuple[dict[str, float], set[str]]:
    """Quality 0…1 of each single label that has class probabilities, and the items whose label is likely wrong.

    Normalised margin and confident learning of cleanlab (Northcutt et al. 2021, arXiv 1911.00068), by category.
    """
    rows: defaultdict[tuple[str, str, tuple[str, ...]], list[tuple[str, str, Mapping[str, float]]]] = defaultdict(list)
    for item in items:
        given = labels[item.item_id].labels
        for each in proposals.get(item.item_id, ()):
            if each.scores and len(given) == 1 and given[0] in each.scores and given[0] != GOOD:
                classes = tuple(sorted(each.scores))
                rows[item.category, each.proposer, classes].append((item.item_id, given[0], each.scores))
    quality: dict[str, float] = {}
    suspects: set[str] = set()
    for (_, _, classes), members in sorted(rows.items()):
        import numpy as np  # slow to import, as are the others; only a new ranking needs them
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores

        numbers = np.array([classes.index(label) for _, label, _ in members])
        probabilities = np.array([[scores[label] for label in classes] for _, _, scores in members])
        if len(set(numbers.tolist())) < len(classes) or len(classes) < 2:
            margins = probabilities[np.arange(len(numbers)), numbers]  # confident learning needs every class
            issues = np.zeros(len(numbers), dtype=bool)
        else:
            margins = get_label_quality_scores(numbers, probabilities, method="normalized_margin")
            issues = find_label_issues(numbers, probabilities, n_jobs=1)
        for (item_id, _, _), value, issue in zip(members, margins, issues, strict=True):
            quality[item_id] = min(quality.get(item_id, 1.0), float(value))
            if issue:
                suspects.add(item_id)
    return quality, suspects


def _draw(seed: int, item: str) -> str:
    """A random number that depends on the item alone, so that the sample survives additions."""
    return hashlib.blake2b(f"{seed}:{item}".encode()).hexdigest()


def by_item(reviews: Iterable[Review]) -> dict[str, list[Review]]:
    """Reviews keyed by item_id."""
    table: defaultdict[str, list[Review]] = defaultdict(list)
    for review in reviews:
        table[review.item_id].append(review)
    return dict(table)
