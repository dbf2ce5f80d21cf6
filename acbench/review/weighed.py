"""Says of each item what its witnesses leave to people: whether to look at it, why, and how likely its label is wrong.

It is said a category at a time, since the items of one say nothing about those of another; only how far scores can be
trusted (`shared_scalings`) is learned from all.
"""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from acbench.records import Item, Label, Proposal, one_defect, short_name
from acbench.review.weighing import CategoryEvidence
from acbench.review.witnesses import differ, witnesses
from acbench.schema import Category
from acbench.stats import Scaling
from acbench.storage.stored_rows import some

Doubt = Literal["disputed", "suspect", "unnamed", "uncertain", "settled"]
"""Why people should look at an item, by its witnesses: see `acbench.review.queue.Why`."""

UNKNOWN_SCORE = 0.5
"""Label-issue score of a label that cannot be weighed: none, several classes, or `good`."""

TEACHABLE = "neighbours"
"""The proposer whose classifier learns from decisions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedItem:
    """One item that can be used, as its witnesses leave it."""

    item_id: str
    category: str
    at_stake: bool
    """As `Item.is_at_stake`."""
    accepted: bool
    """Whether witnesses alone accept its label."""
    labels: tuple[str, ...]
    """The label that they give."""
    why: Doubt
    issue: float
    """Probability that this label is wrong, 0…1."""
    detail: str
    """One sentence for the reviewer."""


def weighed_items(
    items: Iterable[Item],
    category: Category | None,
    proposals: Mapping[str, Sequence[Proposal]],
    machine: Mapping[str, Label],
    scalings: Mapping[str, Scaling],
    *,
    final: Mapping[str, Label],
    learned: Mapping[str, Mapping[str, float]],
) -> Iterator[WeighedItem]:
    """The items of one category that can be used.

    `machine`: item_id → the label without reviews, see `resolve.machine_labels`; `final`: with them, of at least those
    that people looked at. `learned`: item_id → class id → probability by `neighbours` taught with what people decided,
    in place of what it proposed. These two change `issue`, never `why`. `scalings`: of the taught proposals.
    """
    said = taught(proposals, learned)
    evidence, suspects = CategoryEvidence(category, scalings), _Suspects()
    rows: list[WeighedItem] = []
    for item in items:
        key = item.item_id
        label, answers = machine[key], proposals.get(key, ())
        if label.status == "excluded":
            continue
        why = _why(label, answers, category)
        rows.append(
            WeighedItem(
                item_id=key,
                category=item.category,
                at_stake=item.is_at_stake,
                accepted=label.status == "accepted",
                labels=label.labels,
                why=why,
                issue=UNKNOWN_SCORE,
                detail=_DETAILS.get(why, label.reason),
            )
        )
        evidence.add(item, said.get(key, ()), label, final.get(key))
        suspects.add(key, one_defect(label.labels), answers)
    issues, suspected = evidence.issues(), suspects.found()
    return (_completed(row, issues, suspected) for row in rows)


def _completed(row: WeighedItem, issues: Mapping[str, float], suspected: Mapping[str, str]) -> WeighedItem:
    """A row with what is only known once all of its category is."""
    row = replace(row, issue=issues[row.item_id]) if row.item_id in issues else row
    if row.item_id not in suspected or row.why not in ("uncertain", "settled"):
        return row
    return replace(row, why="suspect", detail=f"looks unlike the other images of {suspected[row.item_id]}")


def _why(label: Label, proposals: Sequence[Proposal], category: Category | None) -> Doubt:
    """Why people should look at an image, if nothing but its own label and proposals is known."""
    if label.status == "pending":
        return "disputed" if differ(witnesses(proposals, category)) else "unnamed"
    unsure = any(proposal.status == "abstained" and proposal.scores for proposal in proposals)
    return "uncertain" if unsure and label.agreement is None else "settled"


_DETAILS: Mapping[Doubt, str] = {"uncertain": "a proposer could not tell", "settled": ""}
"""What there is to say about an item; of others, the reason of their label."""


def taught(
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
