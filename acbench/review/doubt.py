"""How likely each label that nobody has looked at is wrong, from the calibrated scores of all proposers.

The proposers' class probabilities are pooled by their geometric mean and weighed against the label itself, which is a
witness too: it is wrong at a rate that is fitted to all labels, also those that proposers contradict
(expectation-maximisation). Then what people decided scales the outcome (`acbench.stats.scaling`). Scores enter as
calibrated on labels that witnesses share: people look at images whose label is contradicted, which bends how often a
score alone is right, but not how often a label that is this doubtful is wrong.

Labels without scores, such as those of normal images, get one rate: a guess, until people have looked at some. Nothing
that is promised rests on these figures; they save work.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acbench.records import PEOPLE, Item, Label, Proposal, one_defect
from acbench.review.calibrated import SharedAnswers
from acbench.review.queue import is_label_wrong
from acbench.review.weighing import pooled
from acbench.schema import Schema
from acbench.stats import Scaling, fit_scaling
from acbench.storage.stored_rows import having, some
from acbench.storage.texts import FigureOf, SomeTexts, Texts, sorted_texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LABEL_ERROR = 0.03
"""Share of wrong labels from which the fit starts, with the weight of 1 / LABEL_ERROR labels."""
MOST_ERRORS = 0.5
"""The fitted share is at most this: beyond it labels say less than nothing."""
UNSCORED_ERROR = 0.005
"""Share of wrong labels among those without scores, with the weight of 1 / UNSCORED_ERROR labels."""
LEAST = 1e-4
"""A class that a proposer gives less, or nothing, counts as this."""
ROUNDS = 30
"""Steps of the fit: more of them change no digit that is shown."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """How likely labels are wrong."""

    labels: Texts
    """The ids of their items, rising."""
    figures: NDArray[np.float64]
    """Probability that the label of each without reviews is wrong, [N]."""
    scored: int
    """How many of them have scores."""

    @property
    def of_label(self) -> Mapping[str, float]:
        """item_id → probability that its label without reviews is wrong."""
        return FigureOf(self.labels, self.figures)


def doubts(
    item_ids: Iterable[str],
    items: Sequence[Item],
    proposals: Mapping[str, Sequence[Proposal]],
    machine: Mapping[str, Label],
    final: Mapping[str, Label],
    schema: Schema,
) -> Doubts:
    """How likely the auto-accepted labels of some items are wrong.

    `machine`: item_id → the label without reviews; `final`: the labels with them, of at least the items that people
    decided.
    """
    return Doubting(item_ids, items, proposals, machine, schema).after(final)


class Doubting:
    """How likely the auto-accepted labels of some items are wrong, after any decisions of people. Takes what `doubts`
    takes; items are gone through once, and again where other decisions scale scores otherwise."""

    def __init__(
        self,
        item_ids: Iterable[str],
        items: Sequence[Item],
        proposals: Mapping[str, Sequence[Proposal]],
        machine: Mapping[str, Label],
        schema: Schema,
    ) -> None:
        self._labels = sorted_texts(item_ids)
        self._items, self._proposals, self._machine = items, proposals, machine
        self._answers = SharedAnswers(items, proposals, schema)
        self._pooled: _Pooled | None = None

    def after(self, final: Mapping[str, Label]) -> Doubts:
        """With these labels, of at least the items that people decided."""
        import numpy as np

        scalings = self._answers.scalings(final)
        if self._pooled is None or self._pooled.scalings != scalings:
            self._pooled = self._pool(scalings)
        told = self._pooled.told
        fitted = label_doubts(self._pooled.own, self._pooled.others)
        by_scores = FigureOf(told, fitted)
        without = some(self._machine, sorted(key for key in final if _is_decided(final[key])))
        by_people = {key: bool(is_label_wrong(label.labels, final[key])) for key, label in without.items()}
        decided = [key for key in by_people if key in told]
        scaling = fit_scaling(
            np.array([by_scores[key] for key in decided]), np.array([by_people[key] for key in decided], dtype=bool)
        )
        found = [wrong for key, wrong in by_people.items() if key in self._labels and key not in told]
        figures = np.full(len(self._labels), (sum(found) + 1) / (len(found) + 1 / UNSCORED_ERROR))
        is_asked = self._pooled.places >= 0
        figures[self._pooled.places[is_asked]] = scaling(fitted)[is_asked]
        return Doubts(labels=self._labels, figures=figures, scored=int(is_asked.sum()))

    def _pool(self, scalings: Mapping[str, Scaling]) -> _Pooled:
        import numpy as np

        told, own, others = Texts(), array("d"), array("d")
        scored = having(self._proposals, "scores")
        for item in self._items if scored else ():
            answers = scored.get(item.item_id, ())
            if not any(proposal.scores for proposal in answers) or item.item_id not in self._machine:
                continue
            if label := one_defect(self._machine[item.item_id].labels):
                likely = pooled(answers, scalings, LEAST)
                if label in likely:
                    told.append(item.item_id)
                    own.append(likely[label])
                    others.append((1 - likely[label]) / (len(likely) - 1))
        order = told.order
        told = Texts(SomeTexts(told, order))
        places = (self._labels.place(item_id) for item_id in told)
        return _Pooled(
            scalings=scalings,
            told=told,
            own=np.asarray(own)[order],
            others=np.asarray(others)[order],
            places=np.array([-1 if place is None else place for place in places], dtype=np.intp),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pooled:
    """What all scores say together of labels of one class."""

    scalings: Mapping[str, Scaling]
    """What calibrates them."""
    told: Texts
    """The items, rising."""
    own: NDArray[np.float64]
    """Probability of the class of each label, [N]."""
    others: NDArray[np.float64]
    """Mean probability of any other class of its category, [N]."""
    places: NDArray[np.intp]
    """The place of each among the labels that are asked about; -1 for one that is not."""


def label_doubts(own: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely each label (N,) is wrong: `own` is the probability of its class by the scores, `other` the mean one
    of any other class of its category."""
    import numpy as np

    error = LABEL_ERROR
    wrong = np.zeros(len(own))
    for _ in range(ROUNDS):
        # If the label is right, it says this class anyway; if another class is, it is wrong, and says each as often.
        wrong = error * other / np.maximum((1 - error) * own + error * other, 1e-12)
        error = min(float(wrong.sum() + 1) / (len(own) + 1 / LABEL_ERROR), MOST_ERRORS)
    return wrong


def _is_decided(label: Label) -> bool:
    return label.decided_by == PEOPLE
