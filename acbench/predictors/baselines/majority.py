"""The baseline `majority`: the most common class of each category, `good` included, for every image.

It counts the labels that it is scored by, so it is no method, but the accuracy that any method has to exceed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from acbench._util.console import Progress
from acbench.errors import AcbenchError
from acbench.predictors.base import Baseline, BaselineSetup, Truth
from acbench.records import JOIN, Item, Prediction
from acbench.schema.views import ClassSet
from acbench.storage.digests import digest


@dataclass(frozen=True)
class Majority:
    """The baseline `majority`."""

    truth: Truth
    localisation: tuple[str, str] = field(init=False, default=("none", ""))
    references: Sequence[str] = field(init=False, default=())
    unasked: int = field(init=False, default=0)

    @cached_property
    def name(self) -> str:
        return f"majority@{digest(self.truth.hashes, length=8)}"

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterator[Prediction]:
        """One prediction for each item of a category with labels."""
        answers = {category: most_common(self.truth, category) for category in self.truth.categories}
        for done, item in enumerate(items, start=1):
            progress(done, len(items))
            if answer := answers.get(item.category):
                yield Prediction(
                    item_id=item.item_id, system=self.name, raw=JOIN.join(answer), labels=answer, parse="ok"
                )


def most_common(truth: Truth, category: str) -> ClassSet:
    """The most common answer of a category; of equally common ones the first in the order of the schema."""
    counts = Counter(target.wanted for target in truth.targets if target.category == category)
    return first_of(counts, truth.axis(category))


def first_of(counts: Mapping[ClassSet, int], axis: Sequence[ClassSet]) -> ClassSet:
    """The most common of counted answers; of equally common ones the first in the order of the schema."""
    rank = {answer: number for number, answer in enumerate(axis)}
    return min(counts, key=lambda answer: (-counts[answer], rank.get(answer, len(axis)), answer))


def build(setup: BaselineSetup) -> Baseline:
    """The majority of the labels. Raises AcbenchError without labels."""
    if setup.truth is None:
        raise AcbenchError("majority needs labels to count", f"acbench relabel {setup.schema.argument}")
    return Majority(setup.truth)
