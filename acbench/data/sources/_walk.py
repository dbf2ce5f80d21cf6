"""Lists all files of a dataset, and tells apart what systems leave behind and what nobody meant to be data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from acbench._util.packed import Packed, in_order
from acbench._util.text import printable
from acbench.data.sources._layout import ImageFile, image_file, image_list, is_litter, litter
from acbench.records import Finding
from acbench.storage.files import FileRefused, FileTree, FolderEntry

DEEPEST = 12
"""Folders in folders are followed so far."""


@dataclass
class Walked:
    """What is below a folder."""

    images: Packed[ImageFile] = field(default_factory=image_list)
    """Every file with an image's extension, also those that cannot be used, sorted by path."""
    others: list[FolderEntry] = field(default_factory=list)
    """Other files."""
    findings: list[Finding] = field(default_factory=list)
    """Folders that cannot be read, and litter."""
    empty: list[str] = field(default_factory=list)
    """Folders in which there is nothing."""


def walk(tree: FileTree, folders: Sequence[str] = (".",)) -> Walked:
    """Everything below some folders, by names alone."""
    walked = Walked()
    walked.images = sorted_files(file for folder in folders for file in _walk(tree, folder, walked, ()))
    return walked


def walk_apart(tree: FileTree) -> Iterator[tuple[str, Walked]]:
    """As `walk` of the root: what lies below each of its folders, and last, without a name, all else that is there."""
    rest, folders = Walked(), list[str]()
    rest.images = sorted_files(_walk(tree, ".", rest, (), folders))
    for folder in folders:
        walked = Walked()
        walked.images = sorted_files(_walk(tree, folder, walked, (tree.real("."),)))
        yield folder, walked
    yield "", rest


def sorted_files(files: Iterable[ImageFile]) -> Packed[ImageFile]:
    """Files sorted by path."""
    return in_order(files, attrgetter("path"), image_list)


def root_name(tree: FileTree) -> str:
    """The name of a root's folder or archive: that of the category where nothing else names one."""
    return printable(tree.root.rstrip("/").rpartition("/")[2].removesuffix(".zip")) or "images"


def is_fenced(tree: FileTree) -> bool:
    """Whether only one folder in the root of the tree may be read."""
    return bool(tree.fence) and tree.fence != tree.root


def _walk(
    tree: FileTree, folder: str, walked: Walked, above: tuple[str, ...], apart: list[str] | None = None
) -> Iterator[ImageFile]:
    """Walk a folder: its images are given, all else goes to `walked`.

    `above` are the real folders in which it lies. Folders in it go to `apart`, if that is given.
    """
    try:
        real = tree.real(folder)
        if real in above:
            raise FileRefused("link_circle", "it leads back to a folder in which it lies", "what is there is read once")
        entries = tree.entries(folder)
    except FileRefused as why:
        walked.findings.append(why.finding(folder))
        return
    if not entries and above:
        walked.empty.append(folder)
    for entry in entries:
        if (file := image_file(entry)) is not None:
            yield file
        elif is_litter(entry.name):
            walked.findings.append(litter(entry))
        elif entry.refused is not None:
            walked.findings.append(entry.refused.finding(entry.path))
        elif entry.kind == "file":
            walked.others.append(entry)
        elif len(above) >= DEEPEST:
            refused = FileRefused(
                "too_deep", f"more than {DEEPEST} folders lie in each other", "point --root further in"
            )
            walked.findings.append(refused.finding(entry.path))
        elif apart is not None:
            apart.append(entry.path)
        else:
            yield from _walk(tree, entry.path, walked, (*above, real))
