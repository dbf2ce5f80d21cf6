"""Reads what a mask marks, and says which masks cannot be used, from their pixels alone.

`MaskContent` is a few numbers that ingest keeps of each mask, so that its pixels are looked at once. `fault` judges
them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

NOISE = 2
"""Pixels of at most this many grey levels (of 255) may be noise; real indexed masks use these values too."""
LEAST = 20
"""Fewer pixels of so few levels are never called noise."""
EDGE = 4
"""Pixels around what is clearly marked in which low levels are its smooth edge."""
PARTS, DENSE = 50, 0.05
"""Noise falls into at least so many parts, or covers at least this share of the image: a thin scratch does neither."""
WHOLE, MOST, BORDER = 0.95, 0.5, 0.95
"""A mask points at no place if it marks WHOLE of the image, or MOST of it with BORDER of the image's outermost pixels.
Of the 182 masks of MVTec-AD's bottle and screw, the largest marks 27 %."""

TINY = 4096
"""Pixels of a mask that is looked at as a whole."""

_ALPHA = frozenset({"RGBA", "LA", "La", "PA", "RGBa"})
"""Pillow's modes whose last channel is transparency."""
_ONE_NUMBER = frozenset({"1", "L", "P"})
"""Pillow's modes in which a pixel is one number, and black is 0."""


class MaskContent(NamedTuple):
    """What is known of the pixels of a mask."""

    marked: int
    """Pixels that count as marked."""
    border: float
    """Share of the outermost pixels of the image that is marked."""
    noise: int = 0
    """Pixels that are not 0 and do not count, since they are noise."""
    alpha: int = 0
    """Pixels that are not transparent, if the colours mark nothing or everything; otherwise 0."""


class MaskFault(NamedTuple):
    """What is wrong with a mask."""

    kind: str
    """The kind of a finding."""
    detail: str
    hint: str
    usable: bool
    """Whether what is left of the mask can be used."""


def marked_pixels(mask: Image.Image) -> NDArray[np.bool_]:
    """What a decoded mask marks, as bool[H, W].

    Every pixel that is not 0 is marked: masks are black and white, grey, or indexed by the kind of defect. Transparency
    is ignored, and so is noise: scattered pixels of one or two grey levels.
    """
    return _split(mask)[0]


def content(mask: Image.Image) -> MaskContent:
    """What is known of the pixels of a decoded mask."""
    import numpy as np

    if mask.mode in _ONE_NUMBER and (found := _of_part(mask)) is not None:
        return found
    marked, noise = _split(mask)
    count = int(np.count_nonzero(marked))
    alpha = 0
    if mask.mode in _ALPHA and count in (0, marked.size):
        opaque = int(np.count_nonzero(np.asarray(mask)[..., -1]))
        alpha = opaque if opaque < marked.size else 0
    around = (marked[0], marked[-1], marked[1:-1, 0], marked[1:-1, -1])
    return MaskContent(count, _share(map(np.count_nonzero, around), mask.size), noise, alpha)


def _of_part(mask: Image.Image) -> MaskContent | None:
    """As `content`, by looking at the part that is not black alone: it is small in most. None if some may be noise."""
    import numpy as np

    is_tiny = mask.width * mask.height <= TINY
    box = (0, 0, *mask.size) if is_tiny else mask.getbbox()
    if box is None:
        return MaskContent(0, 0.0)
    part = np.asarray(mask if is_tiny else mask.crop(box))
    count = int(np.count_nonzero(part))
    if mask.mode == "L" and count - np.count_nonzero(part > NOISE) >= LEAST:
        return None
    (width, height), (left, top, right, bottom) = mask.size, box
    first, last = part[: top == 0], part[len(part) - (bottom == height) :]
    between = part[len(first) : len(part) - len(last)]
    sides = between[:, : left == 0], between[:, part.shape[1] - (right == width) :]
    return MaskContent(count, _share(map(np.count_nonzero, (first, last, *sides)), mask.size))


def _share(marked: Iterable[int], size: tuple[int, int]) -> float:
    """What share of the outermost pixels of an image is marked: of the first and last row, and what lies between."""
    width, height = size
    return round(float(sum(marked) / (2 * (width + max(height - 2, 0)))), 4)


def fault(mask: MaskContent, pixels: int) -> MaskFault | None:
    """What is wrong with the mask of an anomalous image that has that many pixels; None if nothing is."""
    share = mask.marked / pixels
    if mask.alpha:
        colours = "nothing" if not mask.marked else "everything"
        detail = f"its colours mark {colours}, its alpha channel {_counted(mask.alpha, pixels)}: it is not used"
        return MaskFault("mask_in_alpha", detail, "save what is marked as a black and white PNG", usable=False)
    if not mask.marked:
        noise = f"nothing but noise of 1 or {NOISE} grey levels, {_counted(mask.noise, pixels)}"
        only = noise if mask.noise else "nothing"
        detail = f"it marks {only}: it is not used"
        hint = "without a mask, nothing can point at the defect: see where it came from"
        return MaskFault("noisy_mask" if mask.noise else "empty_mask", detail, hint, usable=False)
    if share >= WHOLE or (share > MOST and mask.border >= BORDER):
        detail = f"it marks {share:.1%} of the image and {mask.border:.0%} of its border: it is not used"
        hint = "if black and white are swapped, invert it; a mask of the whole image points at no place"
        return MaskFault("inverted_mask", detail, hint, usable=False)
    if mask.noise:
        noise = f"noise of 1 or {NOISE} grey levels, {_counted(mask.noise, pixels)}"
        detail = f"it holds {noise}, which does not count; {_counted(mask.marked, pixels)} do"
        return MaskFault("noisy_mask", detail, "a copy in black and white, without the noise, would say the same", True)
    return None


def _counted(count: int, pixels: int) -> str:
    share = f"{count / pixels:.1%}" if count >= pixels / 1000 else "less than 0.1%"
    return f"{count:,} pixel{'s' if count > 1 else ''} ({share})"


def _split(mask: Image.Image) -> tuple[NDArray[np.bool_], int]:
    """What is marked, bool[H, W], and how many pixels are noise."""
    import numpy as np

    pixels = np.asarray(mask)
    if pixels.ndim == 3:
        pixels = (pixels[..., :-1] if mask.mode in _ALPHA else pixels).max(axis=2)
    marked: NDArray[np.bool_] = np.asarray(pixels != 0, dtype=np.bool_)
    if pixels.dtype != np.uint8 or mask.mode in {"P", "PA"}:
        return marked, 0
    clear = pixels > NOISE
    low = int(np.count_nonzero(marked)) - int(np.count_nonzero(clear))
    if low < LEAST or not _is_noise(marked & ~clear, clear, low, brightest=int(pixels.max())):
        return marked, 0
    return clear, low


def _is_noise(low: NDArray[np.bool_], clear: NDArray[np.bool_], count: int, *, brightest: int) -> bool:
    """Whether the pixels of few levels are noise; `count` is their number, `clear` are those of more levels."""
    import numpy as np

    rows, columns = np.flatnonzero(clear.any(axis=1)), np.flatnonzero(clear.any(axis=0))
    if rows.size:
        near = np.s_[max(rows[0] - EDGE, 0) : rows[-1] + EDGE + 1, max(columns[0] - EDGE, 0) : columns[-1] + EDGE + 1]
        if count - np.count_nonzero(low[near]) < LEAST:
            return False
        if count > MOST * low.size and brightest >= 128:  # a background that is not quite black
            return True
    edges = np.count_nonzero(low[1:] != low[:-1]) + np.count_nonzero(low[:, 1:] != low[:, :-1])
    if edges < count:  # an area has fewer edges than pixels
        return False
    if count >= DENSE * low.size:
        return True
    from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]  # late: few masks need it

    return int(ndimage.label(low, structure=np.ones((3, 3)))[1]) >= PARTS
