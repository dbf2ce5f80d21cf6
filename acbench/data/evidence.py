"""The picture that a person decides by: the whole image, the defect close up, a normal image beside them.

Images are Pillow's, as `imaging.open_image` gives them; other modes are converted, and transparency is
dropped. Masks are bool[H, W] of the image's size, True where anomalous. The same arguments give the same
pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

from acbench.data import text as lettering
from acbench.data.regions import MOST, Box, Mask, bounds, components, square

PANEL = 448
"""Height of a panel, in pixels: three of them fit on a screen."""

_NARROWEST, _WIDEST = 0.6, 1.6
"""Aspects of a panel. VisA's images are 1.5; one that is longer still gets bars."""
_MARGIN, _BETWEEN, _SEAM = 24, 20, 4
"""Around everything; between panels; between the tiles of one panel."""
_TEXT, _CAPTION = 17, 15
"""Sizes of type."""
_LINE = 2
"""Width of the red line on a panel."""

_PAPER, _BARS = (246, 246, 244), (226, 226, 223)
_INK, _FADED = (28, 28, 30), (100, 100, 104)
_RED, _DARK, _WHITE = (255, 24, 24), (16, 0, 0), (255, 255, 255)

Size = tuple[int, int]
"""Width and height, as Pillow has it."""


class _Panel(NamedTuple):
    caption: str
    image: Image.Image
    """`PANEL` high."""


class _Tile(NamedTuple):
    """A place to be seen close up. Boxes are in pixels of the image, the size in pixels of the panel."""

    box: Box
    size: Size
    around: Box
    """The anomaly's bounds, for the corners."""


def picture(
    image: Image.Image,
    mask: Mask | None,
    reference: Image.Image | None,
    *,
    title: str,
    lines: Sequence[str] = (),
) -> Image.Image:
    """All that a person needs to name a defect, in one landscape RGB picture.

    From the left: the whole image with the anomaly outlined; the anomaly close up between four small corners,
    in up to four tiles if it is scattered; `reference`, a normal image of the same category. Without a mask
    there is no close-up; that, and a missing reference, is said in words. Above them stands `title`, below them
    `lines`: look first, then read what others say. Panels begin at the same height in all pictures: nothing
    jumps when one flips through many.

    Raises ValueError if the mask is not of the image's size.
    """
    image = image.convert("RGB")
    if mask is None:
        panels = [_Panel("Whole image; no mask marks a place in it", _shown(image))]
    else:
        _check(image, mask)
        tiles = _tiles(mask, components(mask))
        panels = [
            _Panel(f"Whole image, {_share(mask)} marked", _outlined(image, mask, tiles)),
            _Panel(_zoom(image, tiles), _close_up(image, tiles)),
        ]
    normal = _notice("No normal image to compare with.") if reference is None else _shown(reference)
    return _page([*panels, _Panel("Normal image, to compare", normal)], title, lines)


def contour(image: Image.Image, mask: Mask, *, longest: int | None = None) -> Image.Image:
    """The image with its anomaly outlined, as RGB of its own size, or shrunk to a longer edge of `longest`.

    The line is red with a dark edge, so that it shows on red things too, and it lies outside the anomaly: no
    marked pixel is changed. Its width goes with the size of the result. Raises ValueError if the mask is not
    of the image's size.
    """
    _check(image, mask)
    scale = min(1.0, (longest or max(image.size)) / max(image.size))
    size = _scaled(image.size, scale)
    pixels = _resized(image.convert("RGB"), size)
    _draw(pixels, _marked(mask, size), max(_LINE, round(_LINE * max(size) / PANEL)))
    return Image.fromarray(pixels)


def close_up(image: Image.Image, mask: Mask, *, edge: int = PANEL) -> tuple[Image.Image, str]:
    """The anomaly alone, `edge` pixels wide and high, RGB: between four small corners, in up to four tiles if it is
    scattered. And how many places the tiles show, of how many; empty if all that is marked is in one.

    Raises ValueError if the mask is not of the image's size.
    """
    _check(image, mask)
    places = components(mask)
    tiles = _tiles(mask, places, edge)
    return _close_up(image.convert("RGB"), tiles, edge), _scattered(len(tiles), len(places))


def outline(mask: Mask, width: int) -> Mask:
    """The band `width` pixels wide around what is marked, bool[H, W]; no marked pixel is in it."""
    grown: Mask = ndimage.maximum_filter(mask, size=2 * width + 1, mode="constant")
    return grown & ~mask


# The panels


def _shown(image: Image.Image) -> Image.Image:
    """A whole image as a panel."""
    return _within(Image.fromarray(_resized(image.convert("RGB"), _panel(image.size))))


def _outlined(image: Image.Image, mask: Mask, tiles: Sequence[_Tile]) -> Image.Image:
    """A whole image as a panel, with a line around the anomaly and frames around what is seen close up."""
    size = _panel(image.size)
    pixels, marked = _resized(image, size), _marked(mask, size)
    for tile in tiles:
        # A frame leads the eye to a tiny defect; one along the border would say nothing.
        if tile.box.width < 0.7 * image.width or tile.box.height < 0.7 * image.height:
            _frame(pixels, marked, _at(tile.box, size[0] / image.width))
    _draw(pixels, marked, _LINE)
    return _within(Image.fromarray(pixels))


def _tiles(mask: Mask, parts: Sequence[Mask], edge: int = PANEL) -> list[_Tile]:
    """What to see close up on a panel of that size: one square around all that is marked, or the largest components
    one by one where that shows them no smaller. Nothing if nothing is marked. `parts`: the components."""
    if not parts:
        return []
    whole, half = square(mask), (edge - _SEAM) // 2
    tiles = [_Tile(square(part), (half, half), _bounds(part)) for part in parts[:4]]
    if len(tiles) == 1 or 2 * max(tile.box.width for tile in tiles) > whole.width:
        return [_Tile(whole, (edge, edge), _bounds(mask))]
    if len(tiles) > 2:
        return tiles
    wide = (edge, half)
    return [tile._replace(box=_widened(tile.box, mask.shape[1], wide[0] / wide[1]), size=wide) for tile in tiles]


def _bounds(mask: Mask) -> Box:
    found = bounds(mask)
    assert found is not None, "called for masks with something marked"
    return found


def _widened(box: Box, width: int, aspect: float) -> Box:
    """A square made `aspect` times as wide, as far as an image of that width allows."""
    wide = max(box.width, min(round(aspect * box.width), width))
    left = min(max((box.left + box.right - wide) // 2, 0), max(width - wide, 0))
    return box._replace(left=left, right=left + wide)


def _close_up(image: Image.Image, tiles: Sequence[_Tile], edge: int = PANEL) -> Image.Image:
    """The tiles in reading order. No line touches the anomaly; four small corners show where it is."""
    if not tiles:
        return _notice("The mask is empty:", "nothing is marked as anomalous.")
    panel = Image.new("RGB", (edge, edge), _PAPER if len(tiles) > 1 else _BARS)
    x = y = 0
    for tile in tiles:
        width, height = tile.size
        seen = tile.box.within(*image.size)
        scale = min(width / seen.width, height / seen.height)
        fitted = _scaled((seen.width, seen.height), scale)
        if max(width - fitted[0], height - fitted[1]) <= 2:
            fitted = tile.size  # rounding, and no bar
        pixels = _resized(image.crop(seen), fitted)
        _corners(pixels, _at(tile.around, scale, seen.left, seen.top))
        place = x + (width - fitted[0]) // 2, y + (height - fitted[1]) // 2
        panel.paste(Image.fromarray(pixels), place)
        x += width + _SEAM
        if x >= edge:
            x, y = 0, y + height + _SEAM
    return panel


def _scattered(tiles: int, places: int) -> str:
    if tiles < 2:
        return ""
    more = " or more" if places == MOST else ""
    return f"{places} marked places" if tiles == places else f"the {tiles} largest of {places}{more} marked places"


def _zoom(image: Image.Image, tiles: Sequence[_Tile]) -> str:
    """The caption of the close-up."""
    if not tiles:
        return "Close-up"
    shown = _panel(image.size)[0] / image.width
    parts = [(tile.size, tile.box.within(*image.size)) for tile in tiles]
    times = max(min(width / part.width, height / part.height) for (width, height), part in parts) / shown
    if len(tiles) > 1:
        return f"Close-up of the {len(tiles)} largest places, up to {times:.1f} times as large"
    return f"Close-up, {times:.1f} times as large" if times >= 1.1 else "The same, without the outline"


def _notice(*rows: str) -> Image.Image:
    """A panel with words in the place of an image."""
    panel = Image.new("RGB", (PANEL, PANEL), _BARS)
    ImageDraw.Draw(panel).multiline_text(
        (PANEL // 2, PANEL // 2),
        "\n".join(rows),
        _FADED,
        lettering.font(_TEXT),
        anchor="mm",
        align="center",
        spacing=8,
    )
    return panel


def _share(mask: Mask) -> str:
    share = np.count_nonzero(mask) / mask.size
    return f"{share:.1%}" if share == 0 or share >= 0.001 else "less than 0.1%"


# Lines and sizes


def _check(image: Image.Image, mask: Mask) -> None:
    if mask.shape != (image.height, image.width):
        raise ValueError(f"the mask is {mask.shape[1]}×{mask.shape[0]} pixels, its image {image.width}×{image.height}")


def _panel(size: Size) -> Size:
    """What an image of that size measures on a panel."""
    return _scaled(size, min(PANEL / size[1], _WIDEST * PANEL / size[0]))


def _scaled(size: Size, scale: float) -> Size:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _at(box: Box, scale: float, x: int = 0, y: int = 0) -> Box:
    """Where a box lies once the image, seen from x, y on, is that many times as large."""
    left, right = (round((edge - x) * scale) for edge in (box.left, box.right))
    top, bottom = (round((edge - y) * scale) for edge in (box.top, box.bottom))
    return Box(left, top, right, bottom)


def _resized(image: Image.Image, size: Size) -> NDArray[np.uint8]:
    """Pixels of an RGB image at that size, uint8[H, W, 3], of its own."""
    return np.array(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))


def _marked(mask: Mask, size: Size) -> Mask:
    """The mask at that size. A pixel counts as marked if any part of it is."""
    if size == (mask.shape[1], mask.shape[0]):
        return np.asarray(mask, dtype=np.bool_)
    share = Image.fromarray(mask.astype(np.float32)).resize(size, Image.Resampling.BOX)
    return np.asarray(share) > 0


def _draw(pixels: NDArray[np.uint8], marked: Mask, width: int) -> None:
    """Puts a red line with a dark edge around what is marked."""
    pixels[outline(marked, width + 1)] = _DARK
    pixels[outline(marked, width)] = _RED


def _frame(pixels: NDArray[np.uint8], marked: Mask, box: Box) -> None:
    """Puts a fine white frame with a dark edge just inside a box; what is marked stays as it is."""
    pixels[_ring(marked.shape, box, 0, -1) & ~marked] = _WHITE
    pixels[_ring(marked.shape, box, -1, -2) & ~marked] = _FADED


def _corners(pixels: NDArray[np.uint8], box: Box) -> None:
    """Puts four corners, white with dark edges, a little outside a box."""
    arms = np.ones(pixels.shape[:2], dtype=np.bool_)
    arms[_middle(box.top, box.bottom), :] = False
    arms[:, _middle(box.left, box.right)] = False
    pixels[_ring(arms.shape, box, 11, 8) & arms] = _DARK
    pixels[_ring(arms.shape, box, 10, 9) & arms] = _WHITE


def _middle(start: int, end: int) -> slice:
    """What a side leaves open between its two corners: a third of it at least."""
    arm = min((end - start) // 3, 10)
    return slice(max(start + arm, 0), max(end - arm, 0))


def _ring(shape: tuple[int, ...], box: Box, outer: int, inner: int) -> Mask:
    """The pixels of bool[H, W] between the box grown by `outer` and the box grown by `inner` pixels."""
    ring = np.zeros(shape, dtype=np.bool_)
    for grow, value in ((outer, True), (inner, False)):
        rows = np.s_[max(box.top - grow, 0) : max(box.bottom + grow, 0)]
        columns = np.s_[max(box.left - grow, 0) : max(box.right + grow, 0)]
        ring[rows, columns] = value
    return ring


def _within(image: Image.Image) -> Image.Image:
    """A panel with the image in its middle, with bars beside it if it is very narrow or very wide."""
    width = max(image.width, round(_NARROWEST * PANEL))
    if image.size == (width, PANEL):
        return image
    panel = Image.new("RGB", (width, PANEL), _BARS)
    panel.paste(image, ((width - image.width) // 2, (PANEL - image.height) // 2))
    return panel


# The page and its text


def _page(panels: Sequence[_Panel], title: str, lines: Sequence[str]) -> Image.Image:
    width = sum(panel.image.width for panel in panels) + _BETWEEN * (len(panels) - 1)
    width = max(width, 2 * PANEL + _BETWEEN)  # room for text, beside one narrow panel or two
    rows = lettering.rows(lines, _TEXT, width)
    top = _MARGIN + 72
    below = _MARGIN + (26 * len(rows) + 12 if rows else 0)
    page = Image.new("RGB", (width + 2 * _MARGIN, top + PANEL + below), _PAPER)
    draw = ImageDraw.Draw(page)
    # "ls" hangs text on its baseline, so that words with and without descenders stand level
    draw.text((_MARGIN, _MARGIN + 17), lettering.line(title, _TEXT, width), _FADED, lettering.font(_TEXT), anchor="ls")
    x = _MARGIN
    for panel in panels:
        caption = lettering.line(panel.caption, _CAPTION, panel.image.width)
        draw.text((x, top - 10), caption, _FADED, lettering.font(_CAPTION), anchor="ls")
        page.paste(panel.image, (x, top))
        x += panel.image.width + _BETWEEN
    for index, row in enumerate(rows):
        draw.text((_MARGIN, top + PANEL + 34 + 26 * index), row, _INK, lettering.font(_TEXT), anchor="ls")
    return page
