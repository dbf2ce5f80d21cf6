"""The proposer `neighbours`: judges which class a defect looks like by the other defects of its category.

A frozen image model turns each defect into vectors, and its mask and the colours under it give some numbers
(`acbench.predictors.defect_views`). Classifiers fitted to labels of the category give class probabilities out-of-fold:
an image's own label never counts for itself (`acbench.predictors.out_of_fold`). If the dataset's label of an item names
no class, each of its defects is judged by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from acbench._util.chunks import chunks
from acbench._util.console import Progress
from acbench._util.prefetch import prefetch_attempts
from acbench.errors import AcbenchError
from acbench.predictors.base import Setup
from acbench.records import Item, Proposal, label_set, one_defect
from acbench.storage.digests import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from acbench.predictors.defect_views import Glance, Vector, Views
    from acbench.predictors.out_of_fold import OutOfFoldClassifier

LEAST = 4
"""A class with fewer images gives no useful classifier."""
MARGIN = 0.2
"""It abstains if the best class leads the second by less."""
NEAREST = 5
"""Images that the rationale counts."""
_VERSION = "2"
"""Raise it when the same model is to give other vectors or answers."""
CHUNK = 16
"""Images that are cut, or whose vectors are read, at a time; bounds memory."""


@dataclass(frozen=True, slots=True, eq=False)
class _Defects:
    """What is known of one item's defects."""

    region: Views
    """What is known of the whole anomalous region."""
    parts: Sequence[Views]
    """What is known of each defect in it; empty if the dataset's label names one class."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What is known of one item, or the reason why nothing is."""

    item: Item
    defects: _Defects | None
    problem: str = ""
    """Empty if there are vectors."""


@dataclass
class Neighbours:
    """The proposer `neighbours`."""

    setup: Setup

    @cached_property
    def name(self) -> str:
        decides = (self.setup.models.embedder.name, self.setup.schema.digest, _VERSION, LEAST, MARGIN)
        return f"neighbours@{digest(*decides, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each anomalous item. Normal items are not covered."""
        covered = self.covers(items)
        done = 0
        for category in sorted({item.category for item in covered}):
            members: list[_Seen] = []
            for seen in self.vectors([item for item in covered if item.category == category]):
                members.append(seen)
                done += 1
                progress(done, len(covered))
            yield from self._category(members)

    def covers(self, items: Sequence[Item]) -> list[Item]:
        """The anomalous items."""
        return sorted((item for item in items if item.anomalous), key=lambda item: item.image)

    # Vectors

    def embed(self, items: Sequence[Item], progress: Progress) -> Mapping[str, str]:
        """Compute and keep the vectors of the defects of items."""
        problems: dict[str, str] = {}
        for done, seen in enumerate(self.vectors(items), start=1):
            if seen.defects is None:
                problems[seen.item.item_id] = seen.problem
            progress(done, len(items))
        return problems

    def kept_vectors(self, items: Sequence[Item]) -> dict[str, Vector]:
        """item_id → direction of the whole anomalous region, of the anomalous items that were seen already."""
        from acbench.predictors.defect_views import unpack

        directions: dict[str, Vector] = {}
        for chunk in chunks((item for item in items if item.anomalous), CHUNK):
            keys = {item.item_id: self._key(item) for item in chunk}
            kept = self.setup.vectors.load(list(keys.values()))
            directions |= {item_id: unpack(kept[key])[0].direction for item_id, key in keys.items() if key in kept}
        return directions

    def vectors(self, items: Sequence[Item]) -> Iterator[_Seen]:
        """The vectors of items in their order, from the cache or else from the images."""
        from acbench.predictors.defect_views import unpack

        for chunk in chunks(items, CHUNK):
            kept = self.setup.vectors.load([self._key(item) for item in chunk])
            problems: dict[str, str] = {}
            for attempt in prefetch_attempts(self._glances, [item for item in chunk if self._key(item) not in kept]):
                item = attempt.input
                if attempt.result is None:
                    problems[item.item_id] = attempt.problem
                else:
                    kept[self._key(item)] = self._embed(item, attempt.result)
            for item in chunk:
                if item.item_id in problems:
                    yield _Seen(item, None, problems[item.item_id])
                else:
                    region, *parts = unpack(kept[self._key(item)])
                    yield _Seen(item, _Defects(region, parts))

    def _glances(self, item: Item) -> list[Glance]:
        """What is to be seen of the whole region and, if the dataset's label names no class, of each defect.

        Raises AcbenchError if the image or its mask cannot be read.
        """
        # They import scipy, which a run with nothing to cut does not need.
        import numpy as np

        from acbench.data import regions
        from acbench.predictors.defect_views import glance

        if item.problem:
            raise AcbenchError(item.problem)
        image = self.setup.images.image(item.image)
        mask = self.setup.images.marked(item, image.size)
        if mask is None:
            mask = np.zeros((image.height, image.width), dtype=bool)
        parts = regions.components(mask) if mask.any() and not self._source_class(item) else []
        return [glance(image, part, self.setup.models.embedder.size) for part in [mask, *parts]]

    def _embed(self, item: Item, glances: Sequence[Glance]) -> bytes:
        """Compute and keep what is known of an item's defects; gives it packed."""
        from acbench.predictors.defect_views import pack, views

        # In one row, so that a killed run leaves all of an item's vectors or none.
        packed = pack(views(self.setup.models.embedder, glances))
        self.setup.vectors.save([(self._key(item), packed)])
        return packed

    def _key(self, item: Item) -> str:
        parts = "one" if self._source_class(item) else "each"
        return digest(self.setup.models.embedder.name, _VERSION, item.sha256, item.marks, parts, length=32)

    def _source_class(self, item: Item) -> str | None:
        """The class that the dataset's label names; None unless it names exactly one class of defect."""
        category = self.setup.schema.category(item.category)
        labels = category.map(item.source_labels, item.image).labels if category else ()
        return one_defect(labels) or None

    # Answers

    def _category(self, members: Sequence[_Seen]) -> Iterator[Proposal]:
        """The proposals for all items of one category."""
        defects = {seen.item.item_id: seen.defects for seen in members if seen.defects is not None}
        labels = {seen.item.item_id: self._source_class(seen.item) for seen in members}
        taught = _teach(defects, labels)
        sizes = Counter(label for item_id in defects if (label := labels[item_id]))
        if taught is None:
            counts = ", ".join(f"{count} {label}" for label, count in sorted(sizes.items())) or "none"
            why = f"too few images to compare with: {LEAST} of each of two classes are needed, there are {counts}"
            yield from (self._no_answer(seen, why) for seen in members)
            return
        for seen in members:
            label, row = labels[seen.item.item_id], taught.rows.get(seen.item.item_id)
            if seen.defects is None:
                yield self._no_answer(seen, "")
            elif row is None and label:
                yield self._no_answer(seen, f"`{label}` has {sizes[label]} images here, at least {LEAST} are needed")
            else:
                likely = taught.likely(seen.item.item_id, seen.defects)
                rationale = taught.nearest(row) if row is not None else taught.named(likely)
                yield self._answer(seen.item, taught.classes, likely, rationale)

    def learned(self, items: Sequence[Item], decided: Mapping[str, str]) -> dict[str, dict[str, float]]:
        """item_id → class id → probability, by classifiers that learned what people decided.

        `decided`: item_id → the class that people decided on, which takes the place of the dataset's label; empty if
        they decided otherwise, so that the item teaches nothing. An item's own label never counts for itself. Only
        categories where people decided something, and items whose vectors are kept.
        """
        from acbench.predictors.defect_views import unpack

        learned: dict[str, dict[str, float]] = {}
        covered = self.covers(items)
        for category in sorted({item.category for item in covered if item.item_id in decided}):
            members = [item for item in covered if item.category == category]
            kept = self.setup.vectors.load([self._key(item) for item in members])
            views = {item.item_id: unpack(kept[key]) for item in members if (key := self._key(item)) in kept}
            defects = {item_id: _Defects(region, parts) for item_id, (region, *parts) in views.items()}
            labels = {item.item_id: decided.get(item.item_id, self._source_class(item)) for item in members}
            if taught := _teach(defects, labels):
                for item_id, own in defects.items():
                    learned[item_id] = _scores(taught.classes, taught.likely(item_id, own))
        return learned

    def _answer(self, item: Item, classes: Sequence[str], likely: NDArray[np.float64], rationale: str) -> Proposal:
        """The proposal for an item. `likely` (P, K): the class probabilities of each of its defects."""
        import numpy as np

        from acbench.predictors.out_of_fold import leads

        scores = _scores(classes, likely)
        undecided = int((leads(likely) < MARGIN).sum())
        reason = ""
        if undecided and len(likely) > 1:
            reason = f"{undecided} of {len(likely)} defects are undecided"
        elif undecided and not np.ptp(likely):
            reason = "unlike every class that has images here, or between two of them"
        elif undecided:
            best = sorted(scores.items(), key=lambda pair: -pair[1])[:2]
            reason = "too close to call: " + ", ".join(f"{label} {value:.2f}" for label, value in best)
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=() if undecided else label_set(classes[best] for best in likely.argmax(axis=1)),
            scores=scores,
            rationale=rationale,
            status="abstained" if undecided else "ok",
            reason=reason,
            saw=_saw(item),
            schema_version=self.setup.schema.version,
        )

    def _no_answer(self, seen: _Seen, why: str) -> Proposal:
        """The proposal for an item without an answer: an error if it has no vectors, else an abstention for `why`."""
        return Proposal(
            item_id=seen.item.item_id,
            proposer=self.name,
            labels=(),
            status="error" if seen.problem else "abstained",
            reason=seen.problem or why,
            saw=_saw(seen.item),
            schema_version=self.setup.schema.version,
        )


def _saw(item: Item) -> tuple[str, ...]:
    return ("image", item.marking) if item.marking else ("image",)


def _scores(classes: Sequence[str], likely: NDArray[np.float64]) -> dict[str, float]:
    """Class id → mean probability of the defects of an item, from theirs (P, K)."""
    return {label: float(value) for label, value in zip(classes, likely.mean(axis=0).round(6), strict=True)}


@dataclass(frozen=True, slots=True, eq=False)
class _Taught:
    """What was learned of one category."""

    classes: Sequence[str]
    rows: Mapping[str, int]
    """item_id → the number of each item that was learned from."""
    classifier: OutOfFoldClassifier

    def likely(self, item_id: str, defects: _Defects) -> NDArray[np.float64]:
        """Class probabilities (P, K) of the defects of an item; of the whole region, if it was learned from."""
        row = self.rows.get(item_id)
        if row is None:
            return self.classifier.predict(defects.parts or [defects.region])
        held_out: NDArray[np.float64] = self.classifier.held_out[row][None]
        return held_out

    def nearest(self, row: int) -> str:
        """What the nearest images are called."""
        nearest = Counter(self.classes[number] for number in self.classifier.nearest(row, NEAREST))
        return f"its {nearest.total()} nearest are {', '.join(f'{n} {label}' for label, n in nearest.most_common())}"

    def named(self, likely: NDArray[np.float64]) -> str:
        """What each of several defects is called."""
        import numpy as np

        named = ", ".join(
            f"{self.classes[defect.argmax()]} {defect.max():.2f}" if np.ptp(defect) else "one unlike all"
            for defect in likely
        )
        return f"of {len(likely)} defects: {named}"


def _teach(defects: Mapping[str, _Defects], labels: Mapping[str, str | None]) -> _Taught | None:
    """Learn from the items of one category that have a label; None if there are too few. Keys are item ids."""
    from acbench.predictors.out_of_fold import OutOfFoldClassifier

    sizes = Counter(label for item_id in defects if (label := labels[item_id]))
    classes = sorted(label for label, count in sizes.items() if count >= LEAST)
    if len(classes) < 2:
        return None
    trained = [item_id for item_id in defects if labels[item_id] in classes]
    numbers = [classes.index(label) for item_id in trained if (label := labels[item_id])]
    classifier = OutOfFoldClassifier([defects[item_id].region for item_id in trained], numbers)
    return _Taught(classes, {item_id: row for row, item_id in enumerate(trained)}, classifier)


def build(setup: Setup, argument: str = "") -> Neighbours:
    """The proposer for `setup`."""
    return Neighbours(setup)
