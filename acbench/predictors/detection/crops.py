"""Cuts the marked places out of images, as inputs for an image model, and keeps their vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acbench._util.execution import VectorCache
from acbench._util.prefetch import prefetch_attempts
from acbench.data import regions
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.predictors.cached_vectors import cached_vectors
from acbench.predictors.defect_views import Crop, crop, whole
from acbench.predictors.detection.localise import Localisation, LocalisedItem, marked_region
from acbench.records import Item


@dataclass(frozen=True, slots=True, eq=False)
class ItemCrop:
    """The crops of one item, or the reason why there are none."""

    item: Item
    place: Localisation
    crops: tuple[Crop, ...]
    """The square around the marked places, or the full image if none is; then the full image, if asked for."""
    problem: str = ""
    """Empty if there are crops."""


def crops(
    localised: Iterable[LocalisedItem], images: ImageReader, size: int, *, with_whole: bool = False
) -> Iterator[ItemCrop]:
    """The crops of `size` × `size` pixels, in order, cut in threads a little ahead of their use."""

    def cut(localised_item: LocalisedItem) -> tuple[Crop, ...]:
        item, place = localised_item
        if place.problem:
            raise AcbenchError(place.problem)
        image = images.image(item.image)
        mask = marked_region(place, image.size)
        near = crop(image, mask, regions.square(mask), size)
        return (near, whole(image, mask, size)) if with_whole else (near,)

    for attempt in prefetch_attempts(cut, localised):
        item, place = attempt.input
        yield ItemCrop(item, place, attempt.result or (), attempt.problem)


def crop_vectors(
    cache: VectorCache,
    crops: Iterable[ItemCrop],
    key: Callable[[Item], str],
    compute: Callable[[Sequence[tuple[Crop, ...]]], NDArray[np.float32]],
) -> dict[str, NDArray[np.float32]]:
    """item_id → vector (D,), for the items that have crops.

    `key`: where the cache keeps an item's vector. `compute` gives vectors (N, D) of the crops of N items.
    """
    keys: dict[str, str] = {}
    inputs: dict[str, tuple[Crop, ...]] = {}
    for seen in crops:
        if seen.crops:
            keys[seen.item.item_id] = key(seen.item)
            inputs[keys[seen.item.item_id]] = seen.crops
    vectors = cached_vectors(cache, inputs, compute)
    return {item_id: vectors[item_key] for item_id, item_key in keys.items()}
