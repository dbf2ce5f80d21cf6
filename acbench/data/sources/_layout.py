"""Reads what folder layouts have in common: image files of a folder, their masks, and everything out of place.

These are generators that yield findings and return what they read: `images = yield from image_files(…)`.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from typing import NamedTuple

from acbench._util.packed import Packed
from acbench.records import Finding
from acbench.storage.files import FileRefused, FileTree, FolderEntry
from acbench.storage.texts import Texts

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


class ImageFile(NamedTuple):
    """An image or a mask, by its path alone."""

    path: str
    problem: Finding | None = None
    """Why it cannot be used."""

    @property
    def stem(self) -> str:
        """Its name, without the extension."""
        return self.path.rpartition("/")[2].rpartition(".")[0]

    @property
    def extension(self) -> str:
        """In lower case, with its dot."""
        return self.path[self.path.rindex(".") :].lower()


def image_list(files: Iterable[ImageFile] = ()) -> Packed[ImageFile]:
    """A list of files, of which there may be very many."""
    return Packed(tuple, ImageFile._make, files)


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


def image_files(tree: FileTree, folder: str, extension: str, title: str) -> Generator[Finding, None, Packed[ImageFile]]:
    """The files in a folder that have an image's extension; `extension` is that of the dataset called `title`."""
    files = image_list()
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
    yield from collisions(lambda: (file.path for file in files))
    if not files:
        yield Finding(path=folder, kind="empty_folder", detail="there is no image in it")
    return files


def pair_masks(
    images: Packed[ImageFile],
    masks: Packed[ImageFile],
    folder: str,
    suffix: str = "",
    extension: str = ".png",
    *,
    optional: bool = False,
) -> Generator[Finding, None, Callable[[ImageFile], str | None]]:
    """What gives the path of the mask of an image, or None: the mask in `folder` with the image's name and `suffix`.

    With `optional`, as for normal images, a missing mask is no finding.
    """
    named = _ByName(masks, extension)
    owner = array("q", [-1]) * len(masks)
    """Number of a mask → number of the first image that has it."""
    for number, image in enumerate(images):
        name = f"{image.stem}{suffix}"
        mask = named.place(name)
        if mask is None:
            if optional:
                continue
            yield Finding(
                path=image.path,
                kind="missing_mask",
                detail=f"there is no mask {folder}/{name}{extension}",
                hint="without it, nothing can point at the defect: see where the dataset came from",
            )
        elif owner[mask] >= 0:
            yield Finding(
                path=image.path,
                kind="shared_mask",
                detail=f"it and {images[owner[mask]].path} have one name, and thus one mask",
                hint="under names of their own, each can have a mask of its own",
            )
        else:
            owner[mask] = number
            if (why := named.problems.get(mask)) is not None:
                yield _unreadable_mask(named.paths[mask], why)
    for mask, number in enumerate(owner):
        if number < 0:
            yield Finding(
                path=named.paths[mask],
                kind="mask_without_image",
                detail=f"it is not used: {'another mask' if mask in named.spare else 'no image'} has its name",
                hint=f"a mask has the name of its image, then `{suffix}{extension}`" if suffix else "",
            )

    def mask_of(image: ImageFile) -> str | None:
        mask = named.place(f"{image.stem}{suffix}")
        return None if mask is None or mask in named.problems else named.paths[mask]

    return mask_of


class _ByName:
    """Masks of one folder by their names. Those with the dataset's own extension have the lowest numbers."""

    def __init__(self, masks: Packed[ImageFile], extension: str) -> None:
        self.paths = Texts()
        self.problems: dict[int, Finding] = {}
        """Number of a mask → why it cannot be used."""
        self._names = Texts()
        others = image_list()
        for mask in masks:
            self._add(mask) if mask.extension == extension else others.append(mask)
        for mask in others:
            self._add(mask)
        alike = self._names.repeated
        self.spare = {number for number in alike if self._names.place(self._names[number]) != number}
        """The numbers of masks whose name another one has."""

    def _add(self, mask: ImageFile) -> None:
        if mask.problem is not None:
            self.problems[len(self.paths)] = mask.problem
        self.paths.append(mask.path)
        self._names.append(_key(mask.stem))

    def place(self, name: str) -> int | None:
        """The number of the mask of that name."""
        return self._names.place(_key(name))


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


def _entries(tree: FileTree, folder: str) -> Generator[Finding, None, Sequence[FolderEntry]]:
    try:
        return tree.entries(folder)
    except FileRefused as why:
        yield why.finding(folder)
        return []


def image_file(entry: FolderEntry) -> ImageFile | None:
    """The image or mask that an entry is; None if it has no image's extension, or is a folder with such a name."""
    _, dot, extension = entry.name.rpartition(".")
    extension = f".{extension.lower()}"
    if not dot or is_litter(entry.name) or extension not in IMAGES:
        return None
    why = entry.refused
    if entry.kind == "folder":
        why = FileRefused("not_a_file", "it is a folder, not a file", "an image is a file")
    elif why is None and extension in _NOT_READ:
        why = FileRefused("unsupported_format", f"a {extension} is not read", "save a copy as PNG beside it")
    return ImageFile(entry.path, None if why is None else why.finding(entry.path))


def collisions(paths: Callable[[], Iterable[str]]) -> Iterator[Finding]:
    """Findings about files whose names are one on some disks. `paths` gives them, as often as it is asked."""
    import numpy as np

    hashes = np.fromiter((hash(_key(path).casefold()) for path in paths()), dtype=np.int64)
    hashes.sort()
    repeated = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if not repeated:
        return
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths():
        if hash(form := _key(path).casefold()) in repeated:
            alike[form].append(path)
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
