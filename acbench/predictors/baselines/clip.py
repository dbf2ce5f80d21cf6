"""The baseline `clip`: zero-shot CLIP on the marked place, answering the class whose prompts are nearest.

An image that the detector calls normal is `good`; for the others only the defect classes are compared. Without a
detector the full image is compared with all classes, `good` included. The prompts are those of the proposer `clip`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from acbench._util.chunks import chunks
from acbench._util.console import Progress
from acbench.predictors.base import Baseline, BaselineSetup
from acbench.predictors.clip_prompts import prompts
from acbench.predictors.defect_views import Crop
from acbench.predictors.detection.crops import ItemCrop, crop_vectors, crops
from acbench.predictors.detection.localise import Localiser
from acbench.predictors.models import ClipModel
from acbench.records import GOOD, Item, Prediction
from acbench.schema import Category
from acbench.storage.digests import digest

BATCH = 16
"""Crops whose vectors are computed, and then kept, at a time."""

Vector = NDArray[np.float32]


@dataclass
class Clip:
    """The baseline `clip`."""

    setup: BaselineSetup
    model: ClipModel
    localiser: Localiser
    references: Sequence[str] = field(init=False, default=())
    unasked: int = field(init=False, default=0)
    _directions: dict[str, Vector] = field(init=False, default_factory=dict)
    """Category → unit vectors of its classes."""

    @cached_property
    def name(self) -> str:
        all_prompts = [prompts(category) for category in self.setup.schema.categories.values()]
        return f"clip@{digest(1, self.model.name, self.localiser.key, all_prompts, length=8)}"

    @property
    def localisation(self) -> tuple[str, str]:
        return self.localiser.provenance

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterator[Prediction]:
        """One prediction for each item."""
        self.model.ready()
        localised = self.localiser.localise(items, progress)
        for batch in chunks(crops(localised, self.setup.images, self.model.size), BATCH):
            vectors = self._vectors(batch)
            for seen in batch:
                yield self._prediction(seen, vectors.get(seen.item.item_id))

    def _vectors(self, batch: Sequence[ItemCrop]) -> dict[str, Vector]:
        """item_id → unit vector, for the crops that are compared with classes."""
        compared = (
            seen
            for seen in batch
            if seen.place.anomalous is not False and self.setup.schema.category(seen.item.category)
        )
        return crop_vectors(self.setup.vectors, compared, self._key, self._embed)

    def _key(self, item: Item) -> str:
        return digest("baseline clip", self.model.name, self.localiser.key, item.sha256, length=32)

    def _embed(self, crops: Sequence[tuple[Crop, ...]]) -> Vector:
        return self.model.images([near.pixels for near, *_ in crops])

    def _prediction(self, seen: ItemCrop, vector: Vector | None) -> Prediction:
        item = seen.item
        category = self.setup.schema.category(item.category)
        if category is None or seen.problem:
            why = seen.problem or f"the schema has no category {item.category}"
            return Prediction(item_id=item.item_id, system=self.name, raw=why, labels=(), parse="error")
        if vector is None:
            answer = GOOD
        else:
            first = 1 if seen.place.anomalous else 0  # without `good`, if the detector has found an anomaly
            similarities = self._class_directions(category)[first:] @ vector
            answer = category.answers[first + int(similarities.argmax())]
        return Prediction(
            item_id=item.item_id,
            system=self.name,
            raw=answer,
            labels=(answer,),
            parse="ok",
            detector_score=seen.place.score,
        )

    def _class_directions(self, category: Category) -> Vector:
        """A unit vector (K, D) of `good` and of each class: the direction of the mean of its prompts."""
        if category.key not in self._directions:
            means = np.array([self.model.texts(texts).mean(axis=0) for texts in prompts(category).values()])
            self._directions[category.key] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return self._directions[category.key]


def build(setup: BaselineSetup) -> Baseline:
    """The baseline with the CLIP model that the user chose. Raises AcbenchError if the user chose none."""
    return Clip(setup, setup.models.clip(), Localiser(setup))
