"""Reads what folder layouts have in common: image files of a folder, their masks, and everything out of place.

These are generators that yield findings and return what they read: `images = yield from image_files(…)`.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from acbench.records import Finding
from acbench.storage.files import FileRefused, FileTree, FolderEntry

_READ = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pbm", ".pgm", ".ppm", ".pnm"}
)
"""Extensions of the image formats that acbench reads."""
_NOT_READ = frozenset({".apng", ".avif", ".exr", ".heic", ".heif", ".jp2", ".jxl", ".npy", ".svg", ".tga"})
"""Extensions of image formats that acbench does not read. Such a file counts as an image with a problem."""
IMAGES = _READ | _NOT_READ
"""Extensions of images, in lower case."""


_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "@eadir", "$recycle.bin", "lost+found"})
"""Names, in lower case, of what systems leave behind."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image or a mask, by its path alone."""

    path: str
    stem: str
    extension: str
    """In lower case, with its dot."""
    problem: Finding | None = None
    """Why it cannot be used."""


def subfolders(
    tree: FileTree, folder: str, only: Collection[str] | None = None, extras: Collection[str] = ()
) -> Generator[Finding, None, list[str]]:
    """Names of the folders in a folder.

    Folders that are not among `only`, and files that are not among `extras`, are out of place.
    """
    entries = yield from _entries(tree, folder)
    expected = [
        entry
        for entry in entries
        if entry.kind == "folder" and not is_litter(entry.name) and (only is None or entry.name in only)
    ]
    for entry in entries:
        if is_litter(entry.name):
            yield litter(entry)
        elif entry not in expected and not (entry.kind == "file" and entry.name.lower() in extras):
            yield stray(entry)
    return [entry.name for entry in expected]


def image_files(tree: FileTree, folder: str, extension: str, title: str) -> Generator[Finding, None, list[ImageFile]]:
    """The files in a folder that have an image's extension; `extension` is that of the dataset called `title`."""
    files = []
    entries = yield from _entries(tree, folder)
    for entry in entries:
        file = image_file(entry)
        if file is None:
            yield stray(entry)
            continue
        files.append(file)
        if file.problem is None and file.extension != extension:
            yield Finding(
                path=entry.path,
                kind="other_format",
                detail=f"it is a {file.extension}, where {title} has {extension}: a converted copy",
                hint="its pixels may differ from the original's; use the original if you can",
            )
    yield from collisions(files)
    if not files:
        yield Finding(path=folder, kind="empty_folder", detail="there is no image in it")
    return files


def pair_masks(
    images: Iterable[ImageFile],
    masks: Iterable[ImageFile],
    folder: str,
    suffix: str = "",
    extension: str = ".png",
    *,
    optional: bool = False,
) -> Generator[Finding, None, dict[str, str | None]]:
    """Path of each image → path of its mask, or None: the mask in `folder` with the image's name and `suffix`.

    With `optional`, as for normal images, a missing mask is no finding.
    """
    mask_named, spare = _by_name(masks, extension)
    mask_of: dict[str, str | None] = {}
    image_of: dict[str, str] = {}
    for image in images:
        name = f"{image.stem}{suffix}"
        mask = mask_named.get(_key(name))
        mask_of[image.path] = mask.path if mask and mask.problem is None else None
        if mask is None:
            if optional:
                continue
            yield Finding(
                path=image.path,
                kind="missing_mask",
                detail=f"there is no mask {folder}/{name}{extension}",
                hint="without it, nothing can point at the defect: see where the dataset came from",
            )
        elif mask.path in image_of:
            yield Finding(
                path=image.path,
                kind="shared_mask",
                detail=f"it and {image_of[mask.path]} have one name, and thus one mask",
                hint="under names of their own, each can have a mask of its own",
            )
        else:
            image_of[mask.path] = image.path
            if mask.problem is not None:
                yield _unreadable_mask(mask.path, mask.problem)
    for mask in sorted(chain(spare, mask_named.values()), key=lambda mask: mask.path):
        if mask.path not in image_of:
            yield Finding(
                path=mask.path,
                kind="mask_without_image",
                detail=f"it is not used: {'another mask' if mask in spare else 'no image'} has its name",
                hint=f"a mask has the name of its image, then `{suffix}{extension}`" if suffix else "",
            )
    return mask_of


def _by_name(masks: Iterable[ImageFile], extension: str) -> tuple[dict[str, ImageFile], list[ImageFile]]:
    """Name → mask, and the masks whose name another one has. The dataset's own extension goes first."""
    by_name: dict[str, ImageFile] = {}
    spare = []
    for mask in sorted(masks, key=lambda mask: (mask.extension != extension, mask.path)):
        if by_name.setdefault(_key(mask.stem), mask) is not mask:
            spare.append(mask)
    return by_name, spare


def _unreadable_mask(path: str, why: Finding) -> Finding:
    return Finding(path=path, kind="unreadable_mask", detail=f"the mask: {why.detail}", hint=why.hint, failed=True)


def is_litter(name: str) -> bool:
    """Whether a name is one that systems and programs leave behind: hidden ones, and a few that everybody knows."""
    return name.startswith(".") or name.lower() in _LITTER


def litter(entry: FolderEntry) -> Finding:
    """The finding about what a system or a program has left behind."""
    what = "a hidden folder" if entry.kind == "folder" else "a file"
    return Finding(path=entry.path, kind="litter", detail=f"{what} of a system or a program: it is not read")


def stray(entry: FolderEntry) -> Finding:
    """The finding about an entry for which the layout has no place."""
    if entry.refused is not None:
        return entry.refused.finding(entry.path)
    if is_litter(entry.name):
        return litter(entry)
    if entry.kind == "folder":
        return Finding(
            path=entry.path,
            kind="stray_folder",
            detail="the layout has no such folder: it is not read",
            hint="it may stay where it is",
        )
    return Finding(
        path=entry.path,
        kind="stray_file",
        detail="the layout has no file here: it is not read",
        hint="it may stay where it is",
    )


def _entries(tree: FileTree, folder: str) -> Generator[Finding, None, list[FolderEntry]]:
    try:
        return tree.entries(folder)
    except FileRefused as why:
        yield why.finding(folder)
        return []


def image_file(entry: FolderEntry) -> ImageFile | None:
    """The image or mask that an entry is; None if it has no image's extension, or is a folder with such a name."""
    stem, dot, extension = entry.name.rpartition(".")
    extension = f".{extension.lower()}"
    if not dot or is_litter(entry.name) or extension not in IMAGES:
        return None
    why = entry.refused
    if entry.kind == "folder":
        why = FileRefused("not_a_file", "it is a folder, not a file", "an image is a file")
    elif why is None and extension in _NOT_READ:
        why = FileRefused("unsupported_format", f"a {extension} is not read", "save a copy as PNG beside it")
    return ImageFile(entry.path, stem, extension, None if why is None else why.finding(entry.path))


def file_at(path: str, problem: Finding | None) -> ImageFile:
    """The image or mask that `image_file` found at a path."""
    stem, _, extension = path.rpartition("/")[2].rpartition(".")
    return ImageFile(path, stem, f".{extension.lower()}", problem)


def collisions(files: Iterable[ImageFile]) -> Iterator[Finding]:
    """Findings about files whose names are one on some disks."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        alike[_key(file.path).casefold()].append(file.path)
    for first, *others in alike.values():
        for other in others:
            yield Finding(
                path=other,
                kind="colliding_names",
                detail=f"its name and that of {first} differ in case or accents' spelling only",
                hint="a disk that ignores case has room for one of them only",
            )


def _key(name: str) -> str:
    """The form in which names are compared: `é` can be one character or two."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
