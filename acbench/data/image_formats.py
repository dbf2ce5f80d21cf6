"""Opens image files by their first bytes, within limits: which formats are read, and whether a file was cut off.

Pillow's classes are called directly, because `Image.open` tries every format it knows, and only warns of a large image.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from acbench.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image, ImageFile

MAX_PIXELS = 100_000_000
"""An image with more pixels is refused as a decompression bomb. The largest of MVTec-AD and VisA has 1.5 million."""
FORMATS = "PNG, JPEG, BMP, TIFF, WebP, GIF, PBM, PGM or PPM"
COPY_AGAIN = "copy it again from where it came from"
CONVERT = "save a copy as PNG"

_PNG_HEAD, _PNG_END = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", b"IEND\xaeB`\x82"
_PNG_MODES = {b"\x08\0\0\0": "L", b"\x08\2\0\0": "RGB", b"\x08\4\0\0": "LA", b"\x08\6\0\0": "RGBA"}
"""Bits, colours, compression and filter, as the header has them → Pillow's mode."""
_PNM = re.compile(
    rb"P([1-6])(?:\s|#[^\r\n]*[\r\n])+(\d{1,9})(?:\s|#[^\r\n]*[\r\n])+(\d{1,9})(?:\s|#[^\r\n]*[\r\n])+(\d{1,5})?"
)
_PNM_HEADER = 4096
"""Bytes in which the header of a portable map has to end: its comments could go on for ever."""
_FLOATS = "its values are floating-point numbers, whose range nobody knows"


def open_image(data: bytes) -> ImageFile.ImageFile:
    """An image with its header read; `data` is the whole file. Raises ImageError."""
    opener = _opener(data)
    file = io.BytesIO(data)
    try:
        image = opener(file)
    except ImageError:
        raise
    except Exception as error:  # a damaged file can raise almost anything
        raise ImageError(f"its header is damaged: {reason(error)}", COPY_AGAIN) from None
    refuse_size(image.width, image.height)
    if image.mode == "F":
        raise ImageError(_FLOATS, "save a copy as PNG of 16 bits")
    if not _is_complete(data, image, file.tell()):
        raise ImageError(f"the end of the {image.format} is missing: the file was cut off", COPY_AGAIN)
    return image


def plain_png(data: bytes) -> tuple[int, int, str] | None:
    """Width, height and Pillow's mode of a complete PNG of 8 bits whose pixels follow its header at once.

    None for any other file: Pillow, which takes longer, says what it is.
    """
    if data[:16] != _PNG_HEAD or data[37:41] != b"IDAT" or zlib.crc32(data[12:29]) != int.from_bytes(data[29:33]):
        return None
    width, height, form = int.from_bytes(data[16:20]), int.from_bytes(data[20:24]), _PNG_MODES.get(data[24:28])
    if form is None or not 0 < width * height <= MAX_PIXELS or data.rfind(_PNG_END) <= 0:
        return None
    return width, height, form


def is_deep(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Whether a channel of an image has 16 bits in its file, `data`."""
    if image.format == "PNG":
        return data[24:25] == b"\x10"  # the bit depth in its first chunk
    if image.format == "TIFF":
        return bool(max(getattr(image, "tag_v2", {}).get(258, (1,))) > 8)  # BitsPerSample
    if image.format == "PPM":
        header = _PNM.match(data[:_PNM_HEADER])
        return header is not None and header[1] in b"2356" and int(header[4] or 0) > 255
    return False


def decode_scaled_map(data: bytes) -> Image.Image | None:
    """A binary grey or colour map whose values end elsewhere than at 255 or 65,535, as if they ended there.

    None for any other file. Pillow does it number by number, in Python: a minute for ten million pixels.
    """
    header = _PNM.match(data[:_PNM_HEADER]) if data.startswith((b"P5", b"P6")) else None
    if header is None or header[4] is None or int(header[4]) in (255, 65535):
        return None
    import numpy as np
    from PIL import Image

    width, height, most = int(header[2]), int(header[3]), int(header[4])
    shape = (height, width) if header[1] == b"5" else (height, width, 3)
    kind = np.dtype(">u2" if most > 255 else "u1")
    values = np.frombuffer(data, kind, count=int(np.prod(shape)), offset=header.end(4) + 1).reshape(shape)
    range_of, as_type = (65535, np.uint16) if most > 255 and header[1] == b"5" else (255, np.uint8)
    level = np.minimum(np.rint(np.arange(np.iinfo(kind).max + 1) / most * range_of), range_of).astype(as_type)
    return Image.fromarray(level[values])


def has_more(image: ImageFile.ImageFile) -> bool:
    """Whether a file holds more pictures than the first, which is read."""
    return image.format in ("GIF", "TIFF", "WEBP") and bool(getattr(image, "is_animated", False))


def refuse_size(width: int, height: int) -> None:
    """Raise ImageError for an image without pixels, or with too many of them."""
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"it claims {width:,}×{height:,} pixels; at most {MAX_PIXELS:,} are read",
            "a dataset's image is not that large: save a smaller copy if it is meant to be",
        )
    if width < 1 or height < 1:
        raise ImageError("it has no pixels", COPY_AGAIN)


def reason(error: Exception) -> str:
    """An error of Pillow as one short line."""
    text = " ".join(str(error).split())
    return (text or type(error).__name__)[:200]


def _opener(data: bytes) -> Callable[[io.BytesIO], ImageFile.ImageFile]:
    """Pillow's class for the file. Raises ImageError. Imported late: a run without new images does not need them."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile
    if data.startswith(b"\xff\xd8\xff"):
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile
    if data.startswith(b"BM"):
        from PIL.BmpImagePlugin import BmpImageFile

        return BmpImageFile
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        from PIL.TiffImagePlugin import TiffImageFile

        return TiffImageFile
    if data.startswith((b"GIF87a", b"GIF89a")):
        from PIL.GifImagePlugin import GifImageFile

        return GifImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        from PIL.WebPImagePlugin import WebPImageFile

        refuse_size(*_webp_size(data))  # its decoder takes memory for all pixels as soon as it is opened
        return WebPImageFile
    if _PNM.match(data[:_PNM_HEADER]):
        from PIL.PpmImagePlugin import PpmImageFile

        return PpmImageFile
    raise ImageError(f"it is not a {FORMATS}, whatever its name says", CONVERT)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height that a WebP file claims, in pixels. Raises ImageError."""
    kind, head = data[12:16], data[20:30]
    if len(head) == 10 and kind == b"VP8X":
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    if len(head) == 10 and kind == b"VP8L":
        (bits,) = struct.unpack("<I", head[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(head) == 10 and kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[6:10])
        return width & 0x3FFF, height & 0x3FFF
    raise ImageError("its header is damaged: it is no WebP image", COPY_AGAIN)


def _is_complete(data: bytes, image: ImageFile.ImageFile, position: int) -> bool:
    """Whether the end of the file is there. `position` is the end of the header; bytes after the end do no harm."""
    match image.format:
        case "PNG":
            return data.rfind(_PNG_END) > 0
        case "JPEG":
            return data.rfind(b"\xff\xd9", position) > 0  # a thumbnail in the header has an end of its own
        case "BMP":
            return _is_complete_bmp(data, image)
        case "GIF":
            return data.rstrip(b"\0").endswith(b";")
        case "WEBP":
            return len(data) >= 8 + int.from_bytes(data[4:8], "little")
        case "TIFF":
            tags = getattr(image, "tag_v2", {})
            starts, sizes = (tags.get(273), tags.get(279)) if 273 in tags else (tags.get(324), tags.get(325))
            return all(start + size <= len(data) for start, size in zip(starts or (), sizes or (), strict=False))
        case _:
            return _is_complete_pnm(data, image)


def _is_complete_bmp(data: bytes, image: ImageFile.ImageFile) -> bool:
    compression = int.from_bytes(data[30:34], "little")
    if int.from_bytes(data[14:18], "little") < 40 or compression not in (0, 3):
        return True  # a header without this field, or run lengths: only decoding tells
    stride = (image.width * int.from_bytes(data[28:30], "little") + 31) // 32 * 4
    return len(data) >= int.from_bytes(data[10:14], "little") + stride * image.height


def _is_complete_pnm(data: bytes, image: ImageFile.ImageFile) -> bool:
    header = _PNM.match(data[:_PNM_HEADER])
    assert header is not None, "Pillow would not have opened it"
    numbers = image.width * image.height * (3 if header[1] in b"36" else 1)
    if header[1] in b"123":  # numbers as text, of a digit at least; only those of bits need no space between
        return len(data) >= header.end() + (numbers if header[1] == b"1" else 2 * numbers - 1)
    if header[1] == b"4":
        return len(data) >= header.end(3) + 1 + (image.width + 7) // 8 * image.height
    bits = 2 if int(header[4] or 255) > 255 else 1
    return len(data) >= header.end(4) + 1 + numbers * bits
