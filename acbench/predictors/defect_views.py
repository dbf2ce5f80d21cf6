"""Turns a defect into what classifiers read of it: vectors of an image model at two scales, and numbers of its mask.

The scales are the defect itself and the whole image: one shows what it is made of, the other where it lies. More of
them, such as a crop of 1.5 times its size, made no set at hand better, and each costs a forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acbench.data import regions
from acbench.data.mask_features import describe
from acbench.predictors.models import Embedder, LevelEmbedder
from acbench.storage.vectors import pack_matrix, unpack_matrix

TIGHT = (1.0, 0.07)
"""Margin and least edge of the square around the defect itself: see `regions.square`."""

COLOURS = 112
"""Edge of the square of 1.5 times the defect's size whose colours are measured, pixels."""

Vector = NDArray[np.float32]


class Crop(NamedTuple):
    """A square of an image."""

    pixels: NDArray[np.uint8]
    """(S, S, 3)."""
    area: NDArray[np.float32]
    """(S, S): the share of each pixel that is marked."""


class Glance(NamedTuple):
    """What is to be seen of one defect, before an image model has looked at it."""

    crops: tuple[Crop, ...]
    """One for each scale."""
    numbers: tuple[Vector, ...]
    """Groups of numbers of the mask and of the colours under it."""


class Views(NamedTuple):
    """What is known of one defect."""

    appearance: tuple[Vector, ...]
    """What the image model sees at each scale and level."""
    numbers: tuple[Vector, ...]
    """Groups of numbers of the mask and of the colours under it."""

    @property
    def direction(self) -> Vector:
        """One vector for comparing by cosine: the appearance, where each part counts the same."""
        return np.concatenate([part / max(float(np.linalg.norm(part)), 1e-12) for part in self.appearance])

    @property
    def row(self) -> Vector:
        """All of it in one vector, after the sizes of its parts; `from_row` reads it."""
        sizes = [len(part) for part in (*self.appearance, *self.numbers)]
        head = np.array([len(self.appearance), len(sizes), *sizes], dtype=np.float32)
        return np.concatenate([head, *self.appearance, *self.numbers])


def from_row(row: Vector) -> Views:
    """What a `row` of `Views` holds."""
    appearance, parts = (int(count) for count in row[:2])
    ends = np.cumsum(row[2 : 2 + parts].astype(int))
    vectors = np.split(row[2 + parts :], ends[:-1])
    return Views(tuple(vectors[:appearance]), tuple(vectors[appearance:]))


def crop(image: Image.Image, mask: regions.Mask, box: regions.Box, size: int) -> Crop:
    """The square `box` of an image and of its mask, `size` pixels wide."""
    return Crop(regions.cut(image, box, size), regions.cut_mask(mask, box, size))


def whole(image: Image.Image, mask: regions.Mask, size: int) -> Crop:
    """The square around the whole image."""
    return crop(image, mask, regions.square(np.zeros_like(mask)), size)


def glance(image: Image.Image, mask: regions.Mask, size: int) -> Glance:
    """What is to be seen of what `mask`, bool[H, W], marks on an RGB image, for a model of that input size."""
    margin, least = TIGHT
    tight = crop(image, mask, regions.square(mask, margin=margin, least=least), size)
    around = crop(image, mask, regions.square(mask), COLOURS)
    return Glance((tight, whole(image, mask, size)), tuple(describe(image, mask, around.pixels, around.area)))


def appearances(embedder: Embedder, crops: Sequence[Sequence[Crop]]) -> list[tuple[Vector, ...]]:
    """What the model sees of each defect at each scale and level. `crops`: one for each scale of each defect."""
    flat = [crop for scales in crops for crop in scales]
    pixels, areas = [crop.pixels for crop in flat], [crop.area for crop in flat]
    levels = embedder.levels(pixels, areas) if isinstance(embedder, LevelEmbedder) else [embedder.embed(pixels, areas)]
    each = len(flat) // len(crops)
    return [
        tuple(level[first + scale] for scale in range(each) for level in levels) for first in range(0, len(flat), each)
    ]


def views(embedder: Embedder, glances: Sequence[Glance]) -> list[Views]:
    """What is known of each defect."""
    seen = appearances(embedder, [each.crops for each in glances])
    return [Views(appearance, each.numbers) for appearance, each in zip(seen, glances, strict=True)]


def pack(defects: Sequence[Views]) -> bytes:
    """The bytes of defects whose vectors have the same sizes."""
    return pack_matrix(np.stack([defect.row for defect in defects]))


def unpack(data: bytes) -> list[Views]:
    """The defects that `pack` packed."""
    return [from_row(row) for row in unpack_matrix(data)]
