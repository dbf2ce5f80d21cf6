"""Crops of the anomalous regions of pictures, ready for an image model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acbench._util.prefetch import ahead
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.predictors.detection.localise import Localisation, marked
from acbench.records import Item


class Crop(NamedTuple):
    """A square around what is marked; of the whole picture if nothing is."""

    pixels: NDArray[np.uint8]
    """(S, S, 3)."""
    area: NDArray[np.float32]
    """(S, S): the share of each pixel that is marked."""


def crops(
    places: Iterable[tuple[Item, Localisation]], images: ImageReader, size: int
) -> Iterator[tuple[Item, Localisation, Crop | str]]:
    """The crop of each, or why there is none, drawn in threads a little ahead."""

    def draw(each: tuple[Item, Localisation]) -> tuple[Item, Localisation, Crop | str]:
        from acbench.data import regions  # brings scipy along

        item, place = each
        try:
            image = images.image(item.image)
        except AcbenchError as error:
            return item, place, error.message
        mask = marked(place, image.size)
        box = regions.square(mask)
        return item, place, Crop(regions.cut(image, box, size), regions.cut_mask(mask, box, size))

    yield from ahead(draw, places)
