"""Copies the images that another program holds into a folder, with a table of them that `source: table` reads."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from acbench._util.console import Progress
from acbench.data.images import probe
from acbench.errors import ImageError, SourceError
from acbench.storage.atomic import write_bytes
from acbench.storage.typed_json import any_json

MAX_IMAGES = 1_000_000
MAX_BYTES = 200 << 30
"""Bytes of all images and masks of a dataset that are copied."""
MAX_IMAGE = 512 << 20
"""Bytes of one image."""
TABLE = "metadata.jsonl"
IMAGES, MASKS = "images", "masks"
"""Folders of the copy."""
_KEY = ".key.json"
"""Ends the name of the file, beside the copy, that says what was copied."""
_EXTENSIONS = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp", "GIF": ".gif"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignImage:
    """One image of another program."""

    data: bytes
    """The file; empty if there is none."""
    cells: Mapping[str, Any]
    """What is known of it: columns of the table, as values of JSON."""
    mask: bytes = b""
    """The file of its mask; empty if there is none."""


class ForeignDataset(Protocol):
    """A dataset of another program, such as the Hub's."""

    @property
    def key(self) -> str:
        """A text that changes whenever the dataset does. Raises AcbenchError if there is no such dataset."""

    @property
    def size(self) -> int:
        """About how many images there are."""

    def images(self) -> Iterator[ForeignImage]:
        """Every image. Raises AcbenchError."""


def copy_of(dataset: ForeignDataset, folder: Path, *, progress: Progress = lambda done, total: None) -> Path:
    """Make `folder` hold the images of a dataset, unless it does. Returns `folder`.

    An image is named by the first 16 hex digits of its SHA-256, so that it keeps its name when others are added. Raises
    SourceError for a dataset that is too large.
    """
    key = dataset.key
    if _is_complete(folder, key):
        return folder
    _key_file(folder).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
    (folder / IMAGES).mkdir(parents=True)
    lines: list[str] = []
    names: dict[str, int] = {}
    total = 0
    for number, image in enumerate(dataset.images(), start=1):
        total += len(image.data) + len(image.mask)
        if number > MAX_IMAGES or total > MAX_BYTES or len(image.data) > MAX_IMAGE:
            shutil.rmtree(folder)
            raise SourceError(
                f"it has more than {MAX_IMAGES:,} images, {MAX_BYTES >> 30} GiB, or {MAX_IMAGE >> 20} MiB in an image",
                "copy a part of it into a folder, and read that: source: table",
            )
        stem = hashlib.sha256(image.data).hexdigest()[:16] if image.data else f"missing{number}"
        names[stem] = names.get(stem, 0) + 1
        stem += f"-{names[stem]}" if names[stem] > 1 else ""
        row: dict[str, Any] = {"image": f"{IMAGES}/{stem}{_extension(image.data)}", **image.cells}
        if image.data:
            (folder / row["image"]).write_bytes(image.data)
        if image.mask:
            row["mask"] = f"{MASKS}/{stem}.png"
            (folder / MASKS).mkdir(exist_ok=True)
            (folder / row["mask"]).write_bytes(image.mask)
        lines.append(json.dumps(row, ensure_ascii=False, default=str) + "\n")
        progress(number, max(dataset.size, number))
    write_bytes(folder / TABLE, "".join(lines).encode())
    write_bytes(_key_file(folder), json.dumps(key).encode())
    return folder


def _key_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}{_KEY}")


def _is_complete(folder: Path, key: str) -> bool:
    """Whether the folder holds the dataset of this key: the key is written last."""
    try:
        return folder.is_dir() and bool(any_json(_key_file(folder).read_bytes()) == key)
    except OSError:
        return False


def _extension(data: bytes) -> str:
    try:
        return _EXTENSIONS.get(probe(data).format, ".png")
    except ImageError:
        return ".png"  # it is read, and found damaged
