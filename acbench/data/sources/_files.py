"""Lists every file below a root, and finds the one that a table or an annotation file means by a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from acbench.data.sources._arrange import folded
from acbench.data.sources._layout import ImageFile
from acbench.data.sources._pattern import MASK_FOLDERS
from acbench.data.sources._walk import root_name, walk
from acbench.records import Finding
from acbench.storage.files import FileTree

_MASKS = frozenset(map(folded, (*MASK_FOLDERS, "SegmentationClass", "SegmentationObject")))


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

    root: str
    """The name of the root's folder."""
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
        no mask, and the one below `base`, or in a folder named as the `split` is. A name may lack its extension.
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
            if len(alike) > 1:
                alike = [each for each in alike if not is_mask(each)] or alike
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


def is_mask(path: str) -> bool:
    """Whether a picture lies in a folder that is called as folders of masks are."""
    return any(folded(part) in _MASKS for part in path.split("/")[:-1])


def list_files(tree: FileTree) -> Files:
    """Every file below the root of a tree."""
    walked = walk(tree)
    named: defaultdict[str, list[str]] = defaultdict(list)
    images: dict[str, ImageFile] = {}
    for image in walked.images:
        named[image.path.rpartition("/")[2]].append(image.path)
        named[f"{image.stem}."].append(image.path)
        images[image.path] = image
    others = sorted(entry.path for entry in walked.others)
    return Files(root_name(tree), images, others, walked.findings, named)


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


def _ends_with(path: str, end: str) -> bool:
    return path == end or path.endswith(f"/{end}") or f"/{path.rpartition('.')[0]}".endswith(f"/{end}")
