"""The detector `patchcore`: PatchCore on the features of a frozen image model. Banks and maps are kept between runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acbench._util.chunks import chunks
from acbench._util.execution import VectorCache
from acbench._util.prefetch import prefetch_attempts
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.predictors.detection import patchcore
from acbench.predictors.detection.maps import MIN_NORMAL, ItemMap
from acbench.predictors.models import PatchModel
from acbench.records import Item
from acbench.storage.digests import digest
from acbench.storage.vectors import pack_matrix, unpack_matrix

HELD_OUT = 5
"""Every fifth normal image is kept out of the bank, to measure how normal images score."""
CHUNK = 32
"""Images whose maps are computed, and then kept, at a time."""


class _ItemFeatures(NamedTuple):
    """The patch features of one image, or the reason why there are none."""

    item: Item
    features: NDArray[np.float32] | None
    """(h, w, D)."""
    problem: str = ""


@dataclass
class PatchCoreDetector:
    """The detector `patchcore`. A run that was killed continues with the maps that are kept."""

    images: ImageReader
    model: PatchModel
    cache: VectorCache
    _last_bank: tuple[Sequence[Item], patchcore.Bank] | None = field(init=False, default=None)
    """The last bank and its items, since items come category by category."""

    @cached_property
    def name(self) -> str:
        return f"patchcore:{self.model.name}:{digest(1, patchcore.SHARE, patchcore.LEAST, HELD_OUT, length=8)}"

    def threshold_items(self, train: Sequence[Item]) -> list[Item]:
        """The items that are kept out of the bank. Raises AcbenchError if `train` is too short."""
        if len(train) < MIN_NORMAL:
            category = train[0].category if train else "the category"
            raise AcbenchError(
                f"{category} has {len(train)} normal training images, patchcore needs {MIN_NORMAL}",
                "give the whole dataset, or maps of your own: --detector heatmaps:FOLDER",
            )
        return list(train[::HELD_OUT])

    def maps(self, items: Sequence[Item], train: Sequence[Item]) -> Iterator[ItemMap]:
        held_out = {item.item_id for item in self.threshold_items(train)}
        bank_items = [item for item in train if item.item_id not in held_out]
        keys = {item.item_id: self._key(item, bank_items) for item in items}
        for chunk in chunks(items, CHUNK):
            kept = self.cache.load([keys[item.item_id] for item in chunk])
            problems: dict[str, str] = {}
            for item, features, problem in self._features([item for item in chunk if keys[item.item_id] not in kept]):
                if features is None:
                    problems[item.item_id] = problem
                    continue
                key = keys[item.item_id]
                kept[key] = pack_matrix(self._bank(bank_items).heatmap(features))
                self.cache.save([(key, kept[key])])
            for item in chunk:
                data = kept.get(keys[item.item_id])
                if data is None:
                    yield ItemMap(item, None, problems[item.item_id])
                else:
                    yield ItemMap(item, unpack_matrix(data))

    def _bank(self, items: Sequence[Item]) -> patchcore.Bank:
        """The bank of normal items. Raises AcbenchError if none of them can be read."""
        if self._last_bank is None or self._last_bank[0] != items:
            key = digest(self.name, "bank", [item.sha256 for item in items], length=32)
            kept = self.cache.load([key])
            if not kept:
                kept = {key: pack_matrix(patchcore.fit(self._normal_features(items)).patches)}
                self.cache.save(kept.items())
            self._last_bank = items, patchcore.Bank(unpack_matrix(kept[key]))
        return self._last_bank[1]

    def _normal_features(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """The features (N, D) of all patches of the items that can be read."""
        rows = [
            seen.features.reshape(-1, seen.features.shape[-1])
            for seen in self._features(items)
            if seen.features is not None
        ]
        if not rows:
            category = items[0].category
            raise AcbenchError(
                f"no normal training image of {category} can be read", f"acbench ingest … --category {category}"
            )
        return np.concatenate(rows)

    def _features(self, items: Sequence[Item]) -> Iterator[_ItemFeatures]:
        """The features of items, in no particular order."""
        attempts = prefetch_attempts(self._input, items, workers=2, most=2 * CHUNK)
        for chunk in chunks(attempts, CHUNK):
            readable = [(attempt.input, attempt.result) for attempt in chunk if attempt.result is not None]
            yield from (_ItemFeatures(seen.input, None, seen.problem) for seen in chunk if seen.result is None)
            if readable:
                features = self.model.features([pixels for _, pixels in readable])
                for (item, _), rows in zip(readable, features, strict=True):
                    yield _ItemFeatures(item, rows)

    def _input(self, item: Item) -> NDArray[np.uint8]:
        """The input of the model (S, S, 3). Raises AcbenchError if the image cannot be read."""
        if item.problem:
            raise AcbenchError(item.problem)
        image = self.images.image(item.image)
        return np.asarray(image.resize((self.model.size, self.model.size), Image.Resampling.BICUBIC))

    def _key(self, item: Item, bank_items: Sequence[Item]) -> str:
        return digest(self.name, [normal.sha256 for normal in bank_items], item.sha256, length=32)
