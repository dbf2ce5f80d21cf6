"""Pictures that strangers made: headers probed, images and masks decoded, within bounds.

PNG, JPEG and BMP only: what the data sets hold, and raw or well-trodden decoders. TIFF, with its many codecs
and pages, is left out on purpose.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from acbench.errors import ImageError
from acbench.storage.files import FileRefused, FileTree
from acbench.storage.roots import Root, open_tree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image, ImageFile

MAX_PIXELS = 100_000_000
"""A picture with more pixels is taken for a decompression bomb. The largest of MVTec-AD and VisA has 1.5
million."""

_AGAIN = "copy it again from the original data set"
_CONVERT = "save it as PNG"


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says of itself before it is decoded."""

    width: int
    height: int
    mode: str
    """Pillow's name of the pixel format."""
    format: str
    """`PNG`, `JPEG` or `BMP`."""


def probe(data: bytes) -> Header:
    """Read the header of a whole picture file, and see that its end is there. Raises ImageError.

    Pixels are not decoded: damage within them is found by `ImageReader`.
    """
    picture = _open(data)
    return Header(picture.width, picture.height, picture.mode, str(picture.format))


def decode(data: bytes) -> Image.Image:
    """A whole picture file, decoded, in its own mode. Raises ImageError."""
    picture = _open(data)
    try:
        picture.load()
    except Exception as error:  # MemoryError as well
        raise ImageError(f"its pixels are damaged: {_reason(error)}", _AGAIN) from None
    return picture


@dataclass(frozen=True)
class ImageReader:
    """Reads the images and masks of one dataset."""

    root: Root
    """Folder or URL that paths are relative to."""

    @cached_property
    def _tree(self) -> FileTree:
        return open_tree(self.root)

    def image(self, path: str) -> Image.Image:
        """The image at `path` as 8-bit RGB, in the orientation it is stored in. Raises ImageError.

        An EXIF orientation is not applied, since masks are drawn on the stored pixels. 16 bits a channel are cut
        to the upper eight, so that images of one series stay comparable. Transparency is dropped.
        """
        with _naming(path):
            return _rgb(decode(self._read(path)))

    def mask(self, path: str, size: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask at `path` as bool[H, W]: True where anomalous. Raises ImageError.

        `size` is (width, height) of its image; a mask of another size is an error. Every value but 0 counts:
        masks are black and white, grey, or indexed by the kind of defect. Transparency is ignored.
        """
        import numpy as np

        with _naming(path):
            data = self._read(path)
            header = probe(data)
            if header.format == "JPEG":
                raise ImageError("a JPEG cannot be a mask: its compression blurs the edge", _CONVERT)
            if (header.width, header.height) != tuple(size):
                raise ImageError(
                    f"the mask is {header.width}×{header.height}, its image {size[0]}×{size[1]}",
                    "pair it with the image that it was drawn on",
                )
            picture = decode(data)
            pixels = np.asarray(picture)
            if pixels.ndim == 3:
                colours = pixels[..., :-1] if picture.mode in {"RGBA", "LA", "La", "PA", "RGBa"} else pixels
                return np.asarray(colours.any(axis=2), dtype=np.bool_)
            return np.asarray(pixels != 0, dtype=np.bool_)

    def _read(self, path: str) -> bytes:
        try:
            return self._tree.read(path)
        except FileRefused as why:
            raise ImageError(why.message, why.hint) from None


def within(picture: Image.Image, longest: int) -> Image.Image:
    """The picture as RGB, shrunk if its longer edge has more than `longest` pixels."""
    from PIL import Image  # runs that draw nothing new do without

    scale = min(1.0, longest / max(picture.size))
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def jpeg(picture: Image.Image, quality: int, *, comment: str = "") -> bytes:
    """The picture as a JPEG file, without chroma subsampling: it would blur a thin red outline. `comment`: ASCII."""
    file = io.BytesIO()
    more = {"comment": comment.encode("ascii")} if comment else {}
    picture.save(file, "JPEG", quality=quality, subsampling=0, **more)
    return file.getvalue()


def _open(data: bytes) -> ImageFile.ImageFile:
    """A picture with its header read.

    Pillow's classes are called directly: `Image.open` would try every format it knows, and warn about a large
    picture instead of refusing it.
    """
    reader = next((reader for magic, reader in _readers() if data.startswith(magic)), None)
    if reader is None:
        raise ImageError("it is not a PNG, JPEG or BMP, whatever its name says", _CONVERT)
    file = io.BytesIO(data)
    try:
        picture = reader(file)
    except Exception as error:  # a damaged file can raise almost anything
        raise ImageError(f"its header is damaged: {_reason(error)}", _AGAIN) from None
    if picture.width * picture.height > MAX_PIXELS:
        raise ImageError(
            f"it claims {picture.width:,}×{picture.height:,} pixels; at most {MAX_PIXELS:,} are read",
            "a data set's image is not that large: replace it with the original",
        )
    if picture.width < 1 or picture.height < 1:
        raise ImageError("it has no pixels", _AGAIN)
    if not _complete(data, picture, file.tell()):
        raise ImageError(f"the end of the {picture.format} is missing: the file was cut off", _AGAIN)
    return picture


@cache
def _readers() -> tuple[tuple[bytes, type[ImageFile.ImageFile]], ...]:
    """How a file of each format begins, and Pillow's reader of it."""
    # A run with no new picture to open does not need them.
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin

    return (
        (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
        (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
        (b"BM", BmpImagePlugin.BmpImageFile),
    )


def _complete(data: bytes, picture: ImageFile.ImageFile, position: int) -> bool:
    """Whether the file's end is there. `position` is where the header ended; bytes after the end do no
    harm."""
    if picture.format == "PNG":
        return data.rfind(b"IEND\xaeB`\x82") > 0
    if picture.format == "JPEG":
        return data.rfind(b"\xff\xd9", position) > 0  # a thumbnail in the header has an end of its own
    compression = int.from_bytes(data[30:34], "little")
    if int.from_bytes(data[14:18], "little") < 40 or compression not in (0, 3):
        return True  # no such field, or run lengths: decoding will tell
    stride = (picture.width * int.from_bytes(data[28:30], "little") + 31) // 32 * 4
    return len(data) >= int.from_bytes(data[10:14], "little") + stride * picture.height


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith("I"):  # Pillow would clip at 255 instead of scaling
        import numpy as np
        from PIL import Image

        return Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return (text or type(error).__name__)[:200]


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Puts the path before the message of an ImageError."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{path}: {error.message}", error.hint) from None
    except (MemoryError, ValueError, OSError) as error:
        raise ImageError(f"{path}: cannot be decoded: {error}", _AGAIN) from None
