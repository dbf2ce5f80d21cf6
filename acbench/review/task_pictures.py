"""The four pictures of a task, as JPEG files whose names tell nothing about the label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image

from acbench.data import evidence
from acbench.data import images as imaging
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.records import Item
from acbench.review.queue_pictures import beside
from acbench.schema.form import ALONE, PLACES, UNMARKED
from acbench.storage.atomic import write_bytes
from acbench.storage.digests import digest

LONGEST = 1280
"""Longer edge of a picture, pixels: what a screen shows."""
CLOSE = 900
"""Edge of a close-up, pixels: the largest thing on the page."""
TALLEST = 1.25
"""Height of a picture by its width; a taller image gets bars beside it, since all of it is to be seen at once."""
QUALITY = 90
_VERSION = 3
"""Part of every name. Raise it when pictures are drawn differently."""
_EMPTY = (228, 228, 226)
_NO_REFERENCE = "no-reference.jpg"


def draw(
    items: Sequence[Item],
    references: Mapping[str, Sequence[Item]],
    images: ImageReader,
    folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, dict[str, Path]]:
    """Draw what is not there yet; gives each item's pictures: `image`, `contour`, `crop` and `reference`.

    `references`: see `stages.pictures`; where there is no other normal image, it is a grey field. Where no place is
    marked, three of them are one and the same file: `marks` tells. What cannot be read is a grey field too.
    """
    found: dict[str, dict[str, Path]] = {}
    for done, item in enumerate(items, start=1):
        paths = _drawn(item, images, folder)
        normal = beside(item, references)
        paths["reference"] = _place(folder, normal, "reference") if normal else folder / _NO_REFERENCE
        if not paths["reference"].exists():
            _save(paths["reference"], _image(normal, images) if normal else _nothing())
        found[item.item_id] = paths
        progress(done, len(items))
    return found


def marks(paths: Mapping[str, Path]) -> dict[str, str]:
    """What the page has to know of an item's pictures, by the names in `schema.form`: text, empty for no."""
    unmarked = paths["contour"] == paths["image"]
    return {
        UNMARKED: "yes" if unmarked else "",
        ALONE: "yes" if paths["reference"].name == _NO_REFERENCE else "",
        PLACES: "" if unmarked else _comment(paths["crop"]),
    }


def _drawn(item: Item, images: ImageReader, folder: Path) -> dict[str, Path]:
    """The item's own pictures, drawn if need be."""
    image, contour, crop = (_place(folder, item, name) for name in ("image", "contour", "crop"))
    if not image.exists():
        _save(image, _image(item, images))
    if item.mask is not None and not (contour.exists() and crop.exists()):
        try:
            mask = images.mask(item.mask, (item.width, item.height))
            whole = images.image(item.image)
        except AcbenchError:  # `ingest` has told of it
            return {"image": image, "contour": image, "crop": image}
        _save(contour, _upright(evidence.contour(whole, mask, longest=LONGEST)))
        close, places = evidence.close_up(whole, mask, edge=CLOSE)
        _save(crop, close, comment=places)  # kept in the file: finding it anew would mean to decode the mask
    if item.mask is None:
        contour = crop = image
    return {"image": image, "contour": contour, "crop": crop}


def _place(folder: Path, item: Item, name: str) -> Path:
    mark = digest(_VERSION, item.sha256, item.mask_sha256, length=8)
    return folder / f"{item.item_id}-{mark}.{name}.jpg"


def _image(item: Item, images: ImageReader) -> Image.Image:
    try:
        image = images.image(item.image)
    except AcbenchError:  # `ingest` has told of it
        return _nothing()
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return _upright(image)


def _upright(image: Image.Image) -> Image.Image:
    """The image between bars, if it is taller than a page shows."""
    width = round(image.height / TALLEST)
    if image.width >= width:
        return image
    page = Image.new("RGB", (width, image.height), _EMPTY)
    page.paste(image, ((width - image.width) // 2, 0))
    return page


def _nothing() -> Image.Image:
    return Image.new("RGB", (448, 448), _EMPTY)


def _save(path: Path, picture: Image.Image, *, comment: str = "") -> None:
    write_bytes(path, imaging.jpeg(picture, QUALITY, comment=comment))


def _comment(path: Path) -> str:
    try:
        with Image.open(path) as picture:
            return bytes(picture.info.get("comment", b"")).decode("ascii", "replace")
    except OSError:  # a file that was damaged shows by itself
        return ""
