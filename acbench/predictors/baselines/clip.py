"""Zero-shot CLIP on the crop: the class whose prompts are nearest to the marked place.

The gate says `good`; of what it lets through the defect classes alone are compared. Without a detector the whole
picture is compared with all classes, `good` included. Prompts are those of the proposer `clip`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from acbench._util.console import Progress
from acbench.predictors.base import Baseline, BaselineSetup, ClipModel
from acbench.predictors.detection.crops import Crop, crops
from acbench.predictors.detection.localise import Localisation, Localiser
from acbench.predictors.detection.maps import chunks
from acbench.predictors.proposers.clip import prompts
from acbench.records import GOOD, Item, Prediction
from acbench.schema import Category
from acbench.storage.digests import digest

BATCH = 16
"""Crops looked at, and then kept, at a time."""


@dataclass
class Clip:
    """See the module."""

    setup: BaselineSetup
    model: ClipModel
    localiser: Localiser
    references: Sequence[str] = ()
    unfinished: int = 0
    _texts: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        told = [prompts(category) for category in self.setup.schema.categories.values()]
        return f"clip@{digest(1, self.model.name, self.localiser.key, told, length=8)}"

    @property
    def localisation(self) -> tuple[str, str]:
        return self.localiser.told

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterator[Prediction]:
        """One prediction for each item."""
        self.model.ready()
        looked = crops(self.localiser.look(items, progress), self.setup.images, self.model.size)
        for batch in chunks(looked, BATCH):
            seen = [(item, place, crop) for item, place, crop in batch if self._wanted(item, place, crop)]
            vectors = self._vectors([(item, place, crop) for item, place, crop in seen if isinstance(crop, Crop)])
            for item, place, crop in batch:
                yield self._one(item, place, crop, vectors.get(item.item_id))

    def _wanted(self, item: Item, place: Localisation, crop: Crop | str) -> bool:
        known = self.setup.schema.category(item.category) is not None
        return known and isinstance(crop, Crop) and place.anomalous is not False and not place.problem

    def _vectors(self, seen: Sequence[tuple[Item, Localisation, Crop]]) -> dict[str, NDArray[np.float32]]:
        """item_id → unit vector, from the cache where it is there."""
        keys = {
            item.item_id: digest("baseline clip", self.model.name, self.localiser.key, item.sha256, length=32)
            for item, _, _ in seen
        }
        kept = self.setup.vectors.load(list(keys.values()))
        todo = [(keys[item.item_id], crop.pixels) for item, _, crop in seen if keys[item.item_id] not in kept]
        if todo:
            rows = self.model.images([pixels for _, pixels in todo])
            new = {key: row.tobytes() for (key, _), row in zip(todo, rows, strict=True)}
            self.setup.vectors.save(new.items())
            kept |= new
        return {item: np.frombuffer(kept[key], dtype=np.float32) for item, key in keys.items()}

    def _one(self, item: Item, place: Localisation, crop: Crop | str, vector: NDArray[np.float32] | None) -> Prediction:
        category = self.setup.schema.category(item.category)
        if category is None or isinstance(crop, str) or place.problem:
            why = place.problem or (crop if isinstance(crop, str) else f"the schema has no category {item.category}")
            return Prediction(item_id=item.item_id, system=self.name, raw=why, labels=(), parse="error")
        if vector is None:
            best = GOOD
        else:
            start = 1 if place.anomalous else 0
            best = (GOOD, *category.class_ids)[start + int((self._classes(category)[start:] @ vector).argmax())]
        return Prediction(
            item_id=item.item_id, system=self.name, raw=best, labels=(best,), parse="ok", detector_score=place.score
        )

    def _classes(self, category: Category) -> NDArray[np.float32]:
        """A unit vector (K, D) of `good` and of each class: the direction of the mean of its prompts."""
        if category.key not in self._texts:
            means = np.array([self.model.texts(said).mean(axis=0) for said in prompts(category).values()])
            self._texts[category.key] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return self._texts[category.key]


def build(setup: BaselineSetup) -> Baseline:
    """The model that was chosen. Raises AcbenchError if none was."""
    return Clip(setup, setup.models.clip(), Localiser(setup))
