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

from array import array
from collections import ChainMap, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from sys import intern
from typing import Literal, cast

from acbench.records import PEOPLE, Item, Label, Proposal, one_defect, short_name
from acbench.review.audit import AuditSample
from acbench.review.weighing import CategoryEvidence, shared_scalings
from acbench.review.witnesses import differ, witnesses
from acbench.schema import Category, Schema
from acbench.stats import Estimate, rate
from acbench.storage.stored_rows import StoredRows, grouped, places, some

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

    `machine`: item_id → the label without reviews, see `resolve.machine_labels`; `final`: with them, of at least those
    that people looked at. `learned`:
    item_id → class id → probability by `neighbours` taught with what people decided, in place of what it proposed.
    These two change the order of the list, never why an image is in it, so that the audit stays the same sample.
    """
    return list(ranked_rows(items, proposals, machine, schema, audit, final=final, learned=learned))


def ranked_rows(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    machine: Mapping[str, Label],
    schema: Schema,
    audit: AuditSample,
    *,
    final: Mapping[str, Label] | None = None,
    learned: Mapping[str, Mapping[str, float]] | None = None,
) -> Iterator[RankedItem]:
    """As `rank`, one after the other: in memory are little more than ids and the items of one category."""
    taught, final = _taught(proposals, learned or {}), final or machine
    scalings = shared_scalings(items, taught, final, schema)
    ranking = _Ranking(items)
    for name, own in grouped(items, "category").items():
        category = schema.category(name)
        evidence, suspects = CategoryEvidence(category, scalings), _Suspects()
        for item in own:
            key = item.item_id
            label, answers = machine[key], proposals.get(key, ())
            if label.status == "excluded":
                continue
            ranking.add(item, _why(label, answers, category), label)
            evidence.add(item, taught.get(key, ()), label, final.get(key))
            suspects.add(key, one_defect(label.labels), answers)
        ranking.complete(evidence.issues(), suspects.found())
    return ranking.rows(audit)


class _Ranking:
    """The items that can be used, as far as their ranks tell; each is its id and a few numbers."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._place = places(items if isinstance(items, StoredRows) else sorted(items, key=attrgetter("image")))
        self._ids: list[str] = []
        self._categories: list[str] = []
        self._places = array("i")
        self._whys: list[Why] = []
        self._details: list[str] = []
        self._at_stake = bytearray()
        self._issues = array("d")

    def add(self, item: Item, why: Why, label: Label) -> None:
        """One more item, of which is not known yet whether its label is likely wrong."""
        self._ids.append(item.item_id)
        self._categories.append(item.category)
        self._places.append(self._place(item.item_id) or 0)
        self._whys.append(why)
        self._details.append(_DETAILS.get(why, label.reason))
        self._at_stake.append(item.is_at_stake)

    def complete(self, issues: Mapping[str, float], suspects: Mapping[str, str]) -> None:
        """Say of the items since the last time how likely their labels are wrong, and which are suspected of it."""
        for number in range(len(self._issues), len(self._ids)):
            item_id = self._ids[number]
            self._issues.append(issues.get(item_id, UNKNOWN_SCORE))
            if item_id in suspects and self._whys[number] in ("uncertain", "settled"):
                self._whys[number] = "suspect"
                self._details[number] = intern(f"looks unlike the other images of {suspects[item_id]}")

    def rows(self, audit: AuditSample) -> Iterator[RankedItem]:
        """Draw the audit from the labels that nobody has to look at; gives all rows by rank."""
        for rank, number in enumerate(self._ranked(audit), start=1):
            yield RankedItem(
                item_id=self._ids[number],
                rank=rank,
                why=self._whys[number],
                label_issue_score=round(self._issues[number], 6),
                detail=self._details[number],
            )

    def _ranked(self, audit: AuditSample) -> Iterator[int]:
        import numpy as np

        at_stake = [number for number, why in enumerate(self._whys) if why == "settled" and self._at_stake[number]]
        drawn = audit.draw((self._ids[number], self._categories[number]) for number in at_stake)
        in_order = {item_id: number for number, item_id in enumerate(drawn)}
        audited: dict[int, int] = {}
        for number in at_stake:
            if (turn := in_order.get(self._ids[number])) is not None:
                self._whys[number], self._details[number] = "audit", _DETAILS["audit"]
                audited[turn] = number
        parts = np.array([ORDER[why] for why in self._whys])
        likely = np.array(self._issues)
        order = np.lexsort((np.array(self._places), -likely, parts))
        ends = np.searchsorted(parts[order], [ORDER["audit"], ORDER["settled"]])
        yield from map(int, order[: ends[0]])
        # In the order of the draw, so that a reviewer who stops early has seen a random sample too.
        yield from (audited[turn] for turn in range(len(drawn)))
        yield from map(int, order[ends[1] :])


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


def _why(label: Label, proposals: Sequence[Proposal], category: Category | None) -> Why:
    """Why people should look at an image, if nothing but its own label and proposals is known."""
    if label.status == "pending":
        return "disputed" if differ(witnesses(proposals, category)) else "unnamed"
    unsure = any(proposal.status == "abstained" and proposal.scores for proposal in proposals)
    return "uncertain" if unsure and label.agreement is None else "settled"


_DETAILS: Mapping[Why, str] = {
    "uncertain": "a proposer could not tell",
    "audit": "drawn at random from the labels that would be accepted without a look",
    "settled": "",
}
"""What there is to say about an image; of others, the reason of their label."""


def _taught(
    proposals: Mapping[str, Sequence[Proposal]], learned: Mapping[str, Mapping[str, float]]
) -> Mapping[str, Sequence[Proposal]]:
    """The proposals, with what `neighbours` learned in place of its probabilities."""
    if not learned:
        return proposals
    before = some(proposals, learned.keys())
    changed: dict[str, Sequence[Proposal]] = {
        item_id: [
            replace(each, scores=scores) if short_name(each.proposer) == TEACHABLE and each.scores else each
            for each in before.get(item_id, ())
        ]
        for item_id, scores in learned.items()
    }
    return ChainMap(changed, cast("dict[str, Sequence[Proposal]]", proposals))


# Confident learning

_ScoredLabel = tuple[str, str, Mapping[str, float]]
"""An item, its label, and the probabilities that one proposer gives."""


class _Suspects:
    """The items of one category whose label is likely wrong by confident learning (Northcutt et al. 2021, arXiv
    1911.00068; cleanlab): of labels of one class, by proposer."""

    def __init__(self) -> None:
        self._groups: defaultdict[tuple[str, tuple[str, ...]], list[_ScoredLabel]] = defaultdict(list)

    def add(self, item_id: str, label: str, proposals: Iterable[Proposal]) -> None:
        """One more item."""
        for proposal in proposals:
            if label in proposal.scores:
                key = proposal.proposer, tuple(sorted(proposal.scores))
                self._groups[key].append((item_id, label, proposal.scores))

    def found(self) -> dict[str, str]:
        """item_id → the label that is likely wrong."""
        suspects: dict[str, str] = {}
        for (_, classes), rows in self._groups.items():
            if len({label for _, label, _ in rows}) == len(classes) > 1:  # confident learning needs every class
                issues = _issues(rows, classes)
                suspects |= {item_id: label for item_id, label, _ in rows if item_id in issues}
        return suspects


def _issues(rows: Sequence[_ScoredLabel], classes: Sequence[str]) -> set[str]:
    import numpy as np  # slow to import, as is the other; only a new ranking needs them
    from cleanlab.filter import find_label_issues

    numbers = np.array([classes.index(label) for _, label, _ in rows])
    probabilities = np.array([[scores[label] for label in classes] for _, _, scores in rows])
    found = find_label_issues(numbers, probabilities, n_jobs=1)
    return {item_id for (item_id, _, _), wrong in zip(rows, found, strict=True) if wrong}
