"""The four pictures of a task, as JPEG files whose names tell nothing about the label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image

from acbench import evidence, imaging, store
from acbench.errors import AcbenchError
from acbench.ledger import digest
from acbench.records import Item
from acbench.roots import Root
from acbench.stages.pictures import beside

LONGEST = 1280
"""Longer edge of a picture, pixels: what a screen shows."""
QUALITY = 90
_VERSION = 1
"""Part of every name. Raise it when pictures are drawn differently."""
_EMPTY = (228, 228, 226)


def draw(
    items: Sequence[Item],
    references: Mapping[str, Sequence[Item]],
    root: Root,
    folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, dict[str, Path]]:
    """Draw what is not there yet; gives each item's pictures: `image`, `contour`, `crop` and `reference`.

    `references`: see `stages.pictures`; where there is no other normal image, a grey field is shown. An image without a
    mask is shown whole in every place; what cannot be read is a grey field too.
    """
    found: dict[str, dict[str, Path]] = {}
    for done, item in enumerate(items, start=1):
        paths = {name: _place(folder, item, name) for name in ("image", "contour", "crop")}
        if not all(path.exists() for path in paths.values()):
            for name, picture in _pictures(item, root).items():
                _save(paths[name], picture)
        normal = beside(item, references)
        paths["reference"] = _place(folder, normal, "reference") if normal else folder / "no-reference.jpg"
        if not paths["reference"].exists():
            _save(paths["reference"], _image(normal, root) if normal else _nothing())
        found[item.item_id] = paths
        progress(done, len(items))
    return found


def _place(folder: Path, item: Item, name: str) -> Path:
    mark = digest(_VERSION, item.sha256, item.mask_sha256, length=8)
    return folder / f"{item.item_id}-{mark}.{name}.jpg"


def _pictures(item: Item, root: Root) -> dict[str, Image.Image]:
    image = _image(item, root)
    if item.mask is not None:
        try:
            mask = imaging.open_mask(item.mask, root, (item.width, item.height))
            whole = imaging.open_image(item.image, root)
            marked, close = evidence.contour(whole, mask, longest=LONGEST), evidence.close_up(whole, mask)
            return {"image": image, "contour": marked, "crop": close}
        except AcbenchError:  # `ingest` has told of it
            return {"image": image, "contour": image, "crop": image}
    return {"image": image, "contour": image, "crop": image}


def _image(item: Item, root: Root) -> Image.Image:
    try:
        image = imaging.open_image(item.image, root)
    except AcbenchError:  # `ingest` has told of it
        return _nothing()
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return image


def _nothing() -> Image.Image:
    return Image.new("RGB", (448, 448), _EMPTY)


def _save(path: Path, picture: Image.Image) -> None:
    store.write_bytes(path, imaging.jpeg(picture, QUALITY))
