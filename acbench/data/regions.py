"""Where the defect is: the square around it, its close-up, and the separate places that a mask marks.

Masks are bool[H, W], True where anomalous; images are Pillow's. Nothing here opens a file or draws at random:
the same mask gives the same regions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

Mask = NDArray[np.bool_]

MOST = 8
"""So many components are told apart; the larger ones come first."""
NEAR = 0.02
"""Parts of a mask no further apart than this share of the shorter image edge are fragments of one defect."""

_TOUCHING = np.ones((3, 3), dtype=np.bool_)
"""8-connectivity: a thin diagonal scratch is one component."""


class Box(NamedTuple):
    """A rectangle in image pixels; `right` and `bottom` are the first column and row past it."""

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
        """The part of it on an image of that size. Raises ValueError if there is none."""
        part = Box(max(self.left, 0), max(self.top, 0), min(self.right, width), min(self.bottom, height))
        if part.width < 1 or part.height < 1:
            raise ValueError(f"{self} does not meet an image of {width}×{height} pixels")
        return part


def bounds(mask: Mask) -> Box | None:
    """The smallest box around the marked pixels, or None if none is marked."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def square(mask: Mask, *, margin: float = 1.5, least: float = 0.15) -> Box:
    """A square that holds every marked pixel, with some of what surrounds them.

    Its edge is `margin` times the longer side of the mask's bounds, but at least `least` times the shorter
    image edge, since a defect a few pixels wide means nothing without its surroundings. It is moved, then
    shrunk, to stay on the image: past the border there is nothing to see. So it reaches over the border only
    where the mask is longer than the image's shorter edge. Without a marked pixel it is the square around the
    whole image.

    Raises ValueError if `margin` is below 1: the square would cut the defect off.
    """
    if margin < 1:
        raise ValueError(f"a margin of {margin} cuts the defect off: it must be 1 or more")
    height, width = mask.shape
    found = bounds(mask) or Box(0, 0, width, height)
    longer, shorter = max(found.width, found.height), min(width, height)
    wanted = math.ceil(max(margin * longer, least * shorter))
    edge = min(wanted, max(longer, shorter))
    left = _placed(found.left, found.right, edge, width)
    top = _placed(found.top, found.bottom, edge, height)
    return Box(left, top, left + edge, top + edge)


def cut(image: Image.Image, box: Box, size: int) -> NDArray[np.uint8]:
    """The box of an image, as uint8[size, size, 3], resized with antialiasing.

    Past the border the border's pixels are repeated. A mirror image would look more natural, and would show
    the defect twice. Raises ValueError if the box lies beside the image.
    """
    part = box.within(*image.size)
    fit = _fit(box, part, size)
    # Pillow copies even where nothing is to be done, and a copy of a large picture takes as long as resizing it.
    colours = image if image.mode == "RGB" else image.convert("RGB")
    inside = colours if part == (0, 0, *image.size) else colours.crop(part)
    pixels = inside.resize((fit.width, fit.height), Image.Resampling.BICUBIC)
    return np.pad(np.asarray(pixels), (*_around(fit, size), (0, 0)), mode="edge")


def cut_mask(mask: Mask, box: Box, size: int) -> NDArray[np.float32]:
    """The box of a mask, as float32[size, size]: the share of each pixel that is marked, 0 past the border.

    Lies exactly on `cut` of the same box. Raises ValueError if the box lies beside the mask.
    """
    height, width = mask.shape
    part = box.within(width, height)
    fit = _fit(box, part, size)
    inside = Image.fromarray(mask[part.top : part.bottom, part.left : part.right].astype(np.float32))
    # BOX averages areas: what it gives is the covered share itself, without the ringing of smoother filters
    share = np.asarray(inside.resize((fit.width, fit.height), Image.Resampling.BOX)).clip(0, 1)
    return np.pad(share, _around(fit, size))


def components(mask: Mask, *, least: float = 1e-5) -> list[Mask]:
    """The separate places that a mask marks, each bool[H, W], the largest first, at most `MOST`.

    Pixels that touch, corners included, belong together, and so do parts with no more than `NEAR` between them.
    A place smaller than `least` of the image's area is an artefact of resizing and dropped, unless all are.
    """
    found = bounds(mask)
    if found is None:
        return []
    window = np.s_[found.top : found.bottom, found.left : found.right]
    inside = np.asarray(mask[window], dtype=np.bool_)
    # Grown by half the gap, neighbours touch. Outside the bounds no two can meet that do not meet within.
    reach = round(NEAR * min(mask.shape) / 2)
    grown = ndimage.maximum_filter(inside, size=2 * reach + 1, mode="constant") if reach else inside
    numbers, count = ndimage.label(grown, structure=_TOUCHING)
    numbers[~inside] = 0
    areas = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-areas, kind="stable")  # equal ones in reading order
    seen = [index for index in order if areas[index] >= least * mask.size] or list(order)
    places = []
    for index in seen[:MOST]:
        place = np.zeros(mask.shape, dtype=np.bool_)
        place[window] = numbers == index + 1
        places.append(place)
    return places


def _placed(start: int, end: int, edge: int, length: int) -> int:
    """Where a stretch of `edge` begins: around start..end, moved to lie on 0..length, centred if too long."""
    if edge > length:
        return (length - edge) // 2
    return min(max((start + end - edge) // 2, 0), length - edge)


def _fit(box: Box, part: Box, size: int) -> Box:
    """Where `part` of the box lies once the box is `size` pixels wide and high; never less than a pixel.

    Scaling first and padding then keeps the work small for a picture one pixel high and a million wide.
    """

    def scaled(start: int, end: int, origin: int, length: int) -> tuple[int, int]:
        first = min(round((start - origin) * size / length), size - 1)
        return first, max(round((end - origin) * size / length), first + 1)

    left, right = scaled(part.left, part.right, box.left, box.width)
    top, bottom = scaled(part.top, part.bottom, box.top, box.height)
    return Box(left, top, right, bottom)


def _around(fit: Box, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The padding that takes `fit` to size×size, as numpy wants it."""
    return (fit.top, size - fit.bottom), (fit.left, size - fit.right)
