"""Weighs what all witnesses say about each label: how likely it is wrong.

The probabilities that proposers give, calibrated, are pooled by their geometric mean. Any other independent witness,
the dataset's own label among them, is right at a rate of its own, and names each other class as often if it is not
(Dawid and Skene 1979, with one rate a witness). The rates are fitted to all images of a category by
expectation-maximisation: without people by how witnesses stand to each other, and the more people decide, the more by
that. Where only the dataset and one proposer speak, the order is that of self-confidence.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acbench.records import PEOPLE, Item, Label, Proposal, one_defect
from acbench.review.calibrated import calibrate, calibrated_scores, informative
from acbench.review.witnesses import witnesses
from acbench.schema import Category, Schema
from acbench.stats import Scaling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RIGHT, WEIGHT = 0.95, 20
"""How often a witness is right, before anything is known of it, and how many images that counts for."""
LEAST = 1e-6
"""A class that a proposer gives less, or nothing, counts as this."""
ROUNDS = 30
"""Steps of the fit: more of them change no order."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What is said about one item."""

    label: str
    """The label in question."""
    pooled: Mapping[str, float]
    """Class id → probability by all proposers that give any; empty if none does."""
    votes: Mapping[str, str]
    """Witness without probabilities → class id."""
    decided: str
    """The class that people decided on; empty if they have not."""


class CategoryEvidence:
    """What is said about the images of one category. `scalings`: see `shared_scalings`."""

    def __init__(self, category: Category | None, scalings: Mapping[str, Scaling]) -> None:
        self._category = category
        self._scalings = scalings
        self._of_item: dict[str, _Evidence] = {}
        self._same: dict[tuple[object, ...], Mapping[str, str]] = {}

    def add(self, item: Item, proposals: Sequence[Proposal], machine: Label, final: Label | None) -> None:
        """One more image; only one that is anomalous and has a label of one class counts."""
        if item.anomalous and (label := one_defect(machine.labels)):
            votes = _votes(proposals, self._category)
            self._of_item[item.item_id] = _Evidence(
                label=label,
                pooled=pooled(proposals, self._scalings) or _NOTHING,
                votes=self._same.setdefault(tuple(votes.items()), votes),  # most images have the votes of others
                decided=_decided(final),
            )

    def issues(self) -> dict[str, float]:
        """item_id → probability that its label is wrong."""
        names = sorted(self._of_item)  # sums are the same in whatever order the items came
        return dict(zip(names, _wrong([self._of_item[name] for name in names]), strict=True))


_NOTHING: Mapping[str, float] = {}


def shared_scalings(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    final: Mapping[str, Label],
    schema: Schema,
) -> dict[str, Scaling]:
    """Full name of each proposer with scores → the map that calibrates them on labels which witnesses share."""
    return {name: made.by_shared for name, made in calibrate(items, proposals, final, schema).items()}


def pooled(proposals: Iterable[Proposal], scalings: Mapping[str, Scaling], least: float = LEAST) -> dict[str, float]:
    """Class id → probability by all proposers that prefer any class; empty if none does.

    `scalings`: full name of a proposer → the map that calibrates it.
    """
    logs: defaultdict[str, list[float]] = defaultdict(list)
    told = [proposal for proposal in proposals if informative(proposal.scores)]
    classes = {label for proposal in told for label in proposal.scores}
    for proposal in told:
        scaling = scalings.get(proposal.proposer)
        scores = calibrated_scores(proposal.scores, scaling) if scaling else proposal.scores
        for label in classes:
            logs[label].append(math.log(max(scores.get(label, 0.0), least)))
    shares = {label: math.exp(sum(own) / len(own)) for label, own in sorted(logs.items())}
    total = sum(shares.values())
    return {label: share / total for label, share in shares.items()}


def _votes(proposals: Sequence[Proposal], category: Category | None) -> dict[str, str]:
    """Witness → class, of those that name one and give no probabilities: these are pooled."""
    return {
        voice.names[0]: voice.labels[0]
        for voice in witnesses(proposals, category)
        if len(voice.labels) == 1 and voice.probability is None
    }


def _decided(label: Label | None) -> str:
    return one_defect(label.labels) if label is not None and label.decided_by == PEOPLE else ""


def _wrong(evidence: Sequence[_Evidence]) -> list[float]:
    """How likely the label of each item of one category is wrong."""
    import numpy as np

    named = {label for each in evidence for label in (each.label, each.decided, *each.pooled, *each.votes.values())}
    classes = sorted(named - {""})
    if len(classes) < 2:
        return [0.0] * len(evidence)
    logs = np.log([[max(each.pooled.get(label, 0.0), LEAST) for label in classes] for each in evidence])
    logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
    speakers = sorted({name for each in evidence for name in each.votes})
    votes = np.array([[_index(classes, each.votes.get(name, "")) for name in speakers] for each in evidence])
    decided = np.array([_index(classes, each.decided) for each in evidence])
    likely = _fitted(logs, votes.reshape(len(evidence), len(speakers)), decided)
    labels = np.array([classes.index(each.label) for each in evidence])
    # The sum over the others, as 1 - p loses the digits that tell the surest labels apart.
    likely[np.arange(len(labels)), labels] = 0
    wrong: list[float] = likely.sum(axis=1).tolist()
    return wrong


def _index(classes: Sequence[str], label: str) -> int:
    return classes.index(label) if label in classes else -1


def _fitted(logs: NDArray[np.float64], votes: NDArray[np.int64], decided: NDArray[np.int64]) -> NDArray[np.float64]:
    """Class probabilities (N, K) by pooled ones, as logarithms (N, K), and votes (N, W); -1 for no vote or decision."""
    import numpy as np

    number, classes = logs.shape
    names = votes[..., None] == np.arange(classes)
    known = decided >= 0
    right = np.full(votes.shape[1], RIGHT)
    for _ in range(ROUNDS):
        # A vote for a class, against that for any other: a witness that says nothing does neither.
        weight = np.log(right * (classes - 1) / (1 - right))
        scores = logs + (names * weight[:, None]).sum(axis=1)
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        seen = np.where(known[:, None], np.arange(classes) == decided[:, None], likely)
        agreed = (names * seen[:, None, :]).sum(axis=(0, 2))
        right = (agreed + RIGHT * WEIGHT) / ((votes >= 0).sum(axis=0) + WEIGHT)
    return np.asarray(likely).reshape(number, classes)
