"""Draws masks from what annotation files write in their place: polygons, run lengths and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VERSION = 1
"""Raise it when the same shapes give another mask, so that masks that are there are drawn anew."""
MAX_PIXELS = 100_000_000
"""A larger mask is not drawn."""
MOST = 10_000
"""A mask of more shapes is not drawn."""
MAX_POINTS = 1_000_000
"""Numbers of one polygon."""
FOLDER = "_masks"
"""Folder, beside the images, of masks that were drawn."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A mask to draw."""

    shapes: Sequence[Any]
    """As COCO writes them: a list of polygons (x, y, x, y, …), or run lengths (`counts` and `size`), or, as a tuple,
    a box (left, top, right, bottom)."""
    image: str
    """Path of the image."""
    size: tuple[int, int] = (0, 0)
    """Width and height, pixels; 0 if the annotations do not tell."""
    relative: bool = False
    """Whether polygons and boxes are shares of the image's width and height."""


def mask_path(image: str) -> str:
    """Path of the mask that is drawn for an image."""
    return f"{FOLDER}/{image}.png"


def draw(shapes: Sequence[Any], size: tuple[int, int], *, relative: bool = False) -> NDArray[np.bool_]:
    """What shapes mark on an image of that (width, height), as bool[H, W]. Raises ValueError for a shape that is none.

    A pixel is marked if it lies in a polygon, or on its edge. With `relative`, numbers are shares of width and height.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    width, height = size
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise ValueError(f"an image of {width}×{height} pixels has no mask")
    if len(shapes) > MOST:
        raise ValueError(f"{len(shapes):,} shapes are not drawn")
    marked = np.zeros((height, width), dtype=np.bool_)
    page = Image.new("1", size)
    pen = ImageDraw.Draw(page)
    across, down = (width, height) if relative else (1, 1)
    for shape in shapes:
        if isinstance(shape, dict):
            marked |= _unpacked(shape, size)
        elif isinstance(shape, tuple):
            left, right = shape[0] * across, shape[2] * across
            top, bottom = shape[1] * down, shape[3] * down
            pen.rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), fill=1)
        else:
            for polygon in shape:
                pen.polygon(_points(polygon, across, down), fill=1, outline=1)
    return np.asarray(marked | np.asarray(page), dtype=np.bool_)


def _points(polygon: Any, across: int, down: int) -> list[float]:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2 or len(polygon) > MAX_POINTS:
        raise ValueError("a polygon has at least three points of two numbers")
    scale = (across, down)
    return [min(max(float(number) * scale[index % 2], -1e6), 1e6) for index, number in enumerate(polygon)]


def _unpacked(shape: dict[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Run lengths as bool[H, W]. They go down the columns, and begin with what is not marked."""
    import numpy as np

    width, height = size
    if list(shape.get("size", ())) != [height, width]:
        raise ValueError(f"run lengths of {shape.get('size')} on an image of {height}×{width}")
    counts = shape.get("counts")
    runs = _inflated(counts) if isinstance(counts, str) else [int(count) for count in counts or ()]
    if any(run < 0 for run in runs) or sum(runs) != width * height:
        raise ValueError("the run lengths are not those of the image")
    values = np.arange(len(runs)) % 2 == 1
    return np.asarray(np.repeat(values, runs).reshape(width, height).T, dtype=np.bool_)


def _inflated(text: str) -> list[int]:
    """Run lengths from COCO's text: six bits a character, differences from the run before the last."""
    runs: list[int] = []
    place = 0
    while place < len(text):
        value = shift = 0
        more = True
        while more:
            if place >= len(text) or shift > 60:
                raise ValueError("the run lengths are cut off")
            bits = ord(text[place]) - 48
            value |= (bits & 31) << shift
            more, shift, place = bool(bits & 32), shift + 5, place + 1
            if not more and bits & 16:
                value |= -1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs
