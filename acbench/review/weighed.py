"""Says of each item what its witnesses leave to people: whether to look at it, why, and how likely its label is wrong.

It is said a category at a time, since the items of one say nothing about those of another; only how far scores can be
trusted (`shared_scalings`) is learned from all.
"""

from __future__ import annotations

import math
from array import array
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast, get_args

from acbench.records import Item, Label, Proposal, one_defect, short_name
from acbench.review.weighing import CategoryEvidence
from acbench.review.witnesses import differ, witnesses
from acbench.schema import Category
from acbench.stats import Scaling
from acbench.storage.stored_rows import some

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
    items: Sequence[Item],
    category: Category | None,
    proposals: Mapping[str, Sequence[Proposal]],
    machine: Mapping[str, Label],
    scalings: Mapping[str, Scaling],
    *,
    final: Mapping[str, Label],
    said: Mapping[str, Sequence[Proposal]],
) -> Iterator[WeighedItem]:
    """The items of one category that can be used.

    `machine`: item_id → the label without reviews, see `resolve.machine_labels`; `final`: with them, of at least those
    that people looked at. `said`: the proposals, as people's decisions have `taught` them. These two change `issue`,
    never `why`. `scalings`: of these proposals.

    Goes through the items twice: in between, numbers are all that is in memory of them.
    """
    evidence, suspects, whys = CategoryEvidence(category, scalings), _Suspects(), array("b")
    for item, label in _usable(items, machine):
        plain = proposals.get(item.item_id, ())
        evidence.add(item, said.get(item.item_id, ()), label, final.get(item.item_id))
        suspects.add(one_defect(label.labels), plain)
        whys.append(_DOUBTS.index(_why(label, plain, category)))
    columns = evidence.issues().data, suspects.found().data, whys
    del evidence, suspects  # of a large category they take room that its rows need
    for (item, label), issue, suspect, number in zip(_usable(items, machine), *columns, strict=True):
        why = _DOUBTS[number]
        detail = _DETAILS.get(why, label.reason)
        if suspect and why in ("uncertain", "settled"):
            why, detail = "suspect", f"looks unlike the other images of {one_defect(label.labels)}"
        yield WeighedItem(
            item_id=item.item_id,
            category=item.category,
            at_stake=item.is_at_stake,
            accepted=label.status == "accepted",
            labels=label.labels,
            why=why,
            issue=UNKNOWN_SCORE if math.isnan(issue) else issue,
            detail=detail,
        )


def _usable(items: Iterable[Item], machine: Mapping[str, Label]) -> Iterator[tuple[Item, Label]]:
    for item in items:
        label = machine[item.item_id]
        if label.status != "excluded":
            yield item, label


def _why(label: Label, proposals: Sequence[Proposal], category: Category | None) -> Doubt:
    """Why people should look at an image, if nothing but its own label and proposals is known."""
    if label.status == "pending":
        return "disputed" if differ(witnesses(proposals, category)) else "unnamed"
    unsure = any(proposal.status == "abstained" and proposal.scores for proposal in proposals)
    return "uncertain" if unsure and label.agreement is None else "settled"


_DOUBTS: Sequence[Doubt] = get_args(Doubt)
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


class _Suspects:
    """The items of one category whose label is likely wrong by confident learning (Northcutt et al. 2021, arXiv
    1911.00068; cleanlab): of labels of one class, by proposer."""

    def __init__(self) -> None:
        self._added = 0
        self._groups: dict[tuple[str, tuple[str, ...]], tuple[array[int], array[int], array[float]]] = {}
        """Proposer and its classes → the items, by their number among all; the places of their labels in these classes;
        and the probabilities of all of these."""

    def add(self, label: str, proposals: Iterable[Proposal]) -> None:
        """One more item."""
        for proposal in proposals:
            if label in proposal.scores:
                classes = tuple(sorted(proposal.scores))
                empty = array("i"), array("q"), array("d")
                places, labels, scores = self._groups.setdefault((proposal.proposer, classes), empty)
                places.append(self._added)
                labels.append(classes.index(label))
                scores.extend(map(proposal.scores.__getitem__, classes))
        self._added += 1

    def found(self) -> NDArray[np.bool_]:
        """Whether each label is likely wrong, [N], in the order in which items were added."""
        import numpy as np  # slow to import, as is the other; only a new ranking needs them

        suspected = np.zeros(self._added, dtype=np.bool_)
        for (_, classes), (places, labels, scores) in self._groups.items():
            if len(set(labels)) == len(classes) > 1:  # confident learning needs every class
                from cleanlab.filter import find_label_issues

                likely = np.asarray(scores).reshape(-1, len(classes))
                wrong = find_label_issues(np.asarray(labels), likely, n_jobs=1)
                suspected[np.asarray(places)[wrong]] = True
        return suspected
