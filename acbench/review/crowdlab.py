"""Weighs witnesses by what they got right where people have decided.

CROWDLAB (Goh, Tkachenko and Mueller 2022, arXiv 2210.06812; cleanlab), a category at a time: people and witnesses are
annotators, witnesses with class probabilities are classifiers, and each weighs as much as it agrees with the others and
with people. It concerns images with one class; where people have decided too little, nothing is weighed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acbench.records import PEOPLE, Item, Label, Proposal, Review
from acbench.review.resolve import Weighed, resolve_item, witnesses
from acbench.schema import Schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST = 20
"""Decisions of people in a category, below which its witnesses are not weighed."""
FOLDS = 5


def weigh(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], labels: Mapping[str, Label], schema: Schema
) -> dict[str, Weighed]:
    """The likeliest class of each item that people have not decided, in categories where they decided enough."""
    return {
        item: Weighed(label=label, probability=share, decisions=len(table.people))
        for table in _tables(items, proposals, labels, schema)
        for item, (label, share) in table.consensus(hidden=frozenset()).items()
        if item not in table.people
    }


def resolved(
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    reviews: Mapping[str, Sequence[Review]],
    schema: Schema,
    machine: Mapping[str, Label],
) -> list[Label]:
    """Labels by the policy; where people have decided enough, with the witnesses of disputed items weighed.

    `machine`: the labels without reviews, see `resolve.machine_labels`.
    """

    def resolve_again(item: Item, weighed: Weighed | None = None) -> Label:
        said, decided = proposals.get(item.item_id, ()), reviews.get(item.item_id, ())
        return resolve_item(item, said, decided, schema, weighed)

    labels = {item.item_id: resolve_again(item) if item.item_id in reviews else machine[item.item_id] for item in items}
    if reviews:
        weighed = weigh(items, proposals, labels, schema)
        labels |= {
            item.item_id: resolve_again(item, weighed[item.item_id]) for item in items if item.item_id in weighed
        }
    return list(labels.values())


def cross_validated(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], labels: Mapping[str, Label], schema: Schema
) -> dict[str, str]:
    """What weighing would have said of each item that people decided, had they not decided it."""
    found: dict[str, str] = {}
    for table in _tables(items, proposals, labels, schema):
        decided = sorted(table.people)
        for fold in range(FOLDS):
            hidden = frozenset(decided[fold::FOLDS])
            consensus = table.consensus(hidden)
            found |= {item: consensus[item][0] for item in hidden if item in consensus}
    return found


@dataclass(frozen=True, slots=True)
class _Table:
    """One category's answers of one class each."""

    people: dict[str, str]
    """item_id → class."""
    said: dict[str, dict[str, str]]
    """item_id → witness without probabilities → class."""
    shares: dict[str, dict[str, Mapping[str, float]]]
    """Witness with probabilities → item_id → class → probability."""

    def consensus(self, hidden: frozenset[str]) -> dict[str, tuple[str, float]]:
        """Item → likeliest class and its probability, with people's decisions on `hidden` items left out."""
        import numpy as np  # slow to import, as are the others; only new decisions need them
        import pandas as pd
        from cleanlab.multiannotator import get_label_quality_multiannotator_ensemble

        people = {item: label for item, label in self.people.items() if item not in hidden}
        everyone = {**{item: dict(said) for item, said in self.said.items()}}
        for item, label in people.items():
            everyone.setdefault(item, {})[PEOPLE] = label
        rows = sorted(item for item in everyone if any(item in shares for shares in self.shares.values()))
        classes = sorted({label for item in rows for label in everyone[item].values()} | self._scored())
        columns = sorted({name for item in rows for name in everyone[item]})
        if len(columns) < 2 or len(classes) < 2:
            return {}
        numbers = [
            [classes.index(everyone[item][name]) if name in everyone[item] else math.nan for name in columns]
            for item in rows
        ]
        models = np.stack([self._matrix(shares, rows, classes) for shares in self.shares.values()])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of classes that nobody names
            quality = get_label_quality_multiannotator_ensemble(
                pd.DataFrame(numbers, columns=columns), models, verbose=False, return_detailed_quality=False,
                return_annotator_stats=False, return_weights=False,
            )["label_quality"]  # fmt: skip
        best = quality["consensus_label"].to_numpy()
        share = quality["consensus_quality_score"].to_numpy()
        return {
            item: (classes[int(label)], round(float(value), 4))
            for item, label, value in zip(rows, best, share, strict=True)
        }

    def _scored(self) -> set[str]:
        return {label for shares in self.shares.values() for row in shares.values() for label in row}

    @staticmethod
    def _matrix(
        shares: Mapping[str, Mapping[str, float]], rows: Sequence[str], classes: Sequence[str]
    ) -> NDArray[np.float64]:
        """Probabilities (N, K); uniform where the witness is silent."""
        import numpy as np

        table = np.array([[shares.get(item, {}).get(label, 0.0) for label in classes] for item in rows])
        table[table.sum(axis=1) == 0] = 1.0
        table += 1e-6
        normalised: NDArray[np.float64] = table / table.sum(axis=1, keepdims=True)
        return normalised


def _tables(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], labels: Mapping[str, Label], schema: Schema
) -> Iterator[_Table]:
    for key in sorted({item.category for item in items}):
        members = [item.item_id for item in items if item.category == key and item.anomalous]
        people = {
            each: labels[each].labels[0]
            for each in members
            if labels[each].decided_by == PEOPLE and len(labels[each].labels) == 1
        }
        said: dict[str, dict[str, str]] = {}
        shares: dict[str, dict[str, Mapping[str, float]]] = {}
        for each in members:
            answers = proposals.get(each, ())
            for answer in answers:
                if answer.scores:
                    shares.setdefault(answer.proposer, {})[each] = answer.scores
            voices = [voice for voice in witnesses(answers, schema.category(key)) if len(voice.labels) == 1]
            if plain := {voice.names[0]: voice.labels[0] for voice in voices if voice.probability is None}:
                said[each] = plain
        if len(people) >= LEAST and said and shares:
            yield _Table(people, said, shares)
