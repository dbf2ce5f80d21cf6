"""Toy datasets on disk, in the layouts of the real ones.

`toy_*` draw small images with a visible defect and its mask. `full_tree` writes one tiny image under each path of a
listing, so that a test sees the real number of files under their real names within seconds.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


TOY_MVTEC_AD: Mapping[str, Sequence[str]] = {
    "bottle": ("broken_large", "contamination"),
    "screw": ("scratch_head", "thread_top"),
}
"""Category → classes of anomalous images, all of which exist in MVTec-AD."""
TOY_VISA: Mapping[str, Sequence[str]] = {
    "candle": ("chunk of wax missing", "chunk of wax missing,different colour spot"),
    "pcb4": ("scratch", "missing,dirt"),
}
"""Category → label strings of anomalous images, all of which exist in VisA."""
SIZE = 48
"""Width and height of a toy image, pixels."""


def toy_mvtec_ad(
    root: Path,
    categories: Mapping[str, Sequence[str]] = TOY_MVTEC_AD,
    *,
    train: int = 3,
    good: int = 2,
    each: int = 2,
) -> Path:
    """Draw a dataset in the layout of MVTec-AD, with `each` images a class, and return `root`."""
    for category, classes in categories.items():
        for index in range(train):
            _draw(root / f"{category}/train/good/{index:03}.png", f"{category} train {index}")
        for index in range(good):
            _draw(root / f"{category}/test/good/{index:03}.png", f"{category} good {index}")
        for name in classes:
            for index in range(each):
                mask = root / f"{category}/ground_truth/{name}/{index:03}_mask.png"
                _draw(root / f"{category}/test/{name}/{index:03}.png", f"{category} {name} {index}", mask)
    return root


def toy_visa(
    root: Path,
    categories: Mapping[str, Sequence[str]] = TOY_VISA,
    *,
    normal: int = 4,
    each: int = 2,
) -> Path:
    """Draw a dataset in the layout of VisA's archive, with `each` images a label string, and return `root`.

    The last normal image is number 13, which the standard split keeps for testing in every category.
    """
    for category, strings in categories.items():
        labels: dict[str, str] = {}
        data = f"{category}/Data"
        digits = 4 if category in {"candle", "macaroni1", "macaroni2", "pcb1", "pcb2", "pcb3", "pcb4"} else 3
        for index in (*range(normal - 1), 13):
            image = f"{data}/Images/Normal/{index:0{digits}}.JPG"
            _draw(root / image, f"{category} normal {index}")
            labels[image] = "normal"
        for index in range(each * len(strings)):
            image, mask = f"{data}/Images/Anomaly/{index:03}.JPG", f"{data}/Masks/Anomaly/{index:03}.png"
            _draw(root / image, f"{category} anomaly {index}", root / mask, value=1 + index % len(strings))
            labels[image] = strings[index // each]
        write_image_anno(root, labels)
    return root


def write_image_anno(root: Path, labels: Mapping[str, str]) -> None:
    """Write VisA's `<category>/image_anno.csv` for images with their label strings."""
    rows: dict[str, list[tuple[str, str, str]]] = {}
    for image, label in labels.items():
        mask = image.replace("/Images/", "/Masks/").rpartition(".")[0] + ".png" if label != "normal" else ""
        rows.setdefault(image.partition("/")[0], []).append((image, label, mask))
    for category, category_rows in rows.items():
        path = root / category / "image_anno.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("image", "label", "mask"))
            writer.writerows(category_rows)


def full_tree(root: Path, paths: Iterable[str]) -> Path:
    """Write a tiny valid image under each path, by its extension, and return `root`. No two have the same bytes."""
    folders: set[Path] = set()
    for path in paths:
        target = root / path
        if target.parent not in folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            folders.add(target.parent)
        target.write_bytes(tiny_image(path))
    return root


def tiny_image(name: str) -> bytes:
    """An 8×8 image in the format of the name's extension; no two names give the same bytes. `.tif` and
    `.pgm` have 16 bits a pixel."""
    extension = name.lower().rpartition(".")[2]
    if extension == "png":
        return tiny_png(name)
    if extension in ("bmp", "gif", "pbm", "pgm", "pnm", "ppm", "tif", "tiff", "webp"):
        return _tiny(name, extension)
    return tiny_jpeg(name)


def _tiny(name: str, extension: str) -> bytes:
    """A white square, and a row of pixels that depends on the name; of 12 bits where the format has 16."""
    import numpy as np
    from PIL import Image

    is_deep = extension in ("tif", "tiff", "pgm")
    pixels = np.zeros((8, 8), np.uint16 if is_deep else np.uint8)
    pixels[3:5, 3:5] = 0xFFF if is_deep else 0xFF
    pixels[0] = np.frombuffer(hashlib.blake2b(name.encode(), digest_size=8).digest(), np.uint8)
    file = io.BytesIO()
    picture = Image.fromarray(pixels).convert("1") if extension == "pbm" else Image.fromarray(pixels)
    formats = {"tif": "TIFF", "tiff": "TIFF", "bmp": "BMP", "gif": "GIF", "webp": "WEBP"}
    picture.save(file, formats.get(extension, "PPM"), **({"lossless": True} if extension == "webp" else {}))
    return file.getvalue()


def tiny_png(comment: str = "") -> bytes:
    """An 8×8 black PNG with a white square, so that it can be a mask, and a comment in it."""
    start, end = _blank("PNG"), len(_blank("PNG")) - 12  # before IEND
    chunk = b"tEXt" + b"Comment\0" + comment.encode()
    return b"".join(
        (
            start[:end],
            (len(chunk) - 4).to_bytes(4, "big"),
            chunk,
            zlib.crc32(chunk).to_bytes(4, "big"),
            start[end:],
        )
    )


def tiny_jpeg(comment: str = "") -> bytes:
    """An 8×8 grey JPEG with a comment in it."""
    text = comment.encode()
    return b"".join((b"\xff\xd8\xff\xfe", (len(text) + 2).to_bytes(2, "big"), text, _blank("JPEG")[2:]))


@cache
def _blank(kind: str) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    square = Image.new("L", (8, 8))
    square.paste(255, (3, 3, 5, 5))
    square.save(file, kind)
    return file.getvalue()


def _draw(path: Path, seed: str, mask: Path | None = None, value: int = 255) -> None:
    """Draw a disc on noise. With `mask`, also draw a bright spot and mark it there with the grey level `value`."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(zlib.crc32(seed.encode()))
    picture = random.integers(0, 40, (SIZE, SIZE, 3), dtype=np.uint8)
    picture[_disc(SIZE // 2, SIZE // 2, SIZE // 3)] += 120
    path.parent.mkdir(parents=True, exist_ok=True)
    if mask is not None:
        x, y = (int(place) for place in random.integers(SIZE // 3, 2 * SIZE // 3, 2))
        spot = _disc(x, y, SIZE // 10)
        picture[spot] = (250, 240, 60)
        mask.parent.mkdir(parents=True, exist_ok=True)
        indexed = Image.fromarray(np.where(spot, value, 0).astype(np.uint8))
        if value != 255:
            indexed.putpalette([shade for index in range(256) for shade in (index, 255 - index, 0)])
        indexed.save(mask)
    Image.fromarray(picture).save(path)


def _disc(x: int, y: int, radius: int) -> NDArray[np.bool_]:
    import numpy as np

    rows, columns = np.ogrid[:SIZE, :SIZE]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 <= radius**2, dtype=np.bool_)


def draw_toy(path: Path, seed: str, spots: int, mask: Path | None = None) -> list[tuple[int, int, int, int]]:
    """Draw a disc on noise with that many bright spots; gives the box of each: left, top, right, bottom."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(zlib.crc32(seed.encode()))
    picture = random.integers(0, 40, (SIZE, SIZE, 3), dtype=np.uint8)
    picture[_disc(SIZE // 2, SIZE // 2, SIZE // 3)] += 120
    marked = np.zeros((SIZE, SIZE), dtype=np.bool_)
    radius, boxes = SIZE // 12, []
    for number in range(spots):
        x, y = SIZE // 3 + number * SIZE // 3, int(random.integers(SIZE // 3, 2 * SIZE // 3))
        marked |= _disc(x, y, radius)
        boxes.append((x - radius, y - radius, x + radius + 1, y + radius + 1))
    picture[marked] = (250, 240, 60)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    if mask is not None:
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.where(marked, 255, 0).astype(np.uint8)).save(mask)
    return boxes
