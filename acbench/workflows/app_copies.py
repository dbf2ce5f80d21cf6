"""Makes copies of what the FiftyOne App cannot show: files that no browser shows, and several masks of an image."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from acbench.data.images import ImageReader, jpeg, united_png
from acbench.errors import AcbenchError
from acbench.records import Item, mask_files
from acbench.storage.atomic import write_bytes
from acbench.storage.files import FileTree

UNSHOWN = frozenset({".tif", ".tiff", ".pbm", ".pgm", ".pnm", ".ppm"})
"""Extensions of files that acbench reads and browsers do not."""
_QUALITY = 95


def copies(items: Sequence[Item], images: ImageReader, root: Path, folder: Path) -> dict[str, Path]:
    """Path of an image or mask, as its item has it → the copy of it in `folder` that can be shown.

    A copy that is there is not made again, and copies that nobody needs go. What cannot be read has no copy.
    """
    made: dict[str, Path] = {}
    tree = FileTree(root)
    for item in items:
        with suppress(AcbenchError):
            if Path(item.image).suffix.lower() in UNSHOWN and not item.problem:
                bits = images.bits.get(item.image, 16)  # they decide how bright it is shown
                path = folder / f"{item.item_id}-{item.sha256[:12]}-{bits}.jpg"
                if not path.exists():
                    write_bytes(path, jpeg(images.image(item.image), _QUALITY))
                made[item.image] = path
        files = mask_files(item.mask) if item.mask else ()
        with suppress(AcbenchError):
            if item.mask and item.mask_sha256 and (len(files) > 1 or Path(files[0]).suffix.lower() in UNSHOWN):
                path = folder / f"{item.item_id}-{item.mask_sha256[:12]}.mask.png"
                if not path.exists():
                    write_bytes(path, united_png([tree.read(file) for file in files]))
                made[item.mask] = path
    needed = set(made.values())
    for path in folder.glob("*.*"):
        if path not in needed:
            path.unlink()
    return made
