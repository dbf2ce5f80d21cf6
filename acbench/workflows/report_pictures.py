"""Makes the pictures of the report as small as they have to be: thumbnails first, then large pictures in what is left.

Every picture is JPEG: a browser that prints puts that into a PDF as it is, and other formats at many times their size.
The same images give the same bytes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from acbench.data import evidence
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.records import Item

if TYPE_CHECKING:
    from PIL import Image

HEIGHTS = (240, 180, 132, 96)
"""Heights of thumbnails in pixels. The first is taken at which all of them fit."""
WIDTH = 1100
"""Largest width of a large picture, in pixels."""
QUALITY = 72
"""JPEG quality; chroma is subsampled."""
VERSION = 2
"""Raise it when thumbnails are drawn differently."""
_SEAM = 4
_OVERHEAD = 16
"""Bytes of a picture in the page besides its id and itself."""
_LEAST = 300
"""Bytes of the smallest JPEG: its tables and hardly a pixel."""

Draw = Callable[[str], bytes | None]
"""item_id → its picture as JPEG, or None if there is none."""


@dataclass(slots=True, kw_only=True)
class Album:
    """The pictures that the page has room for, as base64 by item_id."""

    height: int = HEIGHTS[0]
    """Pixels of a thumbnail."""
    thumbnails: dict[str, str] = field(default_factory=dict)
    large: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    """Images of which there is none."""
    left_out: list[str] = field(default_factory=list)
    """Images whose thumbnail has no room."""

    def to_json(self) -> dict[str, object]:
        """JSON values."""
        return {"thumbnails": self.thumbnails, "large": self.large}


def at_most(item_ids: Sequence[str], room: int) -> Sequence[str]:
    """The first images, as many as `room` bytes of the page can have a picture of."""
    return item_ids[: max(room, 0) // _cost("", _LEAST)]


def fill(item_ids: Sequence[str], thumbnail: Draw, large: Draw, room: int) -> Album:
    """Choose the pictures that take at most `room` bytes of the page, by the order of the images.

    All thumbnails have one height: the largest at which all have room, or the smallest if they never have. What they
    leave goes to large pictures, up to the first that has no room. Of more images than can have room, no picture is
    drawn.
    """
    tried = at_most(item_ids, room)
    drawn = {item_id: picture for item_id in tried if (picture := thumbnail(item_id)) is not None}
    unreadable = [item_id for item_id in tried if item_id not in drawn]
    beyond = list(item_ids[len(tried) :])
    sizes = {item_id: _cost(item_id, len(picture)) for item_id, picture in drawn.items()}
    height, made = HEIGHTS[0], drawn
    for height in HEIGHTS:
        if height != HEIGHTS[0]:
            made = {item_id: shrunk(picture, height) for item_id, picture in drawn.items()}
            sizes = {item_id: _cost(item_id, len(picture)) for item_id, picture in made.items()}
        if sum(sizes.values()) <= room:
            break
    album = Album(height=height, unreadable=unreadable, left_out=beyond)
    for item_id, picture in made.items():
        if sizes[item_id] > room:
            album.left_out = [left for left in made if left not in album.thumbnails] + beyond
            return album
        room -= sizes[item_id]
        album.thumbnails[item_id] = _base64(picture)
    for item_id in made:
        if (picture_ := large(item_id)) is None:
            continue
        if _cost(item_id, len(picture_)) > room:
            break
        room -= _cost(item_id, len(picture_))
        album.large[item_id] = _base64(picture_)
    return album


def thumbnail(item: Item, images: ImageReader) -> bytes | None:
    """The image with its anomaly outlined, and beside it the anomaly close up, at the first of HEIGHTS.

    None if the image cannot be read.
    """
    try:
        image = images.image(item.image)
        marked = images.marked(item, image.size)
    except AcbenchError:  # ingest has reported it
        return None
    boxed = item.marking == "boxes"
    shown = [panel.image for panel in evidence.panels(image, marked, None, boxed=boxed)[: 1 if marked is None else 2]]
    return jpeg(_of_height(_beside(shown), HEIGHTS[0]))


def shrunk(picture: bytes, height: int) -> bytes:
    """A thumbnail of ours at another height."""
    from PIL import Image

    with Image.open(io.BytesIO(picture), formats=["JPEG"]) as opened:
        return jpeg(_of_height(opened.convert("RGB"), height))


def large(picture: bytes) -> bytes | None:
    """An evidence picture (JPEG) at most `WIDTH` pixels wide; None if it cannot be read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture), formats=["JPEG"]) as opened:
            image = opened.convert("RGB")
    except OSError:
        return None
    image.thumbnail((WIDTH, WIDTH))
    return jpeg(image)


def jpeg(image: Image.Image) -> bytes:
    """An RGB image as JPEG, small rather than fine."""
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=QUALITY, optimize=True)
    return sink.getvalue()


def _beside(images: Sequence[Image.Image]) -> Image.Image:
    from PIL import Image

    width = sum(image.width for image in images) + _SEAM * (len(images) - 1)
    page = Image.new("RGB", (width, max(image.height for image in images)), "white")
    x = 0
    for image in images:
        page.paste(image, (x, 0))
        x += image.width + _SEAM
    return page


def _of_height(image: Image.Image, height: int) -> Image.Image:
    from PIL import Image

    width = max(1, round(image.width * height / image.height))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def _cost(item_id: str, size: int) -> int:
    """Bytes that a picture takes in the page."""
    return 4 * -(-size // 3) + len(item_id.encode()) + _OVERHEAD
