"""Crops of the anomalous regions of pictures, ready for an image model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acbench import imaging
from acbench.ahead import ahead
from acbench.baselines._localise import Place, marked
from acbench.errors import AcbenchError
from acbench.records import Item
from acbench.roots import Root


class Crop(NamedTuple):
    """A square around what is marked; of the whole picture if nothing is."""

    pixels: NDArray[np.uint8]
    """(S, S, 3)."""
    area: NDArray[np.float32]
    """(S, S): the share of each pixel that is marked."""


def crops(places: Iterable[tuple[Item, Place]], root: Root, size: int) -> Iterator[tuple[Item, Place, Crop | str]]:
    """The crop of each, or why there is none, drawn in threads a little ahead."""

    def draw(each: tuple[Item, Place]) -> tuple[Item, Place, Crop | str]:
        from acbench import regions  # brings scipy along

        item, place = each
        try:
            image = imaging.open_image(item.image, root)
        except AcbenchError as error:
            return item, place, error.message
        mask = marked(place, image.size)
        box = regions.square(mask)
        return item, place, Crop(regions.cut(image, box, size), regions.cut_mask(mask, box, size))

    yield from ahead(draw, places)
