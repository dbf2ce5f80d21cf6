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
from acbench.review.calibrated import calibrate
from acbench.review.queue import is_label_wrong
from acbench.review.weighing import pooled
from acbench.schema import Schema
from acbench.stats import fit_scaling
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

    of_label: Mapping[str, float]
    """item_id → probability that its label without reviews is wrong."""
    scored: int
    """How many of them have scores."""


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
    import numpy as np

    scalings = {name: made.by_shared for name, made in calibrate(items, proposals, final, schema).items()}
    told, own, others = Texts(), array("d"), array("d")
    scored = having(proposals, "scores")
    for item in items if scored else ():
        answers = scored.get(item.item_id, ())
        if not any(proposal.scores for proposal in answers) or item.item_id not in machine:
            continue
        if label := one_defect(machine[item.item_id].labels):
            likely = pooled(answers, scalings, LEAST)
            if label in likely:
                told.append(item.item_id)
                own.append(likely[label])
                others.append((1 - likely[label]) / (len(likely) - 1))
    order = told.order
    told = Texts(SomeTexts(told, order))
    fitted = label_doubts(np.asarray(own)[order], np.asarray(others)[order])
    by_scores = FigureOf(told, fitted)
    without = some(machine, sorted(key for key in final if _is_decided(final[key])))
    by_people = {key: bool(is_label_wrong(label.labels, final[key])) for key, label in without.items()}
    decided = [key for key in by_people if key in by_scores]
    scaling = fit_scaling(
        np.array([by_scores[key] for key in decided]), np.array([by_people[key] for key in decided], dtype=bool)
    )
    scaled = FigureOf(told, scaling(fitted))
    ids = sorted_texts(item_ids)
    found = [wrong for key, wrong in by_people.items() if key in ids and key not in scaled]
    unscored = (sum(found) + 1) / (len(found) + 1 / UNSCORED_ERROR)
    figures = np.fromiter((scaled.get(item_id, unscored) for item_id in ids), dtype=np.float64, count=len(ids))
    return Doubts(of_label=FigureOf(ids, figures), scored=sum(item_id in scaled for item_id in ids))


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
