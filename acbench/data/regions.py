"""Finds the regions of a mask: the square around a defect, its cut-out, and the separate places that are marked.

Masks are bool[H, W], True where anomalous; images are Pillow's. The same mask gives the same regions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

Mask = NDArray[np.bool_]

MAX_COMPONENTS = 8
"""How many components of a mask are told apart, the largest first."""
MAX_GAP = 0.02
"""Parts of a mask with at most this gap, a share of the shorter image edge, are fragments of one defect."""

_TOUCHING = np.ones((3, 3), dtype=np.bool_)
"""8-connectivity: a thin diagonal scratch is one component."""


class Box(NamedTuple):
    """A rectangle in image pixels; `right` and `bottom` are the first column and row after it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def within(self, width: int, height: int) -> Box:
        """The part of the box that lies on an image of that size. Raises ValueError if there is none."""
        part = Box(max(self.left, 0), max(self.top, 0), min(self.right, width), min(self.bottom, height))
        if part.width < 1 or part.height < 1:
            raise ValueError(f"{self} does not meet an image of {width}×{height} pixels")
        return part


def bounds(mask: Mask) -> Box | None:
    """The smallest box around the marked pixels, or None if none is marked."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[top:bottom].any(axis=0))
    return Box(int(columns[0]), top, int(columns[-1]) + 1, bottom)


def square(mask: Mask, *, margin: float = 1.5, least: float = 0.15) -> Box:
    """A square that holds every marked pixel and some of its surroundings.

    Its edge is `margin` times the longer side of the mask's bounds, but at least `least` times the shorter image edge,
    because a defect a few pixels wide means nothing without its surroundings. It is moved, and then shrunk, to stay on
    the image; it passes the border only if the anomaly is longer than the image's shorter edge. If nothing is marked,
    it is the square around the whole image.

    Raises ValueError if `margin` is below 1, because the square would cut the defect off.
    """
    height, width = mask.shape
    return square_around(bounds(mask) or Box(0, 0, width, height), (width, height), margin=margin, least=least)


def square_around(anomaly: Box, size: tuple[int, int], *, margin: float = 1.5, least: float = 0.15) -> Box:
    """The same square around the bounds of an anomaly on an image of that (width, height). Raises ValueError too."""
    if margin < 1:
        raise ValueError(f"a margin of {margin} cuts the defect off: it must be 1 or more")
    width, height = size
    longer, shorter = max(anomaly.width, anomaly.height), min(width, height)
    wanted = math.ceil(max(margin * longer, least * shorter))
    edge = min(wanted, max(longer, shorter))
    left = _placed(anomaly.left, anomaly.right, edge, width)
    top = _placed(anomaly.top, anomaly.bottom, edge, height)
    return Box(left, top, left + edge, top + edge)


def cut(image: Image.Image, box: Box, size: int) -> NDArray[np.uint8]:
    """The part of an image in a box, as uint8[size, size, 3], resized with antialiasing.

    Beyond the border its pixels are repeated. A mirror image looks more natural, but shows the defect twice. Raises
    ValueError if the box lies beside the image.
    """
    part = box.within(*image.size)
    fit = _fit(box, part, size)
    # Pillow copies even if there is nothing to do, and copying a large image takes as long as resizing it.
    colours = image if image.mode == "RGB" else image.convert("RGB")
    inside = colours if part == (0, 0, *image.size) else colours.crop(part)
    pixels = inside.resize((fit.width, fit.height), Image.Resampling.BICUBIC)
    return np.pad(np.asarray(pixels), (*_around(fit, size), (0, 0)), mode="edge")


def cut_mask(mask: Mask, box: Box, size: int) -> NDArray[np.float32]:
    """The part of a mask in a box, as float32[size, size]: the share of each pixel that is marked, 0 beyond the border.

    It lies exactly on `cut` of the same box. Raises ValueError if the box lies beside the mask.
    """
    height, width = mask.shape
    part = box.within(width, height)
    fit = _fit(box, part, size)
    inside = Image.fromarray(mask[part.top : part.bottom, part.left : part.right].astype(np.float32))
    # BOX averages areas, so that its result is the marked share itself, without the ringing of smoother filters.
    share = np.asarray(inside.resize((fit.width, fit.height), Image.Resampling.BOX)).clip(0, 1)
    return np.pad(share, _around(fit, size))


def components(mask: Mask, *, least: float = 1e-5) -> list[Mask]:
    """The separate places that a mask marks, each bool[H, W], the largest first, at most `MAX_COMPONENTS`.

    Pixels that touch, even at a corner, belong together, and so do parts with at most `MAX_GAP` between them. A place
    smaller than `least` of the image's area is an artefact of resizing and left out, unless all places are that small.
    """
    box = bounds(mask)
    if box is None:
        return []
    window = np.s_[box.top : box.bottom, box.left : box.right]
    inside = np.asarray(mask[window], dtype=np.bool_)
    # Parts grown by half the gap touch their neighbours. The window is enough: parts that meet, meet inside it.
    reach = round(MAX_GAP * min(mask.shape) / 2)
    grown = ndimage.maximum_filter(inside, size=2 * reach + 1, mode="constant") if reach else inside
    numbers, count = ndimage.label(grown, structure=_TOUCHING)
    numbers[~inside] = 0
    areas = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    by_area = np.argsort(-areas, kind="stable")  # places of equal area stay in reading order
    kept = [index for index in by_area if areas[index] >= least * mask.size] or list(by_area)
    places = []
    for index in kept[:MAX_COMPONENTS]:
        place = np.zeros(mask.shape, dtype=np.bool_)
        place[window] = numbers == index + 1
        places.append(place)
    return places


def longest_extent(mask: Mask) -> float:
    """The longest distance across the marked pixels, in pixels, to 0.1 %; 0 if nothing is marked."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return 0.0
    inside = mask[rows]
    left = inside.argmax(axis=1)
    right = mask.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    # The widest pair of points is among the ends of rows, and its distance is its extent along its own direction.
    columns, rows = np.concatenate([left, right]), np.concatenate([rows, rows])
    angles = np.radians(np.arange(0, 180, 2))
    along = np.outer(np.cos(angles), columns) + np.outer(np.sin(angles), rows)
    return float((along.max(axis=1) - along.min(axis=1)).max()) + 1


def _placed(start: int, end: int, edge: int, length: int) -> int:
    """The start of a stretch of `edge` around start..end, moved to lie on 0..length, or centred if it is longer."""
    if edge > length:
        return (length - edge) // 2
    return min(max((start + end - edge) // 2, 0), length - edge)


def _fit(box: Box, part: Box, size: int) -> Box:
    """The place of `part` in its box, once the box is `size` pixels wide and high; at least one pixel each way.

    To scale first and pad afterwards keeps the work small for an image one pixel high and a million wide.
    """

    def scaled(start: int, end: int, origin: int, length: int) -> tuple[int, int]:
        first = min(round((start - origin) * size / length), size - 1)
        return first, max(round((end - origin) * size / length), first + 1)

    left, right = scaled(part.left, part.right, box.left, box.width)
    top, bottom = scaled(part.top, part.bottom, box.top, box.height)
    return Box(left, top, right, bottom)


def _around(fit: Box, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The padding from `fit` to size×size, as `numpy.pad` takes it."""
    return (fit.top, size - fit.bottom), (fit.left, size - fit.right)
