"""A labels-only release and a user's own copy of the images, joined by path and sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from acbench._util.prefetch import prefetch
from acbench.errors import ReleaseError, RemoteError
from acbench.storage.files import FileRefused, FileTree
from acbench.storage.roots import Root, open_tree, parse_root
from acbench.storage.urls import is_url

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    D = TypeVar("D", Dataset, DatasetDict)

SHOWN = 5
"""So many files that differ are named."""
_NAMES = ("image", "mask")


def attach_images(dataset: D, root: str | Path) -> D:
    """Add the columns `image` and `mask` from a copy of the source dataset; gives the new dataset.

    `dataset` is what `load_dataset` gives of a labels-only release, `root` the folder or URL of the source dataset.
    Every file is hashed first; pictures are decoded when they are asked for. An image without a mask gets None.
    Raises ReleaseError if a file is missing or is not the one that was labelled, and names it.
    """
    import datasets

    place = parse_root(root if isinstance(root, str) and is_url(root) else Path(root).expanduser())
    if isinstance(place, Path) and not place.is_dir():
        raise ReleaseError(f"{place} is not a folder", "give the folder that holds the dataset's categories")
    if isinstance(dataset, datasets.DatasetDict):
        return datasets.DatasetDict({split: attach_images(part, root) for split, part in dataset.items()})
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
    tree = open_tree(place)
    for name in _NAMES:
        try:
            paths = _checked(dataset, name, tree, place)
        except RemoteError as why:
            raise ReleaseError(why.message, why.hint) from None
        dataset = dataset.add_column(name, paths, feature=datasets.Value("string")).cast_column(name, datasets.Image())
    return dataset


def _checked(dataset: Dataset, name: str, tree: FileTree, root: Root) -> list[str | None]:
    """Where each file is, once all of them are known to be right."""
    wanted = list(zip(dataset[f"{name}_path"], dataset[f"{name}_sha256"], strict=True))
    wrong: list[str] = []
    found: list[str | None] = []
    for path, problem in prefetch(lambda pair: _find(*pair, tree), wanted, workers=4, most=32):
        found.append(path)
        wrong += [problem] if problem else []
    if wrong:
        some = "; ".join(wrong[:SHOWN]) + (f"; and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else "")
        raise ReleaseError(
            f"{len(wrong):,} of {len(wanted):,} files in {root} are not those that were labelled: {some}",
            "give the folder that holds the categories of the original dataset, unchanged",
        )
    return found


def _find(path: str | None, sha256: str | None, tree: FileTree) -> tuple[str | None, str]:
    """Where a file is, and what is wrong with it."""
    if not path or not sha256:
        return None, ""
    try:
        located = tree.locate(path)
        _same(sha256, tree.fetch(path, located))
        return located.address, ""
    except FileRefused as why:
        return None, f"{path}: {why.message}"


def _same(sha256: str, data: bytes) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise FileRefused("other_bytes", "it is not the file that was labelled (its sha256 differs)")
