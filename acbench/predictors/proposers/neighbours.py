"""The proposer `neighbours`: judges which class a defect looks like by the other defects of its category.

A frozen image model turns each defect into a vector. A linear classifier, fitted to the dataset's own labels, gives
class probabilities out-of-fold: an image's own label never counts for itself, and suspect labels are left out of the
training folds (`acbench.predictors.out_of_fold`). If the dataset's label of an item names no class, each of its defects
is judged by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from acbench._util.chunks import chunks
from acbench._util.console import Progress
from acbench._util.prefetch import prefetch_attempts
from acbench.errors import AcbenchError
from acbench.predictors.base import Setup
from acbench.records import GOOD, Item, Proposal, label_set
from acbench.storage.digests import digest
from acbench.storage.vectors import pack_matrix, unpack_matrix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from acbench.predictors.out_of_fold import OutOfFoldClassifier, Vector

FOLDS = 5
REPEATS = 3
"""Fold assignments that the second pass averages."""
LEAST = 4
"""A class with fewer images gives no useful classifier."""
STRENGTH = 10.0
"""Inverse regularisation of the logistic regression on standardised features (C in scikit-learn)."""
MARGIN = 0.2
"""It abstains if the best class leads the second by less."""
NEAREST = 5
"""Images that the rationale counts."""
_VERSION = "1"
"""Raise it when the same model is to give other vectors."""
CHUNK = 16
"""Images whose crops are cut at a time; bounds memory."""


class _Crop(NamedTuple):
    """A square around a defect."""

    pixels: NDArray[np.uint8]
    """(S, S, 3)."""
    area: NDArray[np.float32]
    """(S, S): the share of each pixel that is marked."""


@dataclass(frozen=True, slots=True, eq=False)
class _Defects:
    """The vectors of one item's defects."""

    region: Vector
    """The vector of the whole anomalous region."""
    parts: Sequence[Vector]
    """A vector of each defect in it; empty if the dataset's label names one class."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """The vectors of one item, or the reason why there are none."""

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
        decides = (
            self.setup.models.embedder.name,
            self.setup.schema.digest,
            _VERSION,
            FOLDS,
            REPEATS,
            LEAST,
            STRENGTH,
            MARGIN,
        )
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
        """item_id → vector of the whole anomalous region, for the anomalous items whose vectors are kept already."""
        keys = {item.item_id: self._key(item) for item in items if item.anomalous}
        kept = self.setup.vectors.load(list(keys.values()))
        return {item_id: unpack_matrix(kept[key])[0] for item_id, key in keys.items() if key in kept}

    def vectors(self, items: Sequence[Item]) -> Iterator[_Seen]:
        """The vectors of items in their order, from the cache or else from the images."""
        for chunk in chunks(items, CHUNK):
            kept = self.setup.vectors.load([self._key(item) for item in chunk])
            problems: dict[str, str] = {}
            for attempt in prefetch_attempts(self._crops, [item for item in chunk if self._key(item) not in kept]):
                item = attempt.input
                if attempt.result is None:
                    problems[item.item_id] = attempt.problem
                else:
                    kept[self._key(item)] = self._embed(item, attempt.result)
            for item in chunk:
                if item.item_id in problems:
                    yield _Seen(item, None, problems[item.item_id])
                else:
                    rows = unpack_matrix(kept[self._key(item)])
                    yield _Seen(item, _Defects(rows[0], list(rows[1:])))

    def _crops(self, item: Item) -> list[_Crop]:
        """The crop of the whole region and, if the dataset's label names no class, of each defect.

        Raises AcbenchError if the image or its mask cannot be read.
        """
        # They import scipy, which a run with nothing to cut does not need.
        import numpy as np

        from acbench.data import regions

        if item.problem:
            raise AcbenchError(item.problem)
        size = self.setup.models.embedder.size
        image = self.setup.images.image(item.image)
        mask = self.setup.images.marked(item, image.size)
        if mask is None:
            mask = np.zeros((image.height, image.width), dtype=bool)
        parts = regions.components(mask) if mask.any() and not self._source_class(item) else []
        return [
            _Crop(regions.cut(image, box, size), regions.cut_mask(part, box, size))
            for part in [mask, *parts]
            for box in [regions.square(part)]
        ]

    def _embed(self, item: Item, crops: Sequence[_Crop]) -> bytes:
        """Compute and keep the vectors (N, D) of an item's crops; gives them packed."""
        vectors = self.setup.models.embedder.embed([crop.pixels for crop in crops], [crop.area for crop in crops])
        # In one row, so that a killed run leaves all of an item's vectors or none.
        packed = pack_matrix(vectors)
        self.setup.vectors.save([(self._key(item), packed)])
        return packed

    def _key(self, item: Item) -> str:
        parts = "one" if self._source_class(item) else "each"
        return digest(self.setup.models.embedder.name, _VERSION, item.sha256, item.marks, parts, "head", length=32)

    def _source_class(self, item: Item) -> str | None:
        """The class that the dataset's label names; None unless it names exactly one class of defect."""
        category = self.setup.schema.category(item.category)
        labels = category.map(item.source_labels, item.image).labels if category else ()
        return labels[0] if len(labels) == 1 and labels[0] != GOOD else None

    # Answers

    def _category(self, members: Sequence[_Seen]) -> Iterator[Proposal]:
        """The proposals for all items of one category."""
        labelled = [
            (seen.item.item_id, seen.defects.region, label)
            for seen in members
            if seen.defects is not None and (label := self._source_class(seen.item))
        ]
        sizes = Counter(label for _, _, label in labelled)
        classes = sorted(label for label, count in sizes.items() if count >= LEAST)
        if len(classes) < 2:
            counts = ", ".join(f"{count} {label}" for label, count in sorted(sizes.items())) or "none"
            why = f"too few images to compare with: {LEAST} of each of two classes are needed, there are {counts}"
            yield from (self._no_answer(seen, why) for seen in members)
            return
        trained = [(item_id, vector, classes.index(label)) for item_id, vector, label in labelled if label in classes]
        classifier = fitted([vector for _, vector, _ in trained], [number for _, _, number in trained])
        rows = {item_id: row for row, (item_id, _, _) in enumerate(trained)}
        for seen in members:
            row, label = rows.get(seen.item.item_id), self._source_class(seen.item)
            if seen.defects is None:
                yield self._no_answer(seen, "")
            elif row is not None:
                nearest = Counter(classes[number] for number in classifier.nearest(row, NEAREST))
                counts = ", ".join(f"{count} {label}" for label, count in nearest.most_common())
                rationale = f"its {nearest.total()} nearest are {counts}"
                yield self._answer(seen.item, classes, classifier.held_out[row][None], rationale)
            elif label:
                yield self._no_answer(seen, f"`{label}` has {sizes[label]} images here, at least {LEAST} are needed")
            else:
                likely = classifier.predict(seen.defects.parts or [seen.defects.region])
                named = ", ".join(f"{classes[defect.argmax()]} {defect.max():.2f}" for defect in likely)
                yield self._answer(seen.item, classes, likely, f"of {len(likely)} defects: {named}")

    def _answer(self, item: Item, classes: Sequence[str], likely: NDArray[np.float64], rationale: str) -> Proposal:
        """The proposal for an item. `likely` (P, K): the class probabilities of each of its defects."""
        from acbench.predictors.out_of_fold import leads

        scores = {label: float(value) for label, value in zip(classes, likely.mean(axis=0).round(6), strict=True)}
        undecided = int((leads(likely) < MARGIN).sum())
        reason = ""
        if undecided and len(likely) > 1:
            reason = f"{undecided} of {len(likely)} defects are undecided"
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


def fitted(vectors: Sequence[Vector], labels: Sequence[int]) -> OutOfFoldClassifier:
    """The classifier of one category. `labels`: the number of each vector's class."""
    from acbench.predictors.out_of_fold import OutOfFoldClassifier

    return OutOfFoldClassifier(vectors, labels, folds=FOLDS, repeats=REPEATS, strength=STRENGTH)


def build(setup: Setup, argument: str = "") -> Neighbours:
    """The proposer for `setup`."""
    return Neighbours(setup)
