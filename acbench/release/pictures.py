"""Draws the picture of a release: every class by category, with how many images show it and, if the release holds the
images, one of them close up. The same tables give the same pixels."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from acbench._util.plural import counted
from acbench.data import images as imaging
from acbench.errors import ImageError
from acbench.records import GOOD
from acbench.release.entries import ReleaseEntry
from acbench.release.manifest import Manifest
from acbench.release.tally import Tally
from acbench.schema import Schema

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

WIDTH = 880
"""Pixels: a card is about as wide on the Hub."""
TILE = 100
"""Width and height of a close-up, in pixels."""
MAX_BYTES = 64 << 20
"""Bytes of the largest picture that is read."""

_COLUMN = 428
"""Width of a column, in pixels; there are two, with the rest between them."""
_HEAD, _ROW, _GAP = 40, 24, 22
"""Heights of the name of a category, of a class and of the space below a category, in pixels."""
_NUMBER, _NAME, _COUNT = 34, 190, 46
"""Widths of a class's number, of its name and of its count, in pixels."""
_MARGIN, _BETWEEN = 12, 9
"""Pixels around the page, and between close-ups."""
_TITLE, _TEXT, _SMALL = 17, 14, 12
"""Sizes of type, in pixels."""
_PAPER, _INK, _FADED, _RULE = (255, 255, 255), (31, 35, 40), (89, 96, 104), (217, 221, 226)
_BAR, _MORE, _CHIP = (50, 102, 168), (166, 194, 228), (234, 238, 243)

ClassKey = tuple[str, str]
"""Category and class."""


class _Line(NamedTuple):
    """One class of a category."""

    number: int
    """In the list of all classes."""
    name: str
    single: int
    """Accepted test images that have it in `label`."""
    several: int
    """Those that have it in `labels` or in `label`."""


class _Part(NamedTuple):
    """One category."""

    key: str
    title: str
    about: str
    lines: tuple[_Line, ...]
    shown: tuple[_Line, ...]
    """Those with a close-up."""

    @property
    def height(self) -> int:
        per_row = (_COLUMN + _BETWEEN) // (TILE + _BETWEEN)
        tiles = -(-len(self.shown) // per_row) * (TILE + _BETWEEN)
        return _HEAD + tiles + _ROW * len(self.lines) + _GAP


@dataclass(slots=True)
class Examples:
    """One close-up for each class: of the image with the first path among those that show this class alone."""

    tiles: dict[ClassKey, Image.Image] = field(default_factory=dict)
    _images: dict[ClassKey, str] = field(default_factory=dict)

    def wants(self, entry: ReleaseEntry) -> bool:
        """Whether an image may be one of them, by all that has been seen so far."""
        key = example_of(entry)
        return key is not None and self._images.get(key, entry.image) >= entry.image

    def take(self, entry: ReleaseEntry, image: bytes | None, mask: bytes | None) -> None:
        """Look at an image of the release and the file of its mask. What cannot be decoded shows nothing."""
        key = example_of(entry)
        if key is None or image is None or not self.wants(entry):
            return
        if (tile := _close_up(image, mask)) is not None:
            self.tiles[key], self._images[key] = tile, entry.image


def example_of(entry: ReleaseEntry) -> ClassKey | None:
    """Give the category and class that an image can stand for; None if it can for none."""
    plain = entry.split == "test" and entry.status == "accepted" and len(entry.labels) == 1
    return (entry.category, entry.labels[0]) if plain and entry.labels != (GOOD,) else None


def draw(manifest: Manifest, tally: Tally, schema: Schema, tiles: Mapping[ClassKey, Image.Image]) -> bytes:
    """Draw the picture, as PNG. `tiles`: the close-ups; empty for a release without images."""
    from PIL import PngImagePlugin

    drawn = pixels(manifest, tally, schema, tiles)
    told = PngImagePlugin.PngInfo()
    told.add_text("Software", made_with())
    file = io.BytesIO()
    drawn.quantize(256).save(file, "PNG", pnginfo=told) if not tiles else drawn.save(file, "PNG", pnginfo=told)
    return file.getvalue()


def made_with() -> str:
    """Name the libraries that decide how letters and pictures look."""
    import PIL
    from PIL import features

    return f"Pillow {PIL.__version__}, FreeType {features.version('freetype2')}, JPEG {features.version('jpg')}"


def problem(data: bytes, expected: bytes) -> tuple[str, str]:
    """What is wrong with an untrusted picture, and why it cannot be checked; both empty if it shows what `expected`
    does."""
    import numpy as np
    from PIL import Image

    try:
        header = imaging.probe(data)
        true = imaging.decode(expected)
        if header.format != "PNG" or (header.width, header.height) != true.size:
            return "it is not the picture that the tables give", ""
        opened = imaging.decode(data)
    except ImageError as error:
        return error.message, ""
    software = str(getattr(opened, "text", {}).get("Software", ""))[:200]
    if software != made_with():
        return "", f"it was drawn with {software or 'other libraries'}, and these are {made_with()}"
    assert isinstance(opened, Image.Image)
    same = np.array_equal(np.asarray(opened.convert("RGB")), np.asarray(true.convert("RGB")))
    return ("" if same else "it does not show what the tables say"), ""


def pixels(manifest: Manifest, tally: Tally, schema: Schema, tiles: Mapping[ClassKey, Image.Image]) -> Image.Image:
    """Draw the picture, as an RGB image."""
    from PIL import Image, ImageDraw

    parts = _parts(manifest, tally, schema, tiles)
    most = max((line.several for part in parts for line in part.lines), default=1) or 1
    columns = _columns(parts)
    foot = 24
    height = max(sum(part.height for part in column) for column in columns) + foot
    page = Image.new("RGB", (WIDTH if len(columns) > 1 else _COLUMN, height), _PAPER)
    drawing = ImageDraw.Draw(page)
    for number, column in enumerate(columns):
        x, y = number * (WIDTH - _COLUMN), 0
        for part in column:
            _draw_part(page, drawing, part, (x, y), most, tiles)
            y += part.height
    _draw_key(drawing, height - foot, more=any(line.several > line.single for part in parts for line in part.lines))
    framed = Image.new("RGB", (page.width + 2 * _MARGIN, page.height + 2 * _MARGIN), _PAPER)
    framed.paste(page, (_MARGIN, _MARGIN))
    return framed


def _parts(manifest: Manifest, tally: Tally, schema: Schema, tiles: Collection[ClassKey]) -> list[_Part]:
    numbers = {name: number for number, name in enumerate(manifest.classes)}
    single: Counter[ClassKey] = Counter()
    several: Counter[ClassKey] = Counter()
    states: Counter[ClassKey] = Counter()
    for kind, number in tally.kinds.items():
        if kind.tested:
            own = [kind.label] if kind.label else []
            several.update(dict.fromkeys([(kind.category, name) for name in (*kind.labels, *own)], number))
            single.update(dict.fromkeys([(kind.category, name) for name in own], number))
            states[kind.category, "normal" if kind.labels == (GOOD,) else "defective"] += number
    parts = []
    for key in tally.categories:
        category = schema.categories[key]
        ids = [defect.id for defect in category.classes]
        ids += [published.id for published in category.published if published.id not in ids]
        lines = tuple(_Line(numbers[name], name, single[key, name], several[key, name]) for name in ids)
        normal, defective = states[key, "normal"], states[key, "defective"]
        about = f"{counted(defective, 'test image')} with a defect, {normal:,} without"
        parts.append(
            _Part(key, category.name, about, lines, tuple(line for line in lines if (key, line.name) in tiles))
        )
    return parts


def _columns(parts: Sequence[_Part]) -> list[list[_Part]]:
    """The categories in one column, or in two of about the same height."""
    if len(parts) == 1:
        return [list(parts)]
    heights = [part.height for part in parts]
    cut = min(range(1, len(parts)), key=lambda at: (max(sum(heights[:at]), sum(heights[at:])), at))
    return [list(parts[:cut]), list(parts[cut:])]


def _draw_part(
    page: Image.Image, drawing: ImageDraw.ImageDraw, part: _Part, corner: tuple[int, int], most: int,
    tiles: Mapping[ClassKey, Image.Image],
) -> None:  # fmt: skip
    from acbench.data.text import first_row, font

    left, y = corner
    title = first_row(part.title, _TITLE, _COLUMN // 2)
    drawing.text((left, y + 22), title, _INK, font(_TITLE), anchor="ls")
    beside = left + round(font(_TITLE).getlength(title)) + 12
    about = first_row(part.about, _SMALL, left + _COLUMN - beside)
    drawing.text((beside, y + 22), about, _FADED, font(_SMALL), anchor="ls")
    drawing.line((left, y + 30, left + _COLUMN - 1, y + 30), _RULE)
    y += _HEAD
    x = left
    for line in part.shown:
        if x + TILE > left + _COLUMN:
            x, y = left, y + TILE + _BETWEEN
        page.paste(tiles[part.key, line.name], (x, y))
        _draw_number(drawing, line.number, (x, y))
        x += TILE + _BETWEEN
    if part.shown:
        y += TILE + _BETWEEN
    room = _COLUMN - _NUMBER - _NAME - _COUNT
    for line in part.lines:
        _draw_number(drawing, line.number, (left, y + 2))
        name = first_row(line.name, _TEXT, _NAME - 8)
        drawing.text((left + _NUMBER, y + 16), name, _INK if line.several else _FADED, font(_TEXT), anchor="ls")
        start = left + _NUMBER + _NAME
        for number, colour in ((line.several, _MORE), (line.single, _BAR)):
            if number:
                drawing.rectangle((start, y + 5, start + max(1, round(room * number / most)) - 1, y + 18), colour)
        end = start + (max(1, round(room * line.several / most)) + 6 if line.several else 0)
        drawing.text((end, y + 16), f"{line.several:,}", _INK if line.several else _FADED, font(_TEXT), anchor="ls")
        y += _ROW


def _draw_number(drawing: ImageDraw.ImageDraw, number: int, corner: tuple[int, int]) -> None:
    """A class's number on a chip."""
    from acbench.data.text import font

    x, y = corner
    drawing.rectangle((x, y, x + 25, y + 18), _CHIP)
    drawing.text((x + 13, y + 14), str(number), _INK, font(_SMALL), anchor="ms")


def _draw_key(drawing: ImageDraw.ImageDraw, y: int, *, more: bool) -> None:
    """What the two colours of a bar mean, if there are two."""
    from acbench.data.text import font

    x = 0
    for colour, text in ((_BAR, "test images with this label"), (_MORE, "further ones with this among their labels")):
        if colour == _MORE and not more:
            return
        drawing.rectangle((x, y + 3, x + 17, y + 14), colour)
        drawing.text((x + 24, y + 14), text, _FADED, font(_SMALL), anchor="ls")
        x += 24 + round(font(_SMALL).getlength(text)) + 24


def _close_up(data: bytes, mask: bytes | None) -> Image.Image | None:
    """An anomaly close up, or the whole image if no mask marks one; None if it cannot be decoded."""
    from acbench.data.evidence import close_up
    from acbench.data.mask_content import marked_pixels

    try:
        image = imaging.decode_rgb(data)
        marked = marked_pixels(imaging.decode(mask)) if mask else None
    except ImageError:
        return None
    if marked is not None and marked.shape == (image.height, image.width) and marked.any():
        return close_up(image, marked, edge=TILE)[0]
    whole = imaging.shrunk(image, TILE)
    return _framed(whole)


def _framed(image: Image.Image) -> Image.Image:
    from PIL import Image

    tile = Image.new("RGB", (TILE, TILE), _CHIP)
    tile.paste(image, ((TILE - image.width) // 2, (TILE - image.height) // 2))
    return tile
