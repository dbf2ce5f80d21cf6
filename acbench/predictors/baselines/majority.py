"""The most common class of each category, `good` included, whatever the picture shows: the floor of every accuracy.

It counts the labels that it is scored by, so it is no method, only what one has to beat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from acbench._util.console import Progress
from acbench.errors import AcbenchError
from acbench.predictors.base import Baseline, BaselineSetup, Truth
from acbench.records import JOIN, Item, Prediction
from acbench.schema.views import ClassSet
from acbench.storage.digests import digest


@dataclass(frozen=True)
class Majority:
    """See the module."""

    truth: Truth
    localisation: tuple[str, str] = ("none", "")
    references: Sequence[str] = ()
    unfinished: int = 0

    @cached_property
    def name(self) -> str:
        return f"majority@{digest(self.truth.hashes, length=8)}"

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterator[Prediction]:
        """The same for every item of a category; of equally common classes the first in the schema's order."""
        best = {category: self._best(category) for category in self.truth.categories}
        for done, item in enumerate(items, start=1):
            progress(done, len(items))
            if answer := best.get(item.category):
                yield Prediction(
                    item_id=item.item_id, system=self.name, raw=JOIN.join(answer), labels=answer, parse="ok"
                )

    def _best(self, category: str) -> ClassSet:
        counted = Counter(target.wanted for target in self.truth.targets if target.category == category)
        axis = self.truth.axis(category)
        place = {answer: number for number, answer in enumerate(axis)}
        return min(counted, key=lambda answer: (-counted[answer], place.get(answer, len(axis)), answer))


def build(setup: BaselineSetup) -> Baseline:
    """The majority of the labels. Raises AcbenchError without labels."""
    if setup.truth is None:
        raise AcbenchError("majority needs labels to count", "acbench relabel BENCHMARK")
    return Majority(setup.truth)
