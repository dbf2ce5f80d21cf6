"""Draws the picture that a person decides by: the whole image, the defect close up, and a normal image.

Images are Pillow's, as `acbench.data.images.ImageReader` gives them; other modes are converted, and transparency is
dropped. Masks are bool[H, W] of the image's size, True where anomalous. The same arguments give the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from acbench.data.contrast import Stretch, stretch
from acbench.data.marking import Pixels, draw_corners, draw_frame, draw_outline
from acbench.data.regions import MAX_COMPONENTS, Box, Mask, bounds, components, square_around
from acbench.data.text import drawn, first_row, font, wrap_lines

PANEL = 448
"""Height of a panel, in pixels: three panels fit on a screen."""

_NARROWEST, _WIDEST = 0.6, 1.6
"""Width of a panel as a share of its height. VisA's images have 1.5; a wider image gets bars above and below."""
_MARGIN, _BETWEEN, _SEAM = 24, 20, 4
"""Pixels around the page, between panels, and between the tiles of a close-up."""
_TEXT, _CAPTION = 17, 15
"""Sizes of type, in pixels."""
_ROW = 26
"""Height of a row of text, in pixels."""
_LINE = 2
"""Width of the red line on a panel, in pixels."""
_MAX_TILES = 4
_IN_BYTES = 100
"""A mask that is made so many times smaller, or less, is in bytes: a pixel of it then is worth more than two of 255."""
_FRAMED = 0.7
"""A close-up that shows less than this share of the image's width or height gets a frame in the whole image."""

_PAPER, _BARS = (246, 246, 244), (226, 226, 223)
_INK, _FADED = (28, 28, 30), (100, 100, 104)

Size = tuple[int, int]
"""Width and height, as Pillow has it."""


class Panel(NamedTuple):
    """One part of the picture."""

    caption: str
    image: Image.Image
    """`PANEL` pixels high."""


class _Tile(NamedTuple):
    """A place that is shown close up."""

    box: Box
    """The part of the image that is shown, in pixels of the image."""
    size: Size
    """Pixels of the panel that it takes."""
    anomaly: Box
    """The bounds of the anomaly, in pixels of the image."""


def picture(
    image: Image.Image,
    mask: Mask | None,
    reference: Image.Image | None,
    *,
    title: str,
    lines: Sequence[str] = (),
    boxed: bool = False,
) -> Image.Image:
    """Everything that a person needs to name a defect, in one landscape RGB picture.

    It shows the panels of `panels`, with `title` above and `lines` below: a person looks first, and then reads what
    others say. Panels begin at the same height in every picture, so that nothing jumps from one picture to the next.
    `boxed`: what is marked are boxes, filled.

    Raises ValueError if the mask is not of the image's size.
    """
    return _page(panels(image, mask, reference, boxed=boxed), title, lines)


def panels(image: Image.Image, mask: Mask | None, reference: Image.Image | None, *, boxed: bool = False) -> list[Panel]:
    """The panels of a picture, from the left.

    First the whole image with the anomaly outlined; then the anomaly close up between four small corners, in up to four
    tiles if it is scattered, with its contrast stretched if it is dark; then `reference`, a normal image of the same
    category. Without a mask there is no close-up, and words say so; words also stand for a missing reference. `boxed`:
    what is marked are boxes, filled, and the words speak of boxes.

    Raises ValueError if the mask is not of the image's size.
    """
    image = image.convert("RGB")
    if mask is None:
        shown = [Panel("Whole image; no mask marks a place in it", _whole(image))]
    else:
        _check_size(image, mask)
        tiles = _tiles(mask, components(mask))
        enlarged, contrast = _close_up(image, tiles)
        caption = ", ".join(filter(None, [_close_up_caption(image, tiles), contrast.note]))
        share = f"{_share(mask)} in boxes" if boxed else f"{_share(mask)} marked"
        shown = [Panel(f"Whole image, {share}", _outlined(image, mask, tiles)), Panel(caption, enlarged)]
    normal = notice("No normal image to compare with.") if reference is None else _whole(reference)
    return [*shown, Panel("Normal image, to compare", normal)]


def contour(image: Image.Image, mask: Mask, *, longest: int | None = None) -> Image.Image:
    """The image with its anomaly outlined, as RGB of the same size, or shrunk to a longer edge of `longest` pixels.

    The line is red with a dark edge, so that it shows on red things too. It lies outside the anomaly and changes no
    marked pixel. Its width grows with the size of the result. Raises ValueError if the mask is not of the image's size.
    """
    _check_size(image, mask)
    scale = min(1.0, (longest or max(image.size)) / max(image.size))
    size = _scaled(image.size, scale)
    pixels = _resized(image.convert("RGB"), size)
    draw_outline(pixels, _resized_mask(mask, size), max(_LINE, round(_LINE * max(size) / PANEL)))
    return Image.fromarray(pixels)


def outlined(image: Image.Image, mask: Mask, *, gap: int, line: int) -> Image.Image:
    """An RGB image, which may have been shrunk, with a thin red line with a dark edge around its anomaly.

    `mask`: bool[H, W] of the image before it was shrunk. The line leaves `gap` pixels free around what is marked, and
    is one pixel wide for each `line` pixels of the image's longer edge, but at least two.
    """
    pixels = np.array(image)
    draw_outline(pixels, _resized_mask(mask, image.size), max(_LINE, round(max(image.size) / line)), gap)
    return Image.fromarray(pixels)


def close_up(image: Image.Image, mask: Mask, *, edge: int = PANEL) -> tuple[Image.Image, str]:
    """The anomaly close up, RGB, `edge` pixels wide and high, and a note on which of its places are shown.

    It lies between four small corners, and is in up to four tiles if it is scattered. If all of it is dark, its
    contrast is stretched, and the note says so. The note is empty if one tile shows everything that is marked as it is.
    Raises ValueError if the mask is not of the image's size.
    """
    _check_size(image, mask)
    places = components(mask)
    tiles = _tiles(mask, places, edge)
    picture, contrast = _close_up(image.convert("RGB"), tiles, edge)
    return picture, ", ".join(filter(None, [_places_note(len(tiles), len(places)), contrast.note]))


def shrunk(image: Image.Image) -> Image.Image:
    """The image in RGB at the size that it has on a panel: a picture that shows it is the same."""
    size = _panel_size(image.size)
    colours = image.convert("RGB")
    return colours if image.size == size else _lanczos(colours, size)


def notice(*rows: str) -> Image.Image:
    """A panel with words in place of an image."""
    panel = Image.new("RGB", (PANEL, PANEL), _BARS)
    ImageDraw.Draw(panel).multiline_text(
        (PANEL // 2, PANEL // 2),
        "\n".join(rows),
        _FADED,
        font(_TEXT),
        anchor="mm",
        align="center",
        spacing=8,
    )
    return panel


# The whole image


def _whole(image: Image.Image) -> Image.Image:
    """A whole image as a panel."""
    return _with_bars(shrunk(image))


def _outlined(image: Image.Image, mask: Mask, tiles: Sequence[_Tile]) -> Image.Image:
    """A whole image as a panel, with a line around the anomaly and frames around the places shown close up."""
    size = _panel_size(image.size)
    pixels, marked = _resized(image, size), _resized_mask(mask, size)
    for tile in tiles:
        # A frame leads the eye to a tiny defect; a frame along the border would tell nothing.
        if tile.box.width < _FRAMED * image.width or tile.box.height < _FRAMED * image.height:
            draw_frame(pixels, marked, _scaled_box(tile.box, size[0] / image.width))
    draw_outline(pixels, marked, _LINE)
    return _with_bars(Image.fromarray(pixels))


def _with_bars(image: Image.Image) -> Image.Image:
    """A panel with the image in its middle, and bars beside an image that is very narrow or very wide."""
    width = max(image.width, round(_NARROWEST * PANEL))
    if image.size == (width, PANEL):
        return image
    panel = Image.new("RGB", (width, PANEL), _BARS)
    panel.paste(image, ((width - image.width) // 2, (PANEL - image.height) // 2))
    return panel


def _share(mask: Mask) -> str:
    """How much of the image is marked, for a caption."""
    share = np.count_nonzero(mask) / mask.size
    return f"{share:.1%}" if share == 0 or share >= 0.001 else "less than 0.1%"


# The close-up


def _tiles(mask: Mask, places: Sequence[Mask], edge: int = PANEL) -> list[_Tile]:
    """The tiles of a close-up, `edge` pixels wide and high; none if nothing is marked.

    One tile shows everything that is marked; several show the largest places, if that makes them no smaller. `places`
    are the components of the mask.
    """
    if not places:
        return []
    half, (height, width) = (edge - _SEAM) // 2, mask.shape
    everything, *tiles = (
        _Tile(square_around(anomaly, (width, height)), (half, half), anomaly)
        for anomaly in map(_bounds, (mask, *places[:_MAX_TILES]))
    )
    if len(tiles) == 1 or 2 * max(tile.box.width for tile in tiles) > everything.box.width:
        return [everything._replace(size=(edge, edge))]
    if len(tiles) > 2:
        return tiles
    wide = (edge, half)
    return [tile._replace(box=_widened(tile.box, mask.shape[1], edge / half), size=wide) for tile in tiles]


def _bounds(mask: Mask) -> Box:
    box = bounds(mask)
    assert box is not None, "called only for masks that mark something"
    return box


def _widened(box: Box, image_width: int, aspect: float) -> Box:
    """A square made `aspect` times as wide, as far as the image allows."""
    width = max(box.width, min(round(aspect * box.width), image_width))
    left = min(max((box.left + box.right - width) // 2, 0), max(image_width - width, 0))
    return box._replace(left=left, right=left + width)


def _close_up(image: Image.Image, tiles: Sequence[_Tile], edge: int = PANEL) -> tuple[Image.Image, Stretch]:
    """The tiles in reading order, on a panel `edge` pixels wide and high, and how their contrast was changed."""
    if not tiles:
        return notice("The mask is empty:", "nothing is marked as anomalous."), Stretch()
    panel = Image.new("RGB", (edge, edge), _PAPER if len(tiles) > 1 else _BARS)
    contents = [_tile_content(image, tile) for tile in tiles]
    contrast = stretch(contents)
    x = y = 0
    for tile, pixels in zip(tiles, contents, strict=True):
        width, height = tile.size
        content = _with_corners(contrast(pixels), tile, image)
        panel.paste(content, (x + (width - content.width) // 2, y + (height - content.height) // 2))
        x += width + _SEAM
        if x >= edge:
            x, y = 0, y + height + _SEAM
    return panel, contrast


def _tile_content(image: Image.Image, tile: _Tile) -> Pixels:
    """The part of the image that a tile shows."""
    width, height = tile.size
    part = tile.box.within(*image.size)
    size = _scaled((part.width, part.height), _tile_scale(tile, part))
    if max(width - size[0], height - size[1]) <= 2:
        size = tile.size  # the difference is rounding, not a bar
    return _resized(image.crop(part), size)


def _with_corners(pixels: Pixels, tile: _Tile, image: Image.Image) -> Image.Image:
    """The content of a tile with four small corners that show where the anomaly is. No line touches it."""
    part = tile.box.within(*image.size)
    draw_corners(pixels, _scaled_box(tile.anomaly, _tile_scale(tile, part), part.left, part.top))
    return Image.fromarray(pixels)


def _tile_scale(tile: _Tile, part: Box) -> float:
    return min(tile.size[0] / part.width, tile.size[1] / part.height)


def _places_note(tiles: int, places: int) -> str:
    """How many of the marked places the tiles show; empty for a single tile."""
    if tiles < 2:
        return ""
    more = " or more" if places == MAX_COMPONENTS else ""
    return f"{places} marked places" if tiles == places else f"the {tiles} largest of {places}{more} marked places"


def _close_up_caption(image: Image.Image, tiles: Sequence[_Tile]) -> str:
    if not tiles:
        return "Close-up"
    whole_scale = _panel_size(image.size)[0] / image.width
    parts = [(tile.size, tile.box.within(*image.size)) for tile in tiles]
    times = max(min(width / part.width, height / part.height) for (width, height), part in parts) / whole_scale
    if len(tiles) > 1:
        return f"Close-up of the {len(tiles)} largest places, up to {times:.1f} times as large"
    return f"Close-up, {times:.1f} times as large" if times >= 1.1 else "The same, without the outline"


# Sizes


def _check_size(image: Image.Image, mask: Mask) -> None:
    if mask.shape != (image.height, image.width):
        raise ValueError(f"the mask is {mask.shape[1]}×{mask.shape[0]} pixels, its image {image.width}×{image.height}")


def _panel_size(size: Size) -> Size:
    """The size on a panel of an image of that size."""
    return _scaled(size, min(PANEL / size[1], _WIDEST * PANEL / size[0]))


def _scaled(size: Size, scale: float) -> Size:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _scaled_box(box: Box, scale: float, x: int = 0, y: int = 0) -> Box:
    """A box in the image's part from x, y on, once that part is enlarged by `scale`."""
    left, right = (round((edge - x) * scale) for edge in (box.left, box.right))
    top, bottom = (round((edge - y) * scale) for edge in (box.top, box.bottom))
    return Box(left, top, right, bottom)


def _resized(image: Image.Image, size: Size) -> Pixels:
    """A copy of an RGB image's pixels at that size, uint8[H, W, 3]."""
    return np.array(_lanczos(image, size))


def _lanczos(image: Image.Image, size: Size) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _resized_mask(mask: Mask, size: Size) -> Mask:
    """The mask at that size. A pixel is marked if any part of it is."""
    if size == (mask.shape[1], mask.shape[0]):
        return np.asarray(mask, dtype=np.bool_)
    # In whole numbers it is quicker; where a pixel becomes less than one of them, they would lose it.
    exact = mask.size > _IN_BYTES * size[0] * size[1]
    levels = mask.astype(np.float32) if exact else mask.astype(np.uint8) * np.uint8(255)
    return np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.BOX)) > 0


# The page


def _page(panels: Sequence[Panel], title: str, lines: Sequence[str]) -> Image.Image:
    """The panels side by side, with a title above and lines of text below."""
    width = sum(panel.image.width for panel in panels) + _BETWEEN * (len(panels) - 1)
    width = max(width, 2 * PANEL + _BETWEEN)  # room for text, beside one or two narrow panels
    rows = wrap_lines(lines, _TEXT, width)
    top = _MARGIN + 72
    below = _MARGIN + (_ROW * len(rows) + 12 if rows else 0)
    page = Image.new("RGB", (width + 2 * _MARGIN, top + PANEL + below), _PAPER)
    _write(page, _MARGIN, _MARGIN + 17, first_row(title, _TEXT, width), _TEXT, _FADED)
    x = _MARGIN
    for panel in panels:
        _write(page, x, top - 10, first_row(panel.caption, _CAPTION, panel.image.width), _CAPTION, _FADED)
        page.paste(panel.image, (x, top))
        x += panel.image.width + _BETWEEN
    for number, row in enumerate(rows):
        _write(page, _MARGIN, top + PANEL + 34 + _ROW * number, row, _TEXT, _INK)
    return page


def _write(page: Image.Image, x: int, y: int, row: str, size: int, colour: tuple[int, int, int]) -> None:
    """Write a row of text on its baseline, so that words with and without descenders stand level."""
    mask, (left, top) = drawn(row, size)
    page.paste(colour, (x + left, y + top), mask)
