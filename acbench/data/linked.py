"""Makes a copy of a dataset's folder that also holds the masks that its annotations describe.

Nothing is written into a person's own folder. Files are linked, not copied, where the disk allows it. Where a file or
folder is not read, the copy has a symbolic link to it, which is refused: so whoever reads the copy is told of it, too.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from acbench._util.console import Progress
from acbench.data.segments import VERSION, Drawing, draw
from acbench.data.sources._walk import Walked, walk
from acbench.errors import ImageError
from acbench.storage.atomic import write_bytes
from acbench.storage.digests import digest
from acbench.storage.files import FileRefused, FileTree
from acbench.storage.typed_json import any_json

_KEYS = ".masks.json"
"""Ends the name of the file, beside the copy, that says what each mask was drawn from."""


def copy_with_masks(
    tree: FileTree, drawings: Mapping[str, Drawing], folder: Path, *, progress: Progress = lambda done, total: None
) -> Path:
    """Make `folder` hold the files of `tree`, and the masks that `drawings` describe (path → mask). Returns `folder`.

    What is there as it should be is left alone, and what no longer belongs there is removed. A mask that cannot be
    drawn is left out: the image's boxes count then.
    """
    walked = walk(tree)
    paths = _paths(walked)
    for path in _paths(walk(FileTree(folder))) - paths - drawings.keys():
        (folder / path).unlink(missing_ok=True)
        with suppress(OSError):
            os.removedirs((folder / path).parent)
    for path in sorted(paths - drawings.keys()):
        _put(tree, path, folder / path)
    known = _known(folder)
    keys: dict[str, str] = {}
    for done, (path, drawing) in enumerate(drawings.items(), start=1):
        progress(done, len(drawings))
        keys[path] = _key(tree, drawing)
        if known.get(path) != keys[path] or not (folder / path).is_file():
            try:
                write_bytes(folder / path, _png(tree, drawing))
            except (ImageError, ValueError, TypeError, OverflowError, FileRefused):
                (folder / path).unlink(missing_ok=True)  # a former one says what the annotations no longer do
    write_bytes(folder.with_name(f"{folder.name}{_KEYS}"), json.dumps(keys).encode())
    return folder


def _key(tree: FileTree, drawing: Drawing) -> str:
    """A hash of all that decides a mask."""
    stamp = ""
    if _is_measured(drawing):
        with suppress(FileRefused):
            stamp = tree.locate(drawing.image).stamp
    return digest(VERSION, drawing.shapes, drawing.size, drawing.relative, drawing.image, stamp)


def _is_measured(drawing: Drawing) -> bool:
    """Whether the size of a mask is that of its image's file."""
    return drawing.relative or 0 in drawing.size


def _known(folder: Path) -> Mapping[str, str]:
    """Path of a mask → what it was drawn from."""
    try:
        keys = any_json(folder.with_name(f"{folder.name}{_KEYS}").read_bytes())
    except OSError:
        return {}
    return keys if isinstance(keys, dict) else {}


def _png(tree: FileTree, drawing: Drawing) -> bytes:
    from PIL import Image

    from acbench.data.images import probe

    header = probe(tree.read(drawing.image)) if _is_measured(drawing) else None
    size = (header.width, header.height) if header else drawing.size
    file = io.BytesIO()
    Image.fromarray(draw(drawing.shapes, size, relative=drawing.relative)).save(file, "PNG")
    return file.getvalue()


def _paths(walked: Walked) -> set[str]:
    """Paths of all files, and of all that is not read."""
    files = {file.path for file in walked.images} | {entry.path for entry in walked.others}
    return (files | {finding.path for finding in walked.findings}) - {"."}


def _put(tree: FileTree, path: str, target: Path) -> None:
    """Make `target` stand for what is at a path of the tree."""
    try:
        _link(Path(tree.locate(path).address), target)
    except FileRefused:
        original = Path(tree.root) / path
        if target.is_symlink() and target.readlink() == original:
            return
        target.unlink(missing_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another shard was quicker
            target.symlink_to(original)


def _link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, or a copy of it on another disk."""
    before = source.stat()
    with suppress(OSError):
        there = target.lstat()
        same_file = (there.st_dev, there.st_ino) == (before.st_dev, before.st_ino)
        if same_file or (there.st_size, there.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
            return
        target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:  # another shard was quicker
        return
    except OSError:
        shutil.copy2(source, target)
