"""Maps of how anomalous each place of a picture is: computed by PatchCore, or read from somebody else's files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acbench._util.prefetch import ahead
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError, ImageError
from acbench.predictors.base import BaselineSetup, PatchModel, VectorCache
from acbench.predictors.detection import patchcore
from acbench.records import Item
from acbench.storage.digests import digest
from acbench.storage.files import FileTree

T = TypeVar("T")
Map = NDArray[np.float32]
"""(h, w), any size: larger is more anomalous."""

LEAST = 5
"""Normal pictures of training that a category has to have."""
HELD_OUT = 5
"""Every so manieth of them is kept out of the bank, to see what normal pictures score."""
CHUNK = 32
"""Pictures looked at, and then kept, at a time."""
MAX_SIDE = 8192
"""Of a map in a file, pixels."""
SUFFIXES = (".npy", ".tiff", ".tif", ".png")


class Maps(Protocol):
    """A vision expert."""

    @property
    def name(self) -> str:
        """With everything that decides its maps, and nothing loaded for it."""

    def normal(self, train: Sequence[Item]) -> list[Item]:
        """Which of a category's normal training pictures say what normal ones score."""

    def of(self, items: Sequence[Item], train: Sequence[Item]) -> Iterator[tuple[Item, Map | str]]:
        """The map of each item of one category, or why there is none, in the items' order."""


@dataclass
class PatchCoreMaps:
    """PatchCore on a frozen model. Banks and maps are kept, so that a killed run goes on where it was."""

    images: ImageReader
    model: PatchModel
    cache: VectorCache
    _failed: dict[str, str] = field(default_factory=dict)
    _fitted: tuple[Sequence[Item], patchcore.Bank] | None = None
    """The last bank, and what it was made of: categories come one after the other."""

    @cached_property
    def name(self) -> str:
        return f"patchcore:{self.model.name}:{digest(1, patchcore.SHARE, patchcore.LEAST, HELD_OUT, length=8)}"

    def normal(self, train: Sequence[Item]) -> list[Item]:
        """Those held out of the bank. Raises AcbenchError if there are too few."""
        if len(train) < LEAST:
            category = train[0].category if train else "the category"
            raise AcbenchError(
                f"{category} has {len(train)} normal training images, patchcore needs {LEAST}",
                "give the whole dataset, or maps of your own: --detector heatmaps:FOLDER",
            )
        return list(train[::HELD_OUT])

    def of(self, items: Sequence[Item], train: Sequence[Item]) -> Iterator[tuple[Item, Map | str]]:
        held = {item.item_id for item in self.normal(train)}
        bank_items = [item for item in train if item.item_id not in held]
        keys = {item.item_id: self._key(item, bank_items) for item in items}
        for chunk in chunks(items, CHUNK):
            kept = self.cache.load([keys[item.item_id] for item in chunk])
            todo = [item for item in chunk if keys[item.item_id] not in kept]
            for item, rows in self._features(todo, flat=False):
                found = self._bank(bank_items).heatmap(rows)
                kept[keys[item.item_id]] = np.array(found.shape, np.float32).tobytes() + found.tobytes()
                self.cache.save([(keys[item.item_id], kept[keys[item.item_id]])])
            for item in chunk:
                key = keys[item.item_id]
                yield item, _unpacked(kept[key]) if key in kept else self._failed[item.item_id]

    def _bank(self, items: Sequence[Item]) -> patchcore.Bank:
        if self._fitted is None or self._fitted[0] != items:
            key = digest(self.name, "bank", [each.sha256 for each in items], length=32)
            kept = self.cache.load([key])
            if not kept:
                rows = np.concatenate([rows for _, rows in self._features(items)])
                patches = patchcore.fit(rows[:, None, None]).patches
                kept[key] = np.array(patches.shape, np.float32).tobytes() + patches.tobytes()
                self.cache.save(kept.items())
            self._fitted = items, patchcore.Bank(_unpacked(kept[key]))
        return self._fitted[1]

    def _features(self, items: Sequence[Item], flat: bool = True) -> Iterator[tuple[Item, NDArray[np.float32]]]:
        """(h, w, D) of each picture that can be read, or its patches as (h·w, D)."""
        drawn = ahead(self._picture, items, workers=2, most=2 * CHUNK)
        for part in chunks(zip(items, drawn, strict=True), CHUNK):
            there = [(item, picture) for item, picture in part if not isinstance(picture, str)]
            self._failed |= {item.item_id: why for item, why in part if isinstance(why, str)}
            if there:
                found = self.model.features([picture for _, picture in there])
                for (item, _), rows in zip(there, found, strict=True):
                    yield item, rows.reshape(-1, rows.shape[-1]) if flat else rows

    def _picture(self, item: Item) -> NDArray[np.uint8] | str:
        if item.problem:
            return item.problem
        try:
            image = self.images.image(item.image)
        except AcbenchError as error:
            return error.message
        return np.asarray(image.resize((self.model.size, self.model.size), Image.Resampling.BICUBIC))

    def _key(self, item: Item, bank: Sequence[Item]) -> str:
        return digest(self.name, [each.sha256 for each in bank], item.sha256, length=32)


@dataclass
class HeatmapFiles:
    """Maps that somebody else computed: a folder with the dataset's own paths, as .npy, .tiff or .png.

    `bottle/test/broken_large/000.png` has its map in `bottle/test/broken_large/000.npy` (or .tiff, .png) of the folder.
    Normal training pictures need maps too: they alone set the gate's threshold.
    """

    folder: Path

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise AcbenchError(f"there is no folder {self.folder}", "--detector heatmaps:FOLDER")

    @cached_property
    def name(self) -> str:
        """Of the folder's content: path, size and time of each file."""
        files = sorted(path for path in self.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        seen = [
            (path.relative_to(self.folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files
        ]
        return f"heatmaps:{self.folder.name}:{digest(seen, length=8)}"

    def normal(self, train: Sequence[Item]) -> list[Item]:
        """Those with a map. Raises AcbenchError if they are too few."""
        there = [item for item in train if self._file(item)]
        if len(there) < LEAST:
            category = train[0].category if train else "the category"
            raise AcbenchError(
                f"{self.folder} has maps of {len(there)} normal training images of {category}, {LEAST} are needed",
                f"they set the threshold; a map lies at {category}/train/good/000.npy, for instance",
            )
        return there

    def of(self, items: Sequence[Item], train: Sequence[Item]) -> Iterator[tuple[Item, Map | str]]:
        for item in items:
            path = self._file(item)
            try:
                yield item, read_map(path, self.folder) if path else f"{self.folder} has no map of {item.image}"
            except AcbenchError as error:
                yield item, error.message

    def _file(self, item: Item) -> str | None:
        stem = item.image.rpartition(".")[0]
        return next((stem + suffix for suffix in SUFFIXES if (self.folder / (stem + suffix)).is_file()), None)


def read_map(path: str, folder: Path) -> Map:
    """One map as float32 (h, w). Raises ImageError unless it is one finite number a pixel."""
    try:
        data = FileTree(folder).read(path)
        if path.endswith(".npy"):
            found = np.load(io.BytesIO(data), allow_pickle=False)
        else:
            with Image.open(io.BytesIO(data), formats=["PNG", "TIFF"]) as image:
                if max(image.size) > MAX_SIDE:
                    raise ImageError(f"{path}: {image.width}×{image.height} pixels", f"at most {MAX_SIDE} a side")
                found = np.asarray(image)
    except AcbenchError as error:
        raise ImageError(f"{path}: {error.message.removeprefix(f'{path}: ')}", error.hint) from None
    except Exception as error:  # a damaged file can raise almost anything
        raise ImageError(f"{path} is no readable map: {' '.join(str(error).split())[:200]}", "write it again") from None
    if found.ndim == 3 and 1 in found.shape:  # a channel or a batch of one
        found = found.squeeze(found.shape.index(1))
    if found.ndim != 2 or not found.size or max(found.shape) > MAX_SIDE or found.dtype.kind not in "fiub":
        raise ImageError(f"{path} has the shape {found.shape} of {found.dtype}", "one number a pixel: (height, width)")
    values: Map = found.astype(np.float32)
    if not np.isfinite(values).all():
        raise ImageError(f"{path} holds numbers that are not finite", "write it again")
    return values


def maps(setup: BaselineSetup) -> Maps:
    """The vision expert that was chosen. Raises AcbenchError for an unknown one."""
    kind, _, argument = setup.options.detector.partition(":")
    if kind == "patchcore" and not argument:
        return PatchCoreMaps(setup.images, setup.models.patches(), setup.vectors)
    if kind == "heatmaps" and argument:
        return HeatmapFiles(Path(argument))
    raise AcbenchError(
        f"there is no detector {setup.options.detector!r}", "--detector patchcore, heatmaps:FOLDER, oracle or none"
    )


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """So many at a time."""
    stream = iter(values)
    while chunk := list(islice(stream, size)):
        yield chunk


def _unpacked(data: bytes) -> Map:
    flat = np.frombuffer(data, dtype=np.float32)
    return flat[2:].reshape(int(flat[0]), int(flat[1]))
