"""The detector `patchcore`: PatchCore on the features of a frozen image model. Banks and maps are kept between runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
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

FOLDS = 5
"""Each normal image is scored by a bank without it: normal images are divided into so many parts, and each part is
scored by a bank of the others."""
SMOOTHED = 0.5
"""Standard deviation, in patches, by which maps are smoothed: the 4 pixels of the paper at a stride of 8."""
SIZE = 448
"""Usual edge of the input, pixels: at the 224 of most backbones, a defect of a few pixels is lost."""
CHUNK = 32
"""Images whose maps are looked up at a time."""
BATCH = 8
"""Images whose features are in memory at a time."""


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
    size: int = SIZE
    """Edge of the input, pixels, in categories whose images are larger; the model's own in others."""
    _samples: tuple[str, Mapping[str, NDArray[np.float32]]] = field(init=False, default=("", {}))
    """The last key, and its items' patches: item_id → (n, D)."""
    _last_bank: tuple[str, patchcore.Bank] | None = field(init=False, default=None)
    """The last bank and its key, since items come category by category."""

    @cached_property
    def name(self) -> str:
        decides = (2, patchcore.SAMPLED, patchcore.KEPT, FOLDS, SMOOTHED, self.size)
        return f"patchcore:{self.model.name}:{self.size}:{digest(*decides, length=8)}"

    def normal_maps(self, train: Sequence[Item]) -> Iterator[ItemMap]:
        """The map of each item by a bank of items without it. Raises AcbenchError if `train` is too short."""
        _check_length(train)
        for fold in range(FOLDS):
            others = [item for number, item in enumerate(train) if number % FOLDS != fold]
            yield from self._maps(train[fold::FOLDS], others, train)

    def maps(self, items: Sequence[Item], train: Sequence[Item]) -> Iterator[ItemMap]:
        _check_length(train)
        return self._maps(items, train, train)

    def _maps(self, items: Sequence[Item], bank_items: Sequence[Item], train: Sequence[Item]) -> Iterator[ItemMap]:
        """The maps of items by a bank of some of the normal items."""
        bank_key = digest(self.name, "bank", [item.sha256 for item in bank_items], len(train), length=32)
        keys = {item.item_id: digest(bank_key, item.sha256, length=32) for item in items}
        size = self._edge(train)
        for chunk in chunks(items, CHUNK):
            kept = self.cache.load([keys[item.item_id] for item in chunk])
            missing = [item for item in chunk if keys[item.item_id] not in kept]
            if missing:
                bank = self._bank(bank_key, bank_items, train)
            problems: dict[str, str] = {}
            for item, features, problem in self._features(missing, size):
                if features is None:
                    problems[item.item_id] = problem
                    continue
                key = keys[item.item_id]
                kept[key] = pack_matrix(smoothed(bank.heatmap(features)))
                self.cache.save([(key, kept[key])])
            for item in chunk:
                data = kept.get(keys[item.item_id])
                if data is None:
                    yield ItemMap(item, None, problems[item.item_id])
                else:
                    yield ItemMap(item, unpack_matrix(data))

    def _edge(self, train: Sequence[Item]) -> int:
        """The edge of the input for a category's images, pixels."""
        larger = sum(max(item.width, item.height) >= self.size for item in train)
        return max(self.size, self.model.size) if 2 * larger > len(train) else self.model.size

    def _bank(self, key: str, items: Sequence[Item], train: Sequence[Item]) -> patchcore.Bank:
        """The bank of some of the normal items. Raises AcbenchError if none of them can be read."""
        if self._last_bank is None or self._last_bank[0] != key:
            kept = self.cache.load([key])
            if not kept:
                samples = self._sampled(train)
                rows = [samples[item.item_id] for item in items if item.item_id in samples]
                if not rows:
                    category = items[0].category
                    raise AcbenchError(
                        f"no normal training image of {category} can be read", f"acbench ingest … --category {category}"
                    )
                kept = {key: pack_matrix(patchcore.fit(np.concatenate(rows)).patches)}
                self.cache.save(kept.items())
            self._last_bank = key, patchcore.Bank(unpack_matrix(kept[key]))
        return self._last_bank[1]

    def _sampled(self, train: Sequence[Item]) -> Mapping[str, NDArray[np.float32]]:
        """item_id → a part of its patches (n, D), for the normal items that can be read; at most SAMPLED in all."""
        key = digest([item.sha256 for item in train])
        if self._samples[0] != key:
            samples = {
                seen.item.item_id: patchcore.sampled(seen.features, len(train), int(seen.item.sha256[:8] or "0", 16))
                for seen in self._features(train, self._edge(train))
                if seen.features is not None
            }
            self._samples = key, samples
        return self._samples[1]

    def _features(self, items: Sequence[Item], size: int) -> Iterator[_ItemFeatures]:
        """The features of items, in no particular order."""
        attempts = prefetch_attempts(partial(self._input, size=size), items, workers=2, most=2 * BATCH)
        for chunk in chunks(attempts, BATCH):
            readable = [(attempt.input, attempt.result) for attempt in chunk if attempt.result is not None]
            yield from (_ItemFeatures(seen.input, None, seen.problem) for seen in chunk if seen.result is None)
            if readable:
                features = self.model.features([pixels for _, pixels in readable])
                for (item, _), rows in zip(readable, features, strict=True):
                    yield _ItemFeatures(item, rows)

    def _input(self, item: Item, size: int) -> NDArray[np.uint8]:
        """The input of the model (size, size, 3). Raises AcbenchError if the image cannot be read."""
        if item.problem:
            raise AcbenchError(item.problem)
        image = self.images.image(item.image)
        return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def smoothed(heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """The map (h, w), smoothed."""
    from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

    smooth: NDArray[np.float32] = ndimage.gaussian_filter(heatmap, SMOOTHED, mode="nearest")
    return smooth


def _check_length(train: Sequence[Item]) -> None:
    """Raises AcbenchError if there are too few normal items."""
    if len(train) < MIN_NORMAL:
        category = train[0].category if train else "the category"
        raise AcbenchError(
            f"{category} has {len(train)} normal training images, patchcore needs {MIN_NORMAL}",
            "give the whole dataset, or maps of your own: --detector heatmaps:FOLDER",
        )
