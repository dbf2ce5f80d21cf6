"""Joins a labels-only release with a user's own copy of the images, by path and sha256."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from acbench._util.prefetch import prefetch
from acbench.data.images import united_png
from acbench.errors import AcbenchError, ReleaseError, RemoteError
from acbench.integrations.huggingface import cached
from acbench.integrations.huggingface.remote import Remote, deprecation
from acbench.records import mask_files, mask_hash
from acbench.release.entries import read_manifest
from acbench.storage.files import FileRefused, FileTree
from acbench.storage.roots import Root, open_tree, parse_root
from acbench.storage.urls import is_url

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    D = TypeVar("D", Dataset, DatasetDict)

SHOWN = 5
"""How many files that differ are named."""
MOST_FOLDERS = 100
"""Folders that are looked into for the dataset, if it is not where it was said to be."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"/([0-9a-f]{40})/[^/]+\.arrow$")
_NAMES = ("image", "mask")


def attach_images(dataset: D, root: str | Path) -> D:
    """Add the columns `image` and `mask` from a copy of the source dataset; gives the new dataset.

    `dataset` is what `load_dataset` gives for a labels-only release; `root` is the folder or URL of the source dataset.
    Every file is hashed first; images are decoded when they are used. An image without a mask gets None. Warns if the
    release has been deprecated since, where the Hub is in reach.
    Raises ReleaseError if a file is missing or is not the one that was labelled, and names it.
    """
    attached = _attached(dataset, root)
    if told := _deprecation(dataset):
        warnings.warn(told, stacklevel=2)
    return attached


def _attached(dataset: D, root: str | Path) -> D:
    import datasets

    place = parse_root(root if isinstance(root, str) and is_url(root) else Path(root).expanduser())
    if isinstance(place, Path) and not place.is_dir():
        raise ReleaseError(f"{place} is not a folder", "give the folder that holds the dataset's categories")
    if isinstance(dataset, datasets.DatasetDict):
        return datasets.DatasetDict({split: _attached(part, root) for split, part in dataset.items()})
    if not isinstance(dataset, datasets.Dataset):
        raise ReleaseError(
            f"images cannot be attached to {type(dataset).__name__}",
            "load the labels without streaming=True: they are small, and images are opened when you ask for them",
        )
    columns = set(dataset.column_names or ())
    if "image" in columns:
        raise ReleaseError("the dataset has a column `image` already", "a release with images needs nothing attached")
    if missing := {f"{name}_{what}" for name in _NAMES for what in ("path", "sha256")} - columns:
        raise ReleaseError(
            f"the dataset has no column {', '.join(sorted(missing))}", "give a labels-only release of acbench"
        )
    _check_hashes(dataset)
    tree = open_tree(place)
    for name in _NAMES:
        try:
            files = _files(dataset, name, tree, place)
        except RemoteError as why:
            raise ReleaseError(why.message, why.hint) from None
        if any(file.united for file in files):
            cells = [{"bytes": file.united, "path": file.path} if file.united or file.path else None for file in files]
            dataset = dataset.add_column(name, cells, feature=datasets.Image())
            continue
        paths = [file.path for file in files]
        dataset = dataset.add_column(name, paths, feature=datasets.Value("string")).cast_column(name, datasets.Image())
    return dataset


def _deprecation(dataset: Dataset | DatasetDict) -> str:
    """Say that a release which `datasets` has loaded from the Hub is deprecated; empty if it is not, or nobody knows.

    The folder of its tables is named after the commit.
    """
    import datasets

    parts = list(dataset.values()) if isinstance(dataset, datasets.DatasetDict) else [dataset]
    names = {str(file["filename"]) for part in parts for file in part.cache_files}
    commits = {found[1] for name in names if (found := _COMMIT.search(name))}
    for commit in commits if len(commits) == 1 else ():
        if (repo := cached.repo_of(commit)) is not None:
            try:
                release = Remote(repo, commit, commit)
                return deprecation(release, read_manifest(release))
            except AcbenchError:
                break
    return ""


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the user's copy."""

    path: str | None
    """Where it is; None if there is none, or not the right one, or several."""
    united: bytes | None = None
    """A PNG of what any of several masks of one image marks."""
    problem: str = ""


def _files(dataset: Dataset, name: str, tree: FileTree, root: Root) -> list[_File]:
    """Each file of a column. Raises ReleaseError unless all of them are those that were labelled."""
    wanted = list(zip(dataset[f"{name}_path"], dataset[f"{name}_sha256"], strict=True))
    files = list(prefetch(lambda pair: _find(name, *pair, tree), wanted, workers=4, most=32))
    problems = [file.problem for file in files if file.problem]
    if problems:
        more = f"; and {len(problems) - SHOWN:,} more" if len(problems) > SHOWN else ""
        raise ReleaseError(
            f"{len(problems):,} of {len(wanted):,} files in {root} are not those that were labelled:"
            f" {'; '.join(problems[:SHOWN])}{more}",
            _elsewhere(root, [path for path, _ in wanted if path])
            or "give the folder that holds the categories of the original dataset, unchanged",
        )
    return files


def _elsewhere(root: Root, paths: Sequence[str]) -> str:
    """Say where the files are if they lie one level higher or lower; empty if they do not, or where nobody can look."""
    if not isinstance(root, Path) or not paths:
        return ""
    try:
        below = sorted(path for path in root.iterdir() if path.is_dir())[:MOST_FOLDERS]
        for place in (root.absolute().parent, *below):
            if any((place / path).is_file() for path in (paths[0], paths[-1]) if _is_inside(path)):
                return f"try {place}"
    except OSError:
        pass
    return ""


def _is_inside(path: str) -> bool:
    """Whether a path of a release leads into the dataset's folder."""
    return not path.startswith("/") and ".." not in path.split("/")


def _check_hashes(dataset: Dataset) -> None:
    """Raise ReleaseError for files without a hash. An image that nobody could read needs none: its width is 0."""
    count = len(dataset)
    widths = dataset["width"] if "width" in (dataset.column_names or ()) else [1] * count
    for name in _NAMES:
        rows = zip(dataset[f"{name}_path"], dataset[f"{name}_sha256"], widths, strict=True)
        unusable = [path for path, sha256, width in rows if path and not _SHA256.fullmatch(sha256 or "")
                    and (sha256 or width or name == "mask")]  # fmt: skip
        if unusable:
            raise ReleaseError(
                f"{len(unusable):,} of {count:,} rows have no usable {name}_sha256, such as {unusable[0]},"
                " so nobody can tell whether a file is the one that was labelled",
                "load the release again, with its columns as they are; acbench verify ORG/NAME checks it",
            )


def _find(name: str, path: str | None, sha256: str | None, tree: FileTree) -> _File:
    """Find a file and compare its sha256. A row without a path has no file, and nothing is wrong with that."""
    if not path or not sha256:
        return _File(None)
    try:
        located = [(file, tree.locate(file)) for file in (mask_files(path) if name == "mask" else (path,))]
        data = [tree.fetch(file, place) for file, place in located]
        if mask_hash([hashlib.sha256(each).hexdigest() for each in data]) != sha256:
            raise FileRefused("other_bytes", "it is not the file that was labelled (its sha256 differs)")
        return _File(located[0][1].address) if len(data) == 1 else _File(None, united_png(data))
    except AcbenchError as why:
        return _File(None, problem=f"{path}: {why.message}")
