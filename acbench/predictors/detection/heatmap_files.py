"""The detector `heatmaps:FOLDER`: maps that another program computed, one file an image."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acbench.errors import AcbenchError, ImageError
from acbench.predictors.detection.maps import MIN_NORMAL, AnomalyMap, ItemMap
from acbench.records import Item
from acbench.storage.digests import digest
from acbench.storage.files import FileTree

MAX_SIDE = 8192
"""Width and height of a map in a file, pixels, at most."""
SUFFIXES = (".npy", ".tiff", ".tif", ".png")


@dataclass
class HeatmapFolder:
    """Maps in a folder that has the dataset's own paths, as .npy, .tiff or .png.

    The map of `bottle/test/broken_large/000.png` is `bottle/test/broken_large/000.npy` (or .tiff, .tif, .png) in the
    folder. Normal training images need maps too: they alone set the threshold.
    """

    folder: Path

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise AcbenchError(f"there is no folder {self.folder}", "--detector heatmaps:FOLDER")

    @cached_property
    def name(self) -> str:
        """The folder's name, and a hash of the path, size and time of each map."""
        files = sorted(path for path in self.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        stats = [
            (path.relative_to(self.folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files
        ]
        return f"heatmaps:{self.folder.name}:{digest(stats, length=8)}"

    def normal_maps(self, train: Sequence[Item]) -> Iterator[ItemMap]:
        """The maps of the items that have one. Raises AcbenchError if there are too few."""
        mapped = [item for item in train if self._path(item)]
        if len(mapped) < MIN_NORMAL:
            category = train[0].category if train else "the category"
            count = f"{len(mapped)} normal training images of {category}"
            raise AcbenchError(
                f"{self.folder} has maps of {count}, {MIN_NORMAL} are needed",
                f"they set the threshold; a map lies at {category}/train/good/000.npy, for instance",
            )
        return map(self._map, mapped)

    def maps(self, items: Sequence[Item], train: Sequence[Item]) -> Iterator[ItemMap]:
        return map(self._map, items)

    def _map(self, item: Item) -> ItemMap:
        path = self._path(item)
        if path is None:
            return ItemMap(item, None, f"{self.folder} has no map of {item.image}")
        try:
            return ItemMap(item, read_map(path, self.folder))
        except AcbenchError as error:
            return ItemMap(item, None, error.message)

    def _path(self, item: Item) -> str | None:
        """The path of an item's map in the folder; None if there is no such file."""
        stem = item.image.rpartition(".")[0]
        return next((stem + suffix for suffix in SUFFIXES if (self.folder / (stem + suffix)).is_file()), None)


def read_map(path: str, folder: Path) -> AnomalyMap:
    """A map as float32 (h, w). Raises ImageError unless the file holds one finite number a pixel."""
    try:
        values = _values(path, FileTree(folder).read(path))
    except AcbenchError as error:
        raise ImageError(f"{path}: {error.message.removeprefix(f'{path}: ')}", error.hint) from None
    except Exception as error:  # a damaged file can raise almost anything
        raise ImageError(f"{path} is no readable map: {' '.join(str(error).split())[:200]}", "write it again") from None
    if values.ndim == 3 and 1 in values.shape:  # one channel, or a batch of one
        values = values.squeeze(values.shape.index(1))
    if values.ndim != 2 or not values.size or max(values.shape) > MAX_SIDE or values.dtype.kind not in "fiub":
        raise ImageError(
            f"{path} has the shape {values.shape} of {values.dtype}", "one number a pixel: (height, width)"
        )
    heatmap: AnomalyMap = values.astype(np.float32)
    if not np.isfinite(heatmap).all():
        raise ImageError(f"{path} holds numbers that are not finite", "write it again")
    return heatmap


def _values(path: str, data: bytes) -> NDArray[Any]:
    """The array in a file, of whatever shape and type."""
    if path.endswith(".npy"):
        values: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
        return values
    with Image.open(io.BytesIO(data), formats=["PNG", "TIFF"]) as image:
        if max(image.size) > MAX_SIDE:
            raise ImageError(f"{path}: {image.width}×{image.height} pixels", f"at most {MAX_SIDE} a side")
        return np.asarray(image)
