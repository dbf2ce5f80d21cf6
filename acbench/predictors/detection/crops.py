"""Cuts the marked places out of images, as inputs for an image model, and keeps their vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acbench._util.execution import VectorCache
from acbench._util.prefetch import prefetch_attempts
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.predictors.cached_vectors import cached_vectors
from acbench.predictors.detection.localise import Localisation, LocalisedItem, marked_region
from acbench.records import Item


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A square around the marked places; the square of the full image if nothing is marked."""

    pixels: NDArray[np.uint8]
    """(S, S, 3)."""
    area: NDArray[np.float32]
    """(S, S): the share of each pixel that is marked."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemCrop:
    """The crop of one item, or the reason why there is none."""

    item: Item
    place: Localisation
    crop: Crop | None
    problem: str = ""
    """Empty if there is a crop."""


def crops(localised: Iterable[LocalisedItem], images: ImageReader, size: int) -> Iterator[ItemCrop]:
    """The crops of `size` × `size` pixels, in order, cut in threads a little ahead of their use."""

    def cut(localised_item: LocalisedItem) -> Crop:
        from acbench.data import regions  # imports scipy

        item, place = localised_item
        if place.problem:
            raise AcbenchError(place.problem)
        image = images.image(item.image)
        mask = marked_region(place, image.size)
        box = regions.square(mask)
        return Crop(regions.cut(image, box, size), regions.cut_mask(mask, box, size))

    for attempt in prefetch_attempts(cut, localised):
        item, place = attempt.input
        yield ItemCrop(item, place, attempt.result, attempt.problem)


def crop_vectors(
    cache: VectorCache,
    crops: Iterable[ItemCrop],
    key: Callable[[Item], str],
    compute: Callable[[Sequence[Crop]], NDArray[np.float32]],
) -> dict[str, NDArray[np.float32]]:
    """item_id → vector (D,), for the items that have a crop.

    `key`: where the cache keeps an item's vector. `compute` gives vectors (N, D) of N crops.
    """
    keys: dict[str, str] = {}
    inputs: dict[str, Crop] = {}
    for seen in crops:
        if seen.crop is not None:
            keys[seen.item.item_id] = key(seen.item)
            inputs[keys[seen.item.item_id]] = seen.crop
    vectors = cached_vectors(cache, inputs, compute)
    return {item_id: vectors[item_key] for item_id, item_key in keys.items()}
