"""Reads image files that may be damaged or hostile: probes headers, decodes images and masks, within limits."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from acbench.data.image_formats import (
    CONVERT,
    COPY_AGAIN,
    decode_scaled_map,
    has_more,
    is_deep,
    open_image,
    plain_png,
    reason,
)
from acbench.data.mask_content import marked_pixels
from acbench.errors import ImageError
from acbench.records import Box, Item, mask_files
from acbench.storage.digests import digest
from acbench.storage.files import FileRefused, FileTree
from acbench.storage.roots import Root, open_tree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image, ImageFile

JPEG_MASK = "a JPEG cannot be a mask: its compression blurs the edge"
"""Why a JPEG file is refused as a mask."""


class Header(NamedTuple):
    """What an image file says of itself before it is decoded."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    mode: str
    """Pillow's name of the pixel format."""
    format: str
    """Pillow's name of the file format, such as `PNG`."""
    deep: bool = False
    """Whether a channel has 16 bits."""
    more: bool = False
    """Whether the file holds more pictures than the first, which is read."""


def probe(data: bytes) -> Header:
    """Read the header of an image file, and check that the file was not cut off. Raises ImageError.

    `data` is the whole file. Pixels are not decoded, so damaged ones are found only by `decode`.
    """
    if (plain := plain_png(data)) is not None:
        return Header(*plain, format="PNG")
    return _header(open_image(data), data)


def decode_probed(data: bytes) -> tuple[Header, Image.Image | None]:
    """`probe` and `decode` of a mask, `data`, that is opened once for both; not decoded if it is a JPEG."""
    image = open_image(data)
    header = _header(image, data)
    if header.format == "PNG":
        return header, _decoded(image, data)
    return header, None if header.format == "JPEG" else decode(data)


def decode(data: bytes) -> Image.Image:
    """Decode an image file, `data`, in its own pixel format. Raises ImageError."""
    return _decoded(open_image(data), data)


def _header(image: ImageFile.ImageFile, data: bytes) -> Header:
    deep, more = is_deep(image, data), has_more(image)
    return Header(image.width, image.height, image.mode, str(image.format), deep, more)


def _decoded(image: ImageFile.ImageFile, data: bytes) -> Image.Image:
    try:
        if image.format == "PPM" and (scaled := decode_scaled_map(data)) is not None:
            return scaled
        image.load()
    except Exception as error:  # a decoder can raise almost anything, MemoryError too
        raise ImageError(f"its pixels are damaged: {reason(error)}", COPY_AGAIN) from None
    return image


def decode_rgb(data: bytes) -> Image.Image:
    """Decode an image file as 8-bit RGB: see `ImageReader.image`; of 16 bits the upper eight are kept."""
    return _rgb(decode(data), 16)


def brightest(image: Image.Image) -> int:
    """The largest value of a pixel in any channel, in the image's own format. Raises ImageError beyond 16 bits."""
    import numpy as np

    pixels = np.asarray(image)
    least, most = int(pixels.min()), int(pixels.max())
    if least < 0 or most >= 1 << 16:
        raise ImageError(f"its values go from {least:,} to {most:,}: of at most 16 bits are read", "save 16 bits")
    return most


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

        `path` may name several masks, as `Item.mask` does: what any of them marks is anomalous.

        `size` is (width, height) of its image; a mask of another size is an error. What counts as marked is said in
        `acbench.data.mask_content.marked_pixels`.
        """
        return _union(self._mask(file, size) for file in mask_files(path))

    def _mask(self, path: str, size: tuple[int, int]) -> NDArray[np.bool_]:
        with _naming(path):
            data = self._read(path)
            header = probe(data)
            if header.format == "JPEG":
                raise ImageError(JPEG_MASK, CONVERT)
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


def united_png(masks: Sequence[bytes]) -> bytes:
    """A black and white PNG of what any of some mask files, given as bytes, marks. Raises ImageError."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(_union(marked_pixels(decode(data)) for data in masks)).save(file, "PNG")
    return file.getvalue()


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


def _union(masks: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """What any of some masks, bool[H, W], marks."""
    first, *others = masks
    for other in others:
        first = first | other
    return first


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


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Put the path before the message of an ImageError, and make one of any other error of reading."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{path}: {error.message}", error.hint) from None
    except (MemoryError, ValueError, OSError) as error:
        raise ImageError(f"{path}: cannot be decoded: {error}", COPY_AGAIN) from None
