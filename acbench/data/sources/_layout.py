"""What the readers of folder layouts share: pictures of a folder, their masks, and whatever is out of place.

These are generators that yield findings and return what they found: `images = yield from pictures(…)`.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass
from itertools import chain

from acbench.records import Finding
from acbench.storage.files import FileRefused, FileTree, FolderEntry

READ = frozenset({".png", ".jpg", ".jpeg", ".bmp"})
"""Extensions of the pictures that acbench reads."""
NOT_READ = frozenset(
    {".apng", ".avif", ".exr", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".npy", ".pgm", ".pnm", ".ppm"}
    | {".svg", ".tga", ".tif", ".tiff", ".webp"}
)
"""Extensions of pictures that it does not read: images all the same, so they count and are reported."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A name in a folder of pictures that has the extension of one."""

    path: str
    stem: str
    extension: str
    """In lower case, with its dot."""
    problem: Finding | None = None
    """Why it cannot be used."""


def subfolders(
    tree: FileTree, folder: str, only: Collection[str] | None = None, extras: Collection[str] = ()
) -> Generator[Finding, None, list[str]]:
    """Names of the folders in a folder. All else is out of place: files but for `extras`, folders not among
    `only`."""
    entries = yield from _entries(tree, folder)
    expected = [each for each in entries if each.kind == "folder" and (only is None or each.name in only)]
    for each in entries:
        if each not in expected and not (each.kind == "file" and each.name.lower() in extras):
            yield stray(each)
    return [each.name for each in expected]


def pictures(tree: FileTree, folder: str, extension: str, title: str) -> Generator[Finding, None, list[Picture]]:
    """Whatever in a folder has the extension of a picture. `extension` is the one that the data set itself
    uses."""
    found = []
    entries = yield from _entries(tree, folder)
    for each in entries:
        picture = _picture(each)
        if picture is None:
            yield stray(each)
            continue
        found.append(picture)
        if picture.problem is None and picture.extension != extension:
            yield Finding(
                path=each.path,
                kind="other_format",
                detail=f"it is a {picture.extension}, where {title} has {extension}: a converted copy",
                hint="its pixels may differ from the original's; use the original if you can",
            )
    yield from _collisions(found)
    if not found:
        yield Finding(path=folder, kind="empty_folder", detail="there is no image in it", hint="fill or remove it")
    return found


def paired(
    images: Iterable[Picture],
    masks: Iterable[Picture],
    folder: str,
    suffix: str = "",
    extension: str = ".png",
) -> Generator[Finding, None, dict[str, str | None]]:
    """Path of an image → path of its mask: the file in `folder` named as the image, then `suffix`, by name
    alone."""
    by_name: dict[str, Picture] = {}
    spare = []
    for mask in sorted(masks, key=lambda each: (each.extension != extension, each.path)):
        if by_name.setdefault(_key(mask.stem), mask) is not mask:
            spare.append(mask)
    mask_of: dict[str, str | None] = {}
    users: dict[str, str] = {}
    for image in images:
        name = f"{image.stem}{suffix}"
        mask_or_none = by_name.get(_key(name))
        mask_of[image.path] = mask_or_none.path if mask_or_none and mask_or_none.problem is None else None
        if mask_or_none is None:
            yield Finding(
                path=image.path,
                kind="missing_mask",
                detail=f"there is no mask {folder}/{name}{extension}",
                hint="copy it from the original data set; without it, nothing can point at the defect",
            )
        elif mask_or_none.path in users:
            yield Finding(
                path=image.path,
                kind="shared_mask",
                detail=f"it and {users[mask_or_none.path]} have one name, and thus one mask",
                hint="keep one of the two, or rename one",
            )
        else:
            users[mask_or_none.path] = image.path
            if mask_or_none.problem is not None:
                yield unreadable_mask(mask_or_none.problem, mask_or_none.path)
    for mask in sorted(chain(spare, by_name.values()), key=lambda each: each.path):
        if mask.path not in users:
            yield Finding(
                path=mask.path,
                kind="mask_without_image",
                detail="it is not used: " + ("another mask" if mask in spare else "no image") + " has its name",
                hint=f"a mask is named as its image is, then `{suffix}{extension}`" if suffix else "",
            )
    return mask_of


def unreadable_mask(why: Finding, path: str) -> Finding:
    """A mask that is there and cannot be used; its image still can."""
    return Finding(path=path, kind="unreadable_mask", detail=f"the mask: {why.detail}", hint=why.hint, failed=True)


def stray(entry: FolderEntry) -> Finding:
    """An entry that the layout does not provide for."""
    if entry.refused is not None:
        return entry.refused.finding(entry.path)
    if entry.kind == "folder":
        return Finding(
            path=entry.path,
            kind="stray_folder",
            detail="the layout has no such folder: it is not read",
            hint="move it away",
        )
    return Finding(
        path=entry.path,
        kind="stray_file",
        detail="the layout has no file here: it is not read",
        hint="move it away",
    )


def _entries(tree: FileTree, folder: str) -> Generator[Finding, None, list[FolderEntry]]:
    try:
        return tree.entries(folder)
    except FileRefused as why:
        yield why.finding(folder)
        return []


def _picture(entry: FolderEntry) -> Picture | None:
    stem, dot, extension = entry.name.rpartition(".")
    extension = f".{extension.lower()}"
    if not dot or entry.name.startswith("._") or extension not in READ | NOT_READ:
        return None
    why = entry.refused
    if entry.kind == "folder":
        why = FileRefused("not_a_file", "it is a folder, not a file", "put the original file in its place")
    elif why is None and extension in NOT_READ:
        why = FileRefused("unsupported_format", f"a {extension} is not read", "save it as PNG")
    return Picture(entry.path, stem, extension, None if why is None else why.finding(entry.path))


def _collisions(found: Iterable[Picture]) -> Generator[Finding, None, None]:
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for each in found:
        alike[_key(each.path).casefold()].append(each.path)
    for first, *others in alike.values():
        for other in others:
            yield Finding(
                path=other,
                kind="colliding_names",
                detail=f"its name and that of {first} differ in case or accents' spelling only",
                hint="rename one: on a disk that ignores case, one overwrites the other",
            )


def _key(name: str) -> str:
    """A name as it is compared: `é` can be one character or two."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
