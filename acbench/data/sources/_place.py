"""Where in a folder that a person named the data set is; what to say if it is not there."""

from __future__ import annotations

import os
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


@dataclass(frozen=True, slots=True)
class DatasetLocation:
    """A data set's folder, or a part of it."""

    tree: FileTree
    categories: tuple[str, ...]
    """Those to read, sorted."""
    findings: tuple[Finding, ...] = ()
    """What the root itself holds besides."""

    @property
    def root(self) -> Root:
        """What the paths of its images are relative to: the folder *above* the categories."""
        return self.tree.url if isinstance(self.tree, RemoteFileTree) else Path(self.tree.root)


def locate(source: Source, root: Root, wanted: Collection[str] | None = None) -> DatasetLocation:
    """Find the categories of a data set. Raises SourceError, with a hint, if there are none.

    `root` may be one category's folder: then paths are relative to the folder above, as in the whole data
    set, and nothing outside `root` is read all the same.
    """
    real = root if isinstance(root, Url) else _checked(root)
    tree = open_tree(real)
    try:
        entries = tree.entries()
    except FileRefused as why:
        raise SourceError(f"{_shown(root)}: {why.message}", why.hint) from None
    except RemoteError as why:
        raise SourceError(why.message, why.hint) from None
    if isinstance(real, Url) and not entries:
        raise _nothing(real)
    if real.name and source.is_category(tree, "."):
        if printable(real.name) != real.name:
            raise SourceError(f"the name of {_shown(root)} holds characters that cannot be shown", "rename it")
        place = DatasetLocation(_above(real), (real.name,))
        _choose(place.categories, wanted)
        return DatasetLocation(place.tree, place.categories, tuple(_strangers(source, place.categories)))
    here = tuple(each.name for each in entries if each.kind == "folder" and source.is_category(tree, each.name))
    if not here:
        raise _lost(source, root, tree, entries)
    chosen = _choose(here, wanted)
    provided = {each for each in entries if each.name in here or each.name.lower() in source.EXTRAS}
    out_of_place = [each for each in entries if each not in provided or each.refused]
    return DatasetLocation(tree, chosen, (*map(stray, out_of_place), *_strangers(source, chosen)))


def _checked(root: Path) -> Path:
    """Where the folder really is. Raises SourceError if there is none."""
    try:
        if root.is_dir():
            return root.resolve()
        exists = root.exists()
    except (OSError, ValueError) as error:
        raise SourceError(f"{_shown(root)} cannot be read: {error}", "give the data set's folder: --root") from None
    if not exists:
        raise SourceError(f"{_shown(root)} does not exist", "give the folder that holds the data set: --root")
    hint = (
        "unpack it, and give the folder: --root" if root.name.lower().endswith(_ARCHIVES) else "give the folder: --root"
    )
    raise SourceError(f"{_shown(root)} is a file, not a folder", hint)


def _nothing(root: Url) -> SourceError:
    """What to say where a URL leads to no file: many file systems do not tell an empty folder from none."""
    hint = "give the folder that holds the data set, and see that host or bucket are right: --root"
    if root.name.lower().endswith(_ARCHIVES):
        hint = f"--root zip://::{root}" if root.name.lower().endswith(".zip") else f"unpack it there, and {hint}"
    return SourceError(f"there is nothing below {root}", hint)


def _above(category: Root) -> FileTree:
    """The folder above a category, of which only the category is read."""
    if isinstance(category, Url):
        return RemoteFileTree(category.parent, fence=category.name)
    return FileTree(category.parent, fence=category)


def _choose(here: tuple[str, ...], wanted: Collection[str] | None) -> tuple[str, ...]:
    if unknown := sorted(set(wanted or ()) - set(here)):
        raise SourceError(f"there is no category {', '.join(unknown)}", f"there are: {', '.join(here)}")
    return tuple(each for each in here if not wanted or each in wanted)


def _strangers(source: Source, categories: tuple[str, ...]) -> Iterator[Finding]:
    """Categories that the complete data set does not have; they are read like the others."""
    unknown = [each for each in categories if each not in source.WHOLE]
    for other in _others(source) if unknown else ():
        theirs = [each for each in unknown if each in other.WHOLE]
        if theirs and len(theirs) == len(categories):
            yield Finding(
                path=".",
                kind="other_dataset",
                detail=f"{', '.join(theirs)}: these are categories of {other.TITLE}, here in the layout of"
                f" {source.TITLE}: a converted copy, which may have lost labels",
                hint=other.HOME,
            )
            return
    for each in unknown if source.WHOLE else ():
        yield Finding(
            path=each,
            kind="unknown_category",
            detail=f"{source.TITLE} has no category of this name: it is read all the same",
            hint="rename the folder if it is one of them, else describe it in a label schema of your own",
        )


def _lost(source: Source, root: Root, tree: FileTree, entries: Sequence[FolderEntry]) -> SourceError:
    """Why there is nothing to read in `root`, and the most likely way out."""
    shown = _shown(root)
    nothing = f"{shown} holds no category of {source.TITLE}"
    for other in _others(source):
        theirs = {each for each in tree.folders() if other.is_category(tree, each)}
        if other.is_category(tree, "."):
            theirs.add(_last(root))
        if theirs & set(source.WHOLE):
            copy = f"a copy of {source.TITLE} in the layout of {other.TITLE}"
            return SourceError(f"{shown} is {copy}, which does not keep its labels", source.HOME)
        if theirs & set(other.WHOLE):
            command = f"acbench relabel {other.BENCHMARK} --root {shown}"
            return SourceError(f"{shown} holds {other.TITLE}, not {source.TITLE}", command)
    for each in _near(source, root, tree):
        return SourceError(nothing, f"did you mean --root {_shown(each)}?")
    for entry in entries:
        if entry.refused is not None and entry.refused.kind == "link_outside":
            return SourceError(f"{nothing}: {entry.name} cannot be used, {entry.refused.message}", entry.refused.hint)
    return SourceError(f"{nothing}: no folder in it is laid out as {source.LAYOUT}", source.HOME)


def _shown(path: Root) -> str:
    """A root for a message: bytes that are not UTF-8 would keep it from being printed."""
    return str(path) if isinstance(path, Url) else os.fsencode(path).decode("utf-8", "backslashreplace")


def _last(root: Root) -> str:
    return root.name if isinstance(root, Url) else root.resolve().name


def _near(source: Source, root: Root, tree: FileTree) -> Iterator[Root]:
    """Folders above and below in which the data set is, or is a category; a few only where each costs requests."""
    above: list[Root] = [root.parent, root.parent.parent] if isinstance(root, Url) else [*root.resolve().parents[:2]]
    yield from (each for each in above if source.is_category(open_tree(each), "."))
    few = 5 if isinstance(root, Url) else 100
    for each in tree.folders()[:few]:
        inside = open_tree(root / each)
        if any(source.is_category(inside, name) for name in inside.folders()[: few * 10]):
            yield root / each


def _others(source: Source) -> Iterator[Source]:
    """The other sources with categories of their own."""
    for name in names():
        try:
            other = get(name)
        except AcbenchError:  # a broken plug-in is not what this is about
            continue
        if other.NAME != source.NAME and other.WHOLE:
            yield other
