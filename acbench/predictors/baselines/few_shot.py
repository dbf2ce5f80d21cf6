"""The baseline `few_shot`: the nearest class on frozen features of the marked place, from a few images of each class.

The images that it learns from, the shots, are drawn by a seed from the labelled ones and are not scored; at least one
image of each class stays to be scored. The detector marks the place in shots as in all other images. An image model
looks at the place and at the whole image, and gives vectors of several levels. The class of a place is the one whose
mean directions are nearest, by the sum of the cosines of these vectors, after the mean of all the category's shots is
subtracted. An image that the detector calls normal is `good`; without a detector, normal training images are the shots
of `good`. No LLM is asked.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from acbench._util.chunks import chunks
from acbench._util.console import Progress
from acbench.errors import AcbenchError
from acbench.predictors.base import Baseline, BaselineSetup, Truth
from acbench.predictors.defect_views import Crop, Vector, Views, appearances, from_row
from acbench.predictors.detection.crops import crop_vectors, crops
from acbench.predictors.detection.localise import NONE, Localisation, Localiser
from acbench.records import GOOD, JOIN, Item, Prediction
from acbench.schema.views import ClassSet
from acbench.storage.digests import digest

BATCH = 16
"""Crops whose vectors are computed, and then kept, at a time."""

Vectors = tuple[Vector, ...]
"""What the image model sees of one place: vectors (D,), where D may differ."""
Shots = Mapping[str, Mapping[ClassSet, Sequence[Item]]]
"""Category → class → images."""


@dataclass(frozen=True, slots=True, eq=False)
class _ItemVectors:
    """The vectors of an item's marked place, or the reason why there are none."""

    item: Item
    place: Localisation
    vectors: Vectors | None
    """None if the detector calls the image normal, or after a failure."""
    problem: str
    """Why it failed; empty if it did not."""


@dataclass(frozen=True, slots=True, eq=False)
class _ClassCentres:
    """What was learned of one category's classes."""

    answers: tuple[ClassSet, ...]
    means: Sequence[Vector]
    """(D,) of all shots, for each vector of a place."""
    directions: Sequence[NDArray[np.float32]]
    """Unit vectors (K, D), for each vector of a place."""

    def nearest(self, vectors: Vectors) -> ClassSet:
        """The class whose directions are nearest, by the sum of the cosines."""
        parts = zip(self.directions, vectors, self.means, strict=True)
        cosines = [directions @ _unit(part - mean) for directions, part, mean in parts]
        return self.answers[int(np.sum(cosines, axis=0).argmax())]


@dataclass
class FewShot:
    """The baseline `few_shot`."""

    setup: BaselineSetup
    truth: Truth
    localiser: Localiser
    unasked: int = field(init=False, default=0)
    _shots: Shots = field(init=False)

    def __post_init__(self) -> None:
        self._shots = _draw(self.truth, self.setup)

    @cached_property
    def name(self) -> str:
        options = self.setup.options
        chosen = (options.shots, options.seed, self.references, self.truth.hashes)
        return f"few_shot@{digest(2, self.setup.models.embedder.name, self.localiser.key, *chosen, length=8)}"

    @property
    def localisation(self) -> tuple[str, str]:
        return self.localiser.provenance

    @property
    def references(self) -> Sequence[str]:
        """The ids of the shots."""
        return sorted(item.item_id for item in self._all_shots())

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterator[Prediction]:
        """One prediction for each item that is no shot."""
        references = set(self.references)
        shots = self._all_shots()
        queries = [item for item in items if item.item_id not in references]
        total = len(shots) + len(queries)
        shot_vectors = {
            seen.item.item_id: seen.vectors
            for seen in self._vectors(shots, lambda done, _: progress(done, total), even_if_normal=True)
            if seen.vectors is not None
        }
        centres = {category: _centres(by_class, shot_vectors) for category, by_class in self._shots.items()}
        for seen in self._vectors(queries, lambda done, _: progress(len(shots) + done, total)):
            yield self._prediction(seen, centres.get(seen.item.category))

    def _all_shots(self) -> list[Item]:
        return [item for by_class in self._shots.values() for items in by_class.values() for item in items]

    def _vectors(
        self, items: Sequence[Item], progress: Progress, *, even_if_normal: bool = False
    ) -> Iterator[_ItemVectors]:
        """The vectors of items. `even_if_normal`: also of those that the detector calls normal."""
        localised = self.localiser.localise(items, progress)
        cut = crops(localised, self.setup.images, self.setup.models.embedder.size, with_whole=True)
        for batch in chunks(cut, BATCH):
            wanted = (seen for seen in batch if even_if_normal or seen.place.anomalous is not False)
            rows = crop_vectors(self.setup.vectors, wanted, self._key, self._embed)
            for seen in batch:
                row = rows.get(seen.item.item_id)
                vectors = None if row is None else from_row(row).appearance
                yield _ItemVectors(seen.item, seen.place, vectors, seen.problem)

    def _key(self, item: Item) -> str:
        return digest("few_shot 2", self.setup.models.embedder.name, self.localiser.key, item.sha256, length=32)

    def _embed(self, crops: Sequence[tuple[Crop, ...]]) -> Vector:
        # The defect tells the class, so only the marked area counts; all of the crop counts if nothing is marked.
        marked = [
            [crop if crop.area.any() else Crop(crop.pixels, np.ones_like(crop.area)) for crop in own] for own in crops
        ]
        return np.stack([Views(seen, ()).row for seen in appearances(self.setup.models.embedder, marked)])

    def _prediction(self, seen: _ItemVectors, centres: _ClassCentres | None) -> Prediction:
        item = seen.item
        if seen.problem or (seen.vectors is not None and centres is None):
            why = seen.problem or f"there is no shot of {item.category}"
            return Prediction(item_id=item.item_id, system=self.name, raw=why, labels=(), parse="error")
        answer = (GOOD,) if seen.vectors is None or centres is None else centres.nearest(seen.vectors)
        return Prediction(
            item_id=item.item_id,
            system=self.name,
            raw=JOIN.join(answer),
            labels=answer,
            parse="ok",
            detector_score=seen.place.score,
        )


def _centres(shots: Mapping[ClassSet, Sequence[Item]], vectors: Mapping[str, Vectors]) -> _ClassCentres | None:
    """The centres of one category's classes; None if no shot has vectors. `vectors`: item_id → vectors."""
    by_class = {
        answer: [vectors[item.item_id] for item in items if item.item_id in vectors] for answer, items in shots.items()
    }
    by_class = {answer: rows for answer, rows in by_class.items() if rows}
    if not by_class:
        return None
    parts = range(len(next(iter(by_class.values()))[0]))
    means = [np.mean([row[part] for rows in by_class.values() for row in rows], axis=0) for part in parts]
    directions = [
        np.array([_unit(np.mean([_unit(row[part] - mean) for row in rows], axis=0)) for rows in by_class.values()])
        for part, mean in zip(parts, means, strict=True)
    ]
    return _ClassCentres(tuple(by_class), means, directions)


def _unit(row: Vector) -> Vector:
    unit: Vector = row / max(float(np.linalg.norm(row)), 1e-12)
    return unit


def _draw(truth: Truth, setup: BaselineSetup) -> Shots:
    """The shots of each class, in an order that the seed and the bytes of the images decide."""
    items = {item.item_id: item for item in setup.items if not item.problem}
    by_category: defaultdict[str, defaultdict[ClassSet, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for target in truth.targets:
        if target.wanted != (GOOD,) and target.item_id in items:
            by_category[target.category][target.wanted].append(items[target.item_id])
    if setup.options.detector == NONE:
        for item in items.values():
            if item.split == "train" and not item.anomalous:
                by_category[item.category][(GOOD,)].append(item)

    def drawn(answer: ClassSet, candidates: list[Item]) -> list[Item]:
        spare = 0 if answer == (GOOD,) else 1  # one stays to be scored; normal shots come from the training split
        ordered = sorted(
            candidates, key=lambda item: hashlib.sha256(f"{setup.options.seed} {item.sha256}".encode()).digest()
        )
        return ordered[: min(setup.options.shots, len(candidates) - spare)]

    return {
        category: {answer: drawn(answer, by_class[answer]) for answer in sorted(by_class)}
        for category, by_class in sorted(by_category.items())
    }


def build(setup: BaselineSetup) -> Baseline:
    """The baseline with shots from the labels. Raises AcbenchError without labels."""
    if setup.truth is None:
        raise AcbenchError("few_shot needs labelled images", f"acbench relabel {setup.schema.argument}")
    return FewShot(setup, setup.truth, Localiser(setup))
