"""What a detector is: something that gives each image a map of how anomalous each place is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from acbench.records import Item

AnomalyMap = NDArray[np.float32]
"""(h, w) of any size; larger values are more anomalous."""

MIN_NORMAL = 5
"""The number of normal training images that a category has to have."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemMap:
    """The map of one image, or the reason why there is none."""

    item: Item
    map: AnomalyMap | None
    problem: str = ""
    """Empty if there is a map."""


class Detector(Protocol):
    """Gives maps of how anomalous each place of an image is."""

    @property
    def name(self) -> str:
        """Everything that decides its maps; asking for it loads nothing."""

    def normal_maps(self, train: Sequence[Item]) -> Iterator[ItemMap]:
        """The maps that set a category's threshold: of its normal training items, each as if it were a new image.

        Raises AcbenchError if there are too few.
        """

    def maps(self, items: Sequence[Item], train: Sequence[Item]) -> Iterator[ItemMap]:
        """The maps of items of one category, in their order. `train`: the category's normal training items.

        Raises AcbenchError if the detector cannot be fitted to `train`.
        """
