"""Weighs what all witnesses say about each label: how likely it is wrong.

The probabilities that proposers give, calibrated, are pooled by their geometric mean. Any other independent witness,
the dataset's own label among them, is right at a rate of its own, and names each other class as often if it is not
(Dawid and Skene 1979, with one rate a witness). The rates are fitted to all images of a category by
expectation-maximisation: without people by how witnesses stand to each other, and the more people decide, the more by
that. Where only the dataset and one proposer speak, the order is that of self-confidence.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from acbench.records import PEOPLE, Item, Label, Proposal, one_defect
from acbench.review.calibrated import SharedAnswers, calibrated_scores, informative
from acbench.review.witnesses import witnesses
from acbench.schema import Category, Schema
from acbench.stats import Scaling
from acbench.storage.texts import Texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RIGHT, WEIGHT = 0.95, 20
"""How often a witness is right, before anything is known of it, and how many images that counts for."""
LEAST = 1e-6
"""A class that a proposer gives less, or nothing, counts as this."""
ROUNDS = 29
"""Steps of the fit: more of them change no order."""


class CategoryEvidence:
    """What is said about the images of one category, in columns. `scalings`: see `shared_scalings`.

    Only an image counts that is anomalous and has a label of one class, which is the one in question.
    """

    def __init__(self, category: Category | None, scalings: Mapping[str, Scaling]) -> None:
        self._category = category
        self._scalings = scalings
        self._added = 0
        """How many images, whether they count or not; all else is of those that do."""
        self._ids = Texts()
        self._places = array("i")
        """The number of each among all that were added."""
        self._codes: dict[str, int] = {}
        """Class id → its number in these columns."""
        self._labels, self._decided = array("i"), array("i")
        """The label in question, and the class that people decided on, -1 if they have not."""
        self._pooled: dict[str, array[float]] = {}
        """Class id → probability by all proposers that give any."""
        self._votes: dict[str, array[int]] = {}
        """Witness without probabilities → what it names, -1 for nothing."""

    def add(self, item: Item, proposals: Sequence[Proposal], machine: Label, final: Label | None) -> None:
        """One more image."""
        if item.anomalous and (label := one_defect(machine.labels)):
            place = len(self._labels)
            votes = _votes(proposals, self._category)
            self._ids.append(item.item_id)
            self._places.append(self._added)
            self._labels.append(self._code(label))
            self._decided.append(self._code(_decided(final)))
            _put(self._pooled, place, pooled(proposals, self._scalings), array("d", [0.0]))
            _put(self._votes, place, {name: self._code(named) for name, named in votes.items()}, array("i", [-1]))
        self._added += 1

    def _code(self, label: str) -> int:
        return self._codes.setdefault(label, len(self._codes)) if label else -1

    def issues(self) -> NDArray[np.float64]:
        """Probability that each label is wrong, [N], in the order in which images were added; nan for one that does not
        count."""
        import numpy as np

        issues = np.full(self._added, np.nan)
        order = self._ids.order  # sums are the same in whatever order the images came
        issues[np.asarray(self._places)[order]] = self._wrong(order)
        return issues

    def _wrong(self, order: NDArray[np.intp]) -> NDArray[np.float64]:
        """How likely the labels of the images that count are wrong, in that order."""
        import numpy as np

        classes = sorted(self._codes.keys() | self._pooled.keys())
        if len(classes) < 2:
            return np.zeros(len(order))
        logs = _table(self._pooled, classes, len(order), 0.0)[order]
        np.log(np.maximum(logs, LEAST, out=logs), out=logs)
        logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
        number = np.array([*map(classes.index, self._codes), -1])  # the last one is that of no class
        labels, decided = (number[np.asarray(column)[order]] for column in (self._labels, self._decided))
        votes = number[_table(self._votes, sorted(self._votes), len(order), -1)[order]]
        likely = _fitted(logs, votes, decided)
        # The sum over the others, as 1 - p loses the digits that tell the surest labels apart.
        likely[np.arange(len(order)), labels] = 0
        wrong: NDArray[np.float64] = likely.sum(axis=1)
        return wrong


def _put(columns: dict[str, array[Any]], place: int, values: Mapping[str, Any], nothing: array[Any]) -> None:
    """Give the row at a place its values; `nothing` is what rows have in a column that has no value for them."""
    for name, value in values.items():
        column = columns.setdefault(name, nothing[:0])
        column.extend(nothing * (place - len(column)))
        column.append(value)


def _table(columns: Mapping[str, array[Any]], names: Sequence[str], count: int, nothing: float) -> NDArray[Any]:
    """Columns that `_put` filled as a table, [count, len(names)]."""
    import numpy as np

    table = np.full((count, len(names)), nothing)
    for number, name in enumerate(names):
        if column := columns.get(name):
            table[: len(column), number] = column
    return table


def shared_scalings(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    final: Mapping[str, Label],
    schema: Schema,
) -> dict[str, Scaling]:
    """Full name of each proposer with scores → the map that calibrates them on labels which witnesses share."""
    return SharedAnswers(items, proposals, schema).scalings(final)


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


def _fitted(logs: NDArray[np.float64], votes: NDArray[np.int64], decided: NDArray[np.int64]) -> NDArray[np.float64]:
    """Class probabilities (N, K) by pooled ones, as logarithms (N, K), and votes (N, W); -1 for no vote or decision."""
    import numpy as np

    names = votes[..., None] == np.arange(logs.shape[1])
    known = np.flatnonzero(decided >= 0)
    right = np.full(votes.shape[1], RIGHT)
    for _ in range(ROUNDS):
        seen = _likely(logs, names, right)
        seen[known] = 0
        seen[known, decided[known]] = 1
        agreed = (names * seen[:, None, :]).sum(axis=(0, 2))
        right = (agreed + RIGHT * WEIGHT) / ((votes >= 0).sum(axis=0) + WEIGHT)
    return _likely(logs, names, right)


def _likely(logs: NDArray[np.float64], names: NDArray[np.bool_], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Class probabilities (N, K), where each witness is as often `right` (W,) about what it `names` (N, W, K)."""
    import numpy as np

    # A vote for a class, against that for any other: a witness that says nothing does neither.
    weight = np.log(right * (logs.shape[1] - 1) / (1 - right))
    likely: NDArray[np.float64] = (names * weight[:, None]).sum(axis=1)
    likely += logs
    likely -= likely.max(axis=1, keepdims=True)
    np.exp(likely, out=likely)
    likely /= likely.sum(axis=1, keepdims=True)
    return likely
