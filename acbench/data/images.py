"""Reads image files that may be damaged or hostile: probes headers, decodes images and masks, within limits.

PNG, JPEG and BMP only: the datasets use no others, and their decoders are simple or well tested. TIFF, with its many
codecs and pages, is left out on purpose.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from acbench.data.mask_content import marked_pixels
from acbench.errors import ImageError
from acbench.records import Box, Item
from acbench.storage.digests import digest
from acbench.storage.files import FileRefused, FileTree
from acbench.storage.roots import Root, open_tree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image, ImageFile

MAX_PIXELS = 100_000_000
"""An image with more pixels is refused as a decompression bomb. The largest of MVTec-AD and VisA has 1.5 million."""
JPEG_MASK = "a JPEG cannot be a mask: its compression blurs the edge"
"""Why a JPEG file is refused as a mask."""

_COPY_AGAIN = "copy it again from the original dataset"
_CONVERT = "save it as PNG"


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself before it is decoded."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    mode: str
    """Pillow's name of the pixel format."""
    format: str
    """`PNG`, `JPEG` or `BMP`."""
    deep: bool = False
    """Whether a channel has 16 bits."""


def probe(data: bytes) -> Header:
    """Read the header of an image file, and check that the file was not cut off. Raises ImageError.

    `data` is the whole file. Pixels are not decoded, so damaged ones are found only by `decode`.
    """
    image = _open(data)
    deep = image.format == "PNG" and data[24:25] == b"\x10"  # the bit depth in a PNG's first chunk
    return Header(image.width, image.height, image.mode, str(image.format), deep)


def decode(data: bytes) -> Image.Image:
    """Decode an image file, `data`, in its own pixel format. Raises ImageError."""
    image = _open(data)
    try:
        image.load()
    except Exception as error:  # a decoder can raise almost anything, MemoryError too
        raise ImageError(f"its pixels are damaged: {_reason(error)}", _COPY_AGAIN) from None
    return image


def brightest(image: Image.Image) -> int:
    """The largest value of a pixel in any channel, in the image's own pixel format."""
    import numpy as np

    return int(np.asarray(image).max())


@dataclass(frozen=True)
class ImageReader:
    """Reads the images and masks of one dataset."""

    root: Root
    """Folder or URL to which paths are relative."""
    bits: Mapping[str, int] = field(default_factory=dict)
    """Path of a grey image of 16 bits → how many of them its category uses, 8 to 15; of any other image all."""
    boxed: bool = False
    """Whether boxes mark places of some images."""

    @cached_property
    def key(self) -> tuple[object, ...]:
        """What decides how images look besides their files, as parts of a key; usually nothing."""
        return (digest(sorted(self.bits.items())),) if self.bits else ()

    @cached_property
    def _tree(self) -> FileTree:
        return open_tree(self.root)

    def image(self, path: str) -> Image.Image:
        """The image at `path` as 8-bit RGB. Raises ImageError.

        An EXIF orientation is not applied, because masks are drawn on the stored pixels. Of 16 bits a channel the upper
        eight of those that the category uses are kept, so that the images of a series stay comparable. Transparency is
        dropped.
        """
        with _naming(path):
            return _rgb(decode(self._read(path)), self.bits.get(path, 16))

    def mask(self, path: str, size: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask at `path` as bool[H, W]: True where anomalous. Raises ImageError.

        `size` is (width, height) of its image; a mask of another size is an error. What counts as marked is said in
        `acbench.data.mask_content.marked_pixels`.
        """
        with _naming(path):
            data = self._read(path)
            header = probe(data)
            if header.format == "JPEG":
                raise ImageError(JPEG_MASK, _CONVERT)
            if (header.width, header.height) != tuple(size):
                raise ImageError(
                    f"the mask is {header.width}×{header.height}, its image {size[0]}×{size[1]}",
                    "pair it with the image that it was drawn on",
                )
            return marked_pixels(decode(data))

    def marked(self, item: Item, size: tuple[int, int]) -> NDArray[np.bool_] | None:
        """The places of an item's anomaly as bool[H, W]: its mask, or its boxes, filled; None if nothing marks any.

        `size` is (width, height) of its image. Raises ImageError.
        """
        if item.mask is not None:
            return self.mask(item.mask, size)
        return filled(item.boxes, size) if item.boxes else None

    def _read(self, path: str) -> bytes:
        try:
            return self._tree.read(path)
        except FileRefused as why:
            raise ImageError(why.message, why.hint) from None


def filled(boxes: Iterable[Box], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Boxes on an image of that (width, height) as bool[H, W]: True within any of them."""
    import numpy as np

    marked = np.zeros((size[1], size[0]), dtype=np.bool_)
    for left, top, right, bottom in boxes:
        marked[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return marked


def shrunk(image: Image.Image, longest: int) -> Image.Image:
    """The image as RGB, with a longer edge of at most `longest` pixels."""
    from PIL import Image  # imported late: a run that draws nothing does not need it

    scale = min(1.0, longest / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    colours = image if image.mode == "RGB" else image.convert("RGB")  # Pillow would copy it
    return colours.resize((width, height), Image.Resampling.LANCZOS)


def jpeg(image: Image.Image, quality: int, *, comment: str = "") -> bytes:
    """The image as a JPEG file of that quality (1 to 95), with a comment in ASCII.

    Chroma is not subsampled, which would blur a thin red outline.
    """
    file = io.BytesIO()
    options = {"comment": comment.encode("ascii")} if comment else {}
    image.save(file, "JPEG", quality=quality, subsampling=0, **options)
    return file.getvalue()


def _open(data: bytes) -> ImageFile.ImageFile:
    """An image with its header read. Raises ImageError.

    Pillow's classes are called directly, because `Image.open` tries every format it knows, and only warns of a large
    image.
    """
    opened = next((image_file for magic, image_file in _formats() if data.startswith(magic)), None)
    if opened is None:
        raise ImageError("it is not a PNG, JPEG or BMP, whatever its name says", _CONVERT)
    file = io.BytesIO(data)
    try:
        image = opened(file)
    except Exception as error:  # a damaged file can raise almost anything
        raise ImageError(f"its header is damaged: {_reason(error)}", _COPY_AGAIN) from None
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"it claims {image.width:,}×{image.height:,} pixels; at most {MAX_PIXELS:,} are read",
            "a dataset's image is not that large: replace it with the original",
        )
    if image.width < 1 or image.height < 1:
        raise ImageError("it has no pixels", _COPY_AGAIN)
    if not _is_complete(data, image, file.tell()):
        raise ImageError(f"the end of the {image.format} is missing: the file was cut off", _COPY_AGAIN)
    return image


@cache
def _formats() -> tuple[tuple[bytes, type[ImageFile.ImageFile]], ...]:
    """The first bytes of a file of each format, and Pillow's class that opens it."""
    # imported late: a run without new images does not need them
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin

    return (
        (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
        (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
        (b"BM", BmpImagePlugin.BmpImageFile),
    )


def _is_complete(data: bytes, image: ImageFile.ImageFile, position: int) -> bool:
    """Whether the end of the file is there. `position` is the end of the header; bytes after the end do no harm."""
    if image.format == "PNG":
        return data.rfind(b"IEND\xaeB`\x82") > 0
    if image.format == "JPEG":
        return data.rfind(b"\xff\xd9", position) > 0  # a thumbnail in the header has an end of its own
    compression = int.from_bytes(data[30:34], "little")
    if int.from_bytes(data[14:18], "little") < 40 or compression not in (0, 3):
        return True  # a header without this field, or run lengths: only decoding tells
    stride = (image.width * int.from_bytes(data[28:30], "little") + 31) // 32 * 4
    return len(data) >= int.from_bytes(data[10:14], "little") + stride * image.height


def _rgb(image: Image.Image, bits: int) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):  # Pillow clips at 255 instead of scaling
        import numpy as np
        from PIL import Image

        upper = (np.asarray(image).astype(np.uint32) >> (bits - 8)).clip(0, 255).astype(np.uint8)
        return Image.fromarray(upper).convert("RGB")
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    """An error of Pillow as one short line."""
    text = " ".join(str(error).split())
    return (text or type(error).__name__)[:200]


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Put the path before the message of an ImageError, and make one of any other error of reading."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{path}: {error.message}", error.hint) from None
    except (MemoryError, ValueError, OSError) as error:
        raise ImageError(f"{path}: cannot be decoded: {error}", _COPY_AGAIN) from None
