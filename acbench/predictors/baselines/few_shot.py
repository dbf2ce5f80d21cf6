"""The nearest class on frozen features of the marked place, from a few pictures of each class. No LLM.

The pictures of a class that are shown, `shots`, are drawn by a seed from those that are scored, and are left out of the
score; one of each class at least stays in. The detector marks the place in them as in all others. Its class is the one
whose mean direction is nearest by cosine, once the mean of all the category's shots is taken off. The gate says `good`;
without a detector, normal training pictures are the shots of `good`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from acbench._util.console import Progress
from acbench.errors import AcbenchError
from acbench.predictors.base import Baseline, BaselineSetup, Truth
from acbench.predictors.detection.crops import Crop, crops
from acbench.predictors.detection.localise import NONE, Localisation, Localiser
from acbench.predictors.detection.maps import chunks
from acbench.records import GOOD, JOIN, Item, Prediction
from acbench.schema.views import ClassSet
from acbench.storage.digests import digest

BATCH = 16
"""Crops looked at, and then kept, at a time."""

Vector = NDArray[np.float32]
Shots = Mapping[str, Mapping[ClassSet, Sequence[Item]]]
"""Category → class → pictures."""


@dataclass
class FewShot:
    """See the module."""

    setup: BaselineSetup
    truth: Truth
    localiser: Localiser
    unfinished: int = 0
    _shots: Shots = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shots = _draw(self.truth, self.setup)

    @cached_property
    def name(self) -> str:
        options = self.setup.options
        chosen = (options.shots, options.seed, self.references, self.truth.hashes)
        return f"few_shot@{digest(1, self.setup.models.embedder.name, self.localiser.key, *chosen, length=8)}"

    @property
    def localisation(self) -> tuple[str, str]:
        return self.localiser.told

    @property
    def references(self) -> Sequence[str]:
        """The shots."""
        return sorted(item.item_id for each in self._shots.values() for shots in each.values() for item in shots)

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterator[Prediction]:
        """One prediction for each item that is no shot."""
        shown = set(self.references)
        shots = [item for each in self._shots.values() for those in each.values() for item in those]
        asked = [item for item in items if item.item_id not in shown]

        def told(done: int, total: int) -> None:
            progress(done, len(shots) + len(asked))

        vectors: dict[str, Vector] = {}
        for item, _, vector in self._vectors(shots, told, all_of_them=True):
            if not isinstance(vector, str) and vector is not None:
                vectors[item.item_id] = vector
        centres = {key: self._centres(each, vectors) for key, each in self._shots.items()}
        for item, place, vector in self._vectors(asked, lambda done, _: told(len(shots) + done, 0)):
            yield self._one(item, place, vector, centres.get(item.category))

    def _vectors(
        self, items: Sequence[Item], progress: Progress, all_of_them: bool = False
    ) -> Iterator[tuple[Item, Localisation, Vector | str | None]]:
        """The vector of each item's marked place; None if the gate stops it; why, if there is none."""
        looked = crops(self.localiser.look(items, progress), self.setup.images, self.setup.models.embedder.size)
        for batch in chunks(looked, BATCH):
            wanted = {
                item.item_id: (
                    digest("few_shot", self.setup.models.embedder.name, self.localiser.key, item.sha256, length=32),
                    crop,
                )
                for item, place, crop in batch
                if isinstance(crop, Crop) and not place.problem and (all_of_them or place.anomalous is not False)
            }
            kept = self.setup.vectors.load([key for key, _ in wanted.values()])
            todo = [(key, crop) for key, crop in wanted.values() if key not in kept]
            if todo:
                # As a class is to be told by the defect; where nothing is marked by all that is there
                areas = [crop.area if crop.area.any() else np.ones_like(crop.area) for _, crop in todo]
                rows = self.setup.models.embedder.embed([crop.pixels for _, crop in todo], areas)
                new = {key: row.astype(np.float32).tobytes() for (key, _), row in zip(todo, rows, strict=True)}
                self.setup.vectors.save(new.items())
                kept |= new
            for item, place, crop in batch:
                if item.item_id in wanted:
                    yield item, place, np.frombuffer(kept[wanted[item.item_id][0]], dtype=np.float32)
                else:
                    yield item, place, place.problem or (crop if isinstance(crop, str) else None)

    def _centres(self, shots: Mapping[ClassSet, Sequence[Item]], vectors: Mapping[str, Vector]) -> _Centres | None:
        there = {
            answer: [vectors[item.item_id] for item in items if item.item_id in vectors]
            for answer, items in shots.items()
        }
        there = {answer: rows for answer, rows in there.items() if rows}
        if not there:
            return None
        middle = np.mean([row for rows in there.values() for row in rows], axis=0)
        centres = np.array([np.mean([_unit(row - middle) for row in rows], axis=0) for rows in there.values()])
        return _Centres(tuple(there), middle, np.array([_unit(row) for row in centres]))

    def _one(
        self, item: Item, place: Localisation, vector: Vector | str | None, centres: _Centres | None
    ) -> Prediction:
        if isinstance(vector, str) or (vector is not None and centres is None):
            why = vector if isinstance(vector, str) else f"there is no shot of {item.category}"
            return Prediction(item_id=item.item_id, system=self.name, raw=why, labels=(), parse="error")
        answer = (GOOD,) if vector is None or centres is None else centres.nearest(vector)
        return Prediction(
            item_id=item.item_id,
            system=self.name,
            raw=JOIN.join(answer),
            labels=answer,
            parse="ok",
            detector_score=place.score,
        )


@dataclass(frozen=True, slots=True)
class _Centres:
    answers: tuple[ClassSet, ...]
    middle: Vector
    directions: NDArray[np.float32]
    """(K, D)."""

    def nearest(self, vector: Vector) -> ClassSet:
        return self.answers[int((self.directions @ _unit(vector - self.middle)).argmax())]


def _unit(row: Vector) -> Vector:
    unit: Vector = row / max(float(np.linalg.norm(row)), 1e-12)
    return unit


def _draw(truth: Truth, setup: BaselineSetup) -> Shots:
    """The shots of each class: in an order that the seed and the picture's own bytes decide."""
    items = {item.item_id: item for item in setup.items if not item.problem}
    found: defaultdict[str, defaultdict[ClassSet, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for target in truth.targets:
        if target.wanted != (GOOD,) and target.item_id in items:
            found[target.category][target.wanted].append(items[target.item_id])
    if setup.options.detector == NONE:
        for item in items.values():
            if item.split == "train" and not item.anomalous:
                found[item.category][(GOOD,)].append(item)

    def drawn(answer: ClassSet, there: list[Item]) -> list[Item]:
        spare = 0 if answer == (GOOD,) else 1  # one stays to be scored; normal ones come from train
        ordered = sorted(
            there, key=lambda item: hashlib.sha256(f"{setup.options.seed} {item.sha256}".encode()).digest()
        )
        return ordered[: min(setup.options.shots, len(there) - spare)]

    return {
        key: {answer: drawn(answer, each[answer]) for answer in sorted(each)} for key, each in sorted(found.items())
    }


def build(setup: BaselineSetup) -> Baseline:
    """With shots from the labels. Raises AcbenchError without labels."""
    if setup.truth is None:
        raise AcbenchError("few_shot needs labelled images", "acbench relabel BENCHMARK")
    return FewShot(setup, setup.truth, Localiser(setup))
