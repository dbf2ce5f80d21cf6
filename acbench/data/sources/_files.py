"""Lists every file below a root, and finds the one that a table or an annotation file means by a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from acbench.data.sources._layout import ImageFile, stray
from acbench.data.sources._layout import _image_file as image_file
from acbench.records import Finding
from acbench.storage.files import FileRefused, FileTree

DEEPEST = 12
"""Folders inside folders that are listed."""
MOST = 2_000_000
"""Files that are listed."""
LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
"""What systems leave in folders, besides what begins with a dot."""


@dataclass(frozen=True, slots=True)
class Found:
    """The file that a text means."""

    path: str = ""
    """Empty if there is none."""
    why: str = ""
    """Why there is none, as the end of a sentence that begins with what is named."""
    shortened: bool = False
    """Whether only the last parts of what is named are those of the file."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files below a root."""

    images: dict[str, ImageFile] = field(default_factory=dict)
    """Path → image or mask, in the order of their paths."""
    others: list[str] = field(default_factory=list)
    """Paths of all other files."""
    findings: list[Finding] = field(default_factory=list)
    """What cannot be listed."""
    _named: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def find(self, name: str, base: str = "", split: str = "") -> Found:
        """The image that `name` means in a file of the folder `base`.

        That is the path from there or from the root. Failing that, it is the only image whose path ends as `name` does,
        with as many of its last parts as agree: annotations are often moved after they were written. Of several, it is
        the one below `base`, or in a folder named as the `split` is. A name without an extension means any.
        """
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts or ".." in parts or "\0" in name:
            return Found(why="is no path within the dataset")
        path = "/".join(parts)
        for start in dict.fromkeys((base, "")):
            whole = f"{start}/{path}" if start else path
            if whole in self.images:
                return Found(whole)
        for first in range(len(parts)):
            end = "/".join(parts[first:])
            alike = [each for each in self._candidates(parts[-1]) if _ends_with(each, end)]
            if len(alike) > 1 and base:
                alike = [each for each in alike if each.startswith(f"{base}/")] or alike
            if len(alike) > 1 and split:
                alike = [each for each in alike if split in each.split("/")[:-1]] or alike
            if len(alike) == 1:
                return Found(alike[0], shortened=first > 0)
            if alike:
                return Found(why=f"may be {alike[0]} or {alike[1]}")
        return Found(why="is not there")

    def _candidates(self, name: str) -> list[str]:
        return self._named.get(name) or self._named.get(f"{name}.", [])


def list_files(tree: FileTree) -> Files:
    """Every file below the root of a tree, folder by folder. Litter of systems and tools is left out."""
    files = Files()
    _list(tree, ".", 0, files)
    return files


def unnamed(files: Files, used: set[str], by: str) -> Iterator[Finding]:
    """A finding about each image that no row names; `by` says what holds the rows."""
    for path in files.images:
        if path not in used:
            yield Finding(
                path=path,
                kind="image_without_row",
                detail=f"{by} does not name it: it is not read",
                hint="add a row for it, or see this as a part of the dataset",
            )


def _list(tree: FileTree, folder: str, depth: int, files: Files) -> None:
    try:
        entries = tree.entries(folder)
    except FileRefused as why:
        files.findings.append(why.finding(folder))
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in LITTER:
            continue
        image = image_file(entry)
        if image is not None and entry.kind != "folder":
            files.images[image.path] = image
            files._named[entry.name].append(image.path)
            files._named[f"{image.stem}."].append(image.path)
        elif entry.refused is not None:
            files.findings.append(stray(entry))
        elif entry.kind == "folder" and depth < DEEPEST:
            _list(tree, entry.path, depth + 1, files)
        elif entry.kind == "file":
            files.others.append(entry.path)
        if len(files.images) + len(files.others) > MOST:
            return


def _ends_with(path: str, end: str) -> bool:
    return path == end or path.endswith(f"/{end}") or f"/{path.rpartition('.')[0]}".endswith(f"/{end}")
