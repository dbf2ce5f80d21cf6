"""Cuts the marked places out of images, as inputs for an image model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acbench._util.prefetch import prefetch_attempts
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
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
