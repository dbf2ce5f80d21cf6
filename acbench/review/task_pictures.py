"""Draws the four pictures of a task, as JPEG files whose names tell nothing about the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from acbench._util.console import Progress
from acbench._util.prefetch import prefetch
from acbench.data import evidence
from acbench.data import images as imaging
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.records import Item
from acbench.review.queue_pictures import EMPTY_COLOUR, References, empty
from acbench.schema.form import ALONE, PLACES, UNMARKED
from acbench.storage.atomic import write_bytes
from acbench.storage.build import THREADS
from acbench.storage.digests import digest

LONGEST = 1280
"""Longer edge of a picture, pixels: what a screen shows."""
CLOSE_UP = 900
"""Edge of a close-up, pixels: the largest thing on the page."""
TALLEST = 1.0
"""Largest height of a picture as a multiple of its width. A taller image gets bars beside it, so that the page shows
all of it at once, with two others above or below it."""
QUALITY = 90
"""JPEG quality."""
_VERSION = 5
"""Part of every name. Raise it when pictures are drawn differently."""
_NO_REFERENCE = "no-reference.jpg"

Pictures = Mapping[str, Path]
"""Files of one item's pictures: `image`, `contour`, `crop` and `reference`."""


def draw(
    items: Sequence[Item],
    references: References,
    images: ImageReader,
    folder: Path,
    *,
    progress: Progress = lambda done, total: None,
) -> dict[str, Pictures]:
    """item_id → its pictures; those that are not in the folder are drawn, in threads.

    The reference is a grey field if there is no other normal image, and so is each picture of an image that cannot be
    read. Where no place is marked, all pictures but the reference are one and the same file: `marks` tells.
    """
    album = _Album(references, images, folder)
    pictures: dict[str, Pictures] = {}
    drawn = prefetch(album.own, items, workers=THREADS, most=4 * THREADS)
    for done, (item, own) in enumerate(zip(items, drawn, strict=True), start=1):
        pictures[item.item_id] = {**own, "reference": album.reference(item)}
        progress(done, len(items))
    return pictures


def marks(pictures: Pictures) -> dict[str, str]:
    """What the page has to know of an item's pictures, by the names in `schema.form`: text, empty for no."""
    unmarked = pictures["contour"] == pictures["image"]
    return {
        UNMARKED: "yes" if unmarked else "",
        ALONE: "yes" if pictures["reference"].name == _NO_REFERENCE else "",
        PLACES: "" if unmarked else _comment(pictures["crop"]),
    }


@dataclass(frozen=True, slots=True)
class _Album:
    """A folder of pictures."""

    references: References
    images: ImageReader
    folder: Path

    def reference(self, item: Item) -> Path:
        """The picture of a normal image to compare with."""
        normal = self.references.beside(item)
        path = self._path(normal, "reference") if normal else self.folder / _NO_REFERENCE
        if not path.exists():
            _save(path, self._image(normal) if normal else empty())
        return path

    def own(self, item: Item) -> dict[str, Path]:
        """The image, its contour and its close-up."""
        image, contour, crop = (self._path(item, name) for name in ("image", "contour", "crop"))
        if not image.exists():
            _save(image, self._image(item))
        if not item.marking or not self._mark(item, contour, crop):
            contour = crop = image
        return {"image": image, "contour": contour, "crop": crop}

    def _mark(self, item: Item, contour: Path, crop: Path) -> bool:
        """Draw contour and close-up unless they are there; gives whether image and marks can be read."""
        if contour.exists() and crop.exists():
            return True
        try:
            marked = self.images.marked(item, (item.width, item.height))
            image = self.images.image(item.image)
        except AcbenchError:  # ingest has reported it
            return False
        assert marked is not None, "something marks it"
        _save(contour, _upright(evidence.contour(image, marked, longest=LONGEST)))
        close_up, places = evidence.close_up(image, marked, edge=CLOSE_UP)
        _save(crop, close_up, comment=places)  # kept in the file: to find it again, the mask had to be decoded
        return True

    def _image(self, item: Item) -> Image.Image:
        try:
            image = self.images.image(item.image)
        except AcbenchError:  # ingest has reported it
            return empty()
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        return _upright(image)

    def _path(self, item: Item, name: str) -> Path:
        mark = digest(_VERSION, item.sha256, item.marks, *self.images.key, length=8)
        return self.folder / f"{item.item_id}-{mark}.{name}.jpg"


def _upright(image: Image.Image) -> Image.Image:
    """The image, between bars if it is taller than a page shows."""
    width = round(image.height / TALLEST)
    if image.width >= width:
        return image
    page = Image.new("RGB", (width, image.height), EMPTY_COLOUR)
    page.paste(image, ((width - image.width) // 2, 0))
    return page


def _save(path: Path, picture: Image.Image, *, comment: str = "") -> None:
    write_bytes(path, imaging.jpeg(picture, QUALITY, comment=comment))


def _comment(path: Path) -> str:
    """The comment in a JPEG file; empty if it cannot be read, since the page shows that by itself."""
    try:
        with Image.open(path) as picture:
            return bytes(picture.info.get("comment", b"")).decode("ascii", "replace")
    except OSError:
        return ""
