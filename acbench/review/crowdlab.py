"""Finds the likeliest class where witnesses differ, by what each witness got right where people have decided.

CROWDLAB (Goh, Tkachenko and Mueller 2022, arXiv 2210.06812; cleanlab), one category at a time. People and witnesses
are its annotators, and proposers with class probabilities are its classifiers; each weighs as much as it agrees with
the others and with people. Only labels of one class take part, and only in categories where people have decided enough.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acbench.records import PEOPLE, Item, Label, Proposal
from acbench.review.witnesses import voice_of, witnesses
from acbench.schema import Category, Schema
from acbench.storage.stored_rows import by_item_id, grouped, some

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_DECISIONS = 20
"""A category with fewer decisions of people is left out."""
FOLDS = 5
"""Folds of the cross-validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelyClass:
    """The class of one item that its witnesses make most likely."""

    item_id: str
    label: str
    probability: float
    decisions: int
    """How many decisions of people in the category the witnesses were weighed by."""


def decided_enough(items: Sequence[Item], labels: Mapping[str, Label]) -> dict[str, dict[str, str]]:
    """Category → item_id → the class that people gave it, for anomalous items of categories where they have decided
    enough. `labels`: those that people decided, at least."""
    decided = [key for key, label in labels.items() if label.decided_by == PEOPLE and len(label.labels) == 1]
    by_people: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for key, item in some(by_item_id(items), decided).items():
        if item.anomalous:
            by_people[item.category][key] = labels[key].labels[0]
    return {category: people for category, people in sorted(by_people.items()) if len(people) >= MIN_DECISIONS}


def likely_classes(
    items: Iterable[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    people: Mapping[str, str],
    category: Category | None,
) -> Iterator[LikelyClass]:
    """The likeliest class of each item of a category that people have not decided, where witnesses tell. `people`:
    item_id → the class that they gave it."""
    for item_id, (label, probability) in _answers(items, proposals, people, category).consensus().items():
        if item_id not in people:
            yield LikelyClass(item_id=item_id, label=label, probability=probability, decisions=len(people))


def cross_validated(
    items: Sequence[Item], proposals: Mapping[str, Sequence[Proposal]], labels: Mapping[str, Label], schema: Schema
) -> dict[str, str]:
    """item_id → the class found likeliest when people's decision on the item is hidden, for items they decided."""
    predicted: dict[str, str] = {}
    enough = decided_enough(items, labels)
    by_category = grouped(items, "category") if enough else {}
    for category, people in enough.items():
        answers = _answers(by_category[category], proposals, people, schema.category(category))
        decided = sorted(people)
        for fold in range(FOLDS):
            hidden = frozenset(decided[fold::FOLDS])
            consensus = answers.consensus(hidden)
            predicted |= {item_id: consensus[item_id][0] for item_id in hidden if item_id in consensus}
    return predicted


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers of one class each in one category."""

    people: Mapping[str, str]
    """item_id → class."""
    plain: dict[str, dict[str, str]]
    """item_id → witness without probabilities → class."""
    scored: dict[str, dict[str, Mapping[str, float]]]
    """Proposer with probabilities, or family of several → item_id → class → probability."""

    def consensus(self, hidden: frozenset[str] = frozenset()) -> dict[str, tuple[str, float]]:
        """item_id → likeliest class and its probability, without people's decisions on the `hidden` items."""
        if not self.plain or not self.scored:
            return {}
        annotations = self._annotations(hidden)
        item_ids = sorted(item for item in annotations if any(item in scores for scores in self.scored.values()))
        classes = sorted({label for item in item_ids for label in annotations[item].values()} | self._scored_classes())
        annotators = sorted({name for item in item_ids for name in annotations[item]})
        if len(annotators) < 2 or len(classes) < 2:
            return {}
        numbers = [
            [classes.index(annotations[item][name]) if name in annotations[item] else math.nan for name in annotators]
            for item in item_ids
        ]
        probabilities = [_matrix(scores, item_ids, classes) for scores in self.scored.values()]
        best, quality = _crowdlab(numbers, annotators, probabilities)
        return {
            item: (classes[label], round(share, 4)) for item, label, share in zip(item_ids, best, quality, strict=True)
        }

    def _annotations(self, hidden: frozenset[str]) -> dict[str, dict[str, str]]:
        """item_id → annotator → class: witnesses without probabilities, and people as one annotator."""
        annotations = {item: dict(answers) for item, answers in self.plain.items()}
        for item, label in self.people.items():
            if item not in hidden:
                annotations.setdefault(item, {})[PEOPLE] = label
        return annotations

    def _scored_classes(self) -> set[str]:
        return {label for scores in self.scored.values() for row in scores.values() for label in row}


def _crowdlab(
    numbers: list[list[float]], annotators: list[str], probabilities: Sequence[NDArray[np.float64]]
) -> tuple[list[int], list[float]]:
    """Number of the consensus class of each row, and its quality, 0…1.

    `numbers`: class of each row by each annotator, NaN for none. `probabilities`: a matrix for each classifier.
    """
    import numpy as np  # slow to import, as are the others; only new decisions need them
    import pandas as pd
    from cleanlab.multiannotator import get_label_quality_multiannotator_ensemble

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of classes that no annotator names
        table = get_label_quality_multiannotator_ensemble(
            pd.DataFrame(numbers, columns=annotators),
            np.stack(probabilities),
            verbose=False,
            return_detailed_quality=False,
            return_annotator_stats=False,
            return_weights=False,
        )["label_quality"]
    best, quality = table["consensus_label"], table["consensus_quality_score"]
    return [int(number) for number in best], [float(value) for value in quality]


def _matrix(
    scores: Mapping[str, Mapping[str, float]], item_ids: Sequence[str], classes: Sequence[str]
) -> NDArray[np.float64]:
    """Probabilities (items, classes); uniform where the proposer gives none."""
    import numpy as np

    table = np.array([[scores.get(item, {}).get(label, 0.0) for label in classes] for item in item_ids])
    table[table.sum(axis=1) == 0] = 1.0
    table += 1e-6
    normalised: NDArray[np.float64] = table / table.sum(axis=1, keepdims=True)
    return normalised


def _answers(
    items: Iterable[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    people: Mapping[str, str],
    category: Category | None,
) -> _Answers:
    """The answers about the anomalous images of a category."""
    answers = _Answers(people, {}, {})
    for item in items:
        if item.anomalous:
            _add(answers, item.item_id, proposals.get(item.item_id, ()), category)
    return answers


def _add(answers: _Answers, item_id: str, proposals: Sequence[Proposal], category: Category | None) -> None:
    by_voice: defaultdict[str, list[Mapping[str, float]]] = defaultdict(list)
    for proposal in proposals:
        if proposal.scores:
            by_voice[voice_of(proposal)].append(proposal.scores)
    for voice, scores in by_voice.items():
        answers.scored.setdefault(voice, {})[item_id] = _mean(scores)
    single = [voice for voice in witnesses(proposals, category) if len(voice.labels) == 1]
    if plain := {voice.names[0]: voice.labels[0] for voice in single if voice.probability is None}:
        answers.plain[item_id] = plain


def _mean(scores: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """The mean probabilities of models of one family, which weigh as one."""
    if len(scores) == 1:
        return scores[0]
    classes = sorted({label for row in scores for label in row})
    return {label: sum(row.get(label, 0.0) for row in scores) / len(scores) for label in classes}
