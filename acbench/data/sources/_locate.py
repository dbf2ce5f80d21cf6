"""Finds the dataset in a folder or URL that a person named, or says what to do if it is not there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from acbench._util.text import printable
from acbench.data.sources._contract import Source
from acbench.data.sources._layout import stray
from acbench.data.sources._registry import get, names
from acbench.errors import AcbenchError, RemoteError, SourceError
from acbench.records import Finding
from acbench.storage.files import FileRefused, FileTree, FolderEntry
from acbench.storage.remote import RemoteFileTree
from acbench.storage.roots import Root, open_tree
from acbench.storage.urls import Url

_ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".tgz", ".zip", ".7z")
_TRIED_LOCALLY, _TRIED_REMOTELY = 100, 5
"""How many folders are tried when the dataset is not where it should be; at a URL each one costs requests."""


@dataclass(frozen=True, slots=True)
class DatasetLocation:
    """A dataset's folder, or a part of it."""

    tree: FileTree
    categories: tuple[str, ...]
    """The categories to read, sorted."""
    findings: tuple[Finding, ...] = ()
    """Whatever else is in the root."""

    @property
    def root(self) -> Root:
        """The folder *above* the categories, to which the paths of images are relative."""
        return self.tree.url if isinstance(self.tree, RemoteFileTree) else Path(self.tree.root)


def locate(source: Source, root: Root, wanted: Collection[str] = ()) -> DatasetLocation:
    """Find the categories of a dataset, or only the `wanted` ones. Raises SourceError, with a hint, if there are none.

    `root` may also be the folder of one category. Paths are then relative to the folder above, as in the whole
    dataset, but nothing outside `root` is read.
    """
    real = root if isinstance(root, Url) else _existing(root)
    tree = open_tree(real)
    entries = _entries(root, tree)
    if isinstance(real, Url) and not entries:
        raise _nothing_below(real)
    if real.name and source.is_category(tree, "."):
        if printable(real.name) != real.name:
            raise SourceError(
                f"the name of {_shown(root)} holds characters that cannot be shown",
                "give it under a name that can be shown",
            )
        categories = _choose((real.name,), wanted)
        return DatasetLocation(_only(real), categories, tuple(_unknown_categories(source, categories)))
    if source.categories is not None:
        return _whole(source, root, tree, wanted)
    present = tuple(entry.name for entry in entries if entry.kind == "folder" and source.is_category(tree, entry.name))
    if not present:
        raise _no_category(source, root, tree, entries)
    chosen = _choose(present, wanted)
    out_of_place = [
        entry
        for entry in entries
        if entry.refused or (entry.name not in present and entry.name.lower() not in source.extras)
    ]
    return DatasetLocation(tree, chosen, (*map(stray, out_of_place), *_unknown_categories(source, chosen)))


def _whole(source: Source, root: Root, tree: FileTree, wanted: Collection[str]) -> DatasetLocation:
    """The location of a dataset whose source says which categories a root holds."""
    assert source.categories is not None
    present = tuple(source.categories(tree))
    if not present:
        raise SourceError(f"{_shown(root)} holds no image of {source.title} that can be read", source.home)
    return DatasetLocation(tree, _choose(present, wanted))


def _existing(root: Path) -> Path:
    """The folder with its links resolved. Raises SourceError if there is no such folder."""
    try:
        if root.is_dir():
            return root.resolve()
        exists = root.exists()
    except (OSError, ValueError) as error:
        raise SourceError(f"{_shown(root)} cannot be read: {error}", "give the dataset's folder: --root") from None
    if not exists:
        raise SourceError(f"{_shown(root)} does not exist", "give the folder that holds the dataset: --root")
    unpack = "unpack it, and " if root.name.lower().endswith(_ARCHIVES) else ""
    raise SourceError(f"{_shown(root)} is a file, not a folder", f"{unpack}give the folder: --root")


def _entries(root: Root, tree: FileTree) -> Sequence[FolderEntry]:
    try:
        return tree.entries()
    except FileRefused as why:
        raise SourceError(f"{_shown(root)}: {why.message}", why.hint) from None
    except RemoteError as why:
        raise SourceError(why.message, why.hint) from None


def _nothing_below(root: Url) -> SourceError:
    """The error for a URL without files: many file systems do not distinguish an empty folder from a missing one."""
    hint = "give the folder that holds the dataset, and see that host or bucket are right: --root"
    if root.name.lower().endswith(_ARCHIVES):
        hint = f"--root zip://::{root}" if root.name.lower().endswith(".zip") else f"unpack it there, and {hint}"
    return SourceError(f"there is nothing below {root}", hint)


def _only(category: Root) -> FileTree:
    """The folder above a category, in which nothing but the category can be read."""
    if isinstance(category, Url):
        return RemoteFileTree(category.parent, fence=category.name)
    return FileTree(category.parent, fence=category)


def _choose(present: tuple[str, ...], wanted: Collection[str]) -> tuple[str, ...]:
    if unknown := sorted(set(wanted) - set(present)):
        raise SourceError(f"there is no category {', '.join(unknown)}", f"there are: {', '.join(present)}")
    return tuple(category for category in present if not wanted or category in wanted)


def _unknown_categories(source: Source, categories: tuple[str, ...]) -> Iterator[Finding]:
    """A finding for each category that the complete dataset does not have; they are read like the others."""
    if not source.image_counts:
        return  # nobody knows which categories people's own data has
    unknown = [category for category in categories if category not in source.image_counts]
    for other in _others(source) if unknown else ():
        theirs = [category for category in unknown if category in other.image_counts]
        if theirs and len(theirs) == len(categories):
            yield Finding(
                path=".",
                kind="other_dataset",
                detail=f"{', '.join(theirs)}: these are categories of {other.title}, here in the layout of"
                f" {source.title}: a converted copy, which may have lost labels",
                hint=other.home,
            )
            return
    for category in unknown:
        yield Finding(
            path=category,
            kind="unknown_category",
            detail=f"{source.title} has no category of this name: it is read all the same",
            hint="a label schema of your own can describe it",
        )


def _no_category(source: Source, root: Root, tree: FileTree, entries: Sequence[FolderEntry]) -> SourceError:
    """Why there is nothing to read in `root`, with the most likely way out as the hint."""
    shown = _shown(root)
    for other in _others(source):
        categories = {folder for folder in tree.folders() if other.is_category(tree, folder)}
        if other.is_category(tree, "."):
            categories.add(_last(root))
        if not categories.isdisjoint(source.image_counts):
            copy = f"a copy of {source.title} in the layout of {other.title}"
            return SourceError(f"{shown} is {copy}, which does not keep its labels", source.home)
        if not categories.isdisjoint(other.image_counts):
            command = f"acbench relabel {other.benchmark} --root {shlex.quote(shown)}"
            return SourceError(f"{shown} holds {other.title}, not {source.title}", command)
    nothing = f"{shown} holds no category of {source.title}"
    for near in _near(source, root, tree):
        return SourceError(nothing, f"did you mean --root {_shown(near)}?")
    for entry in entries:
        if entry.refused is not None and entry.refused.kind == "link_outside":
            return SourceError(f"{nothing}: {entry.name} cannot be used, {entry.refused.message}", entry.refused.hint)
    return SourceError(f"{nothing}: no folder in it is laid out as {source.layout}", source.home)


def _shown(root: Root) -> str:
    """A root as text that can be printed: a path may hold bytes that are not UTF-8."""
    return str(root) if isinstance(root, Url) else os.fsencode(root).decode("utf-8", "backslashreplace")


def _last(root: Root) -> str:
    return root.name if isinstance(root, Url) else root.resolve().name


def _near(source: Source, root: Root, tree: FileTree) -> Iterator[Root]:
    """Folders above `root` that are a category, and folders in it that hold one."""
    above: list[Root]
    if isinstance(root, Url):
        above, tried = [root.parent, root.parent.parent], _TRIED_REMOTELY
    else:
        above, tried = [*root.resolve().parents[:2]], _TRIED_LOCALLY
    yield from (folder for folder in above if source.is_category(open_tree(folder), "."))
    for name in tree.folders()[:tried]:
        inside = open_tree(root / name)
        if any(source.is_category(inside, folder) for folder in inside.folders()[: tried * 10]):
            yield root / name


def _others(source: Source) -> Iterator[Source]:
    """The other sources that know the categories of their dataset."""
    for name in names():
        try:
            other = get(name)
        except AcbenchError:  # a broken source of another package has nothing to do with this dataset
            continue
        if other.name != source.name and other.image_counts:
            yield other
