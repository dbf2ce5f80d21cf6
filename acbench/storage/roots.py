"""Where a dataset is: a folder of this machine, or a URL."""

from __future__ import annotations

from pathlib import Path

from acbench.errors import AcbenchError
from acbench.storage.files import FileTree
from acbench.storage.remote import RemoteFileTree
from acbench.storage.urls import Url, is_url

Root = Path | Url

_LOCAL = ("file://", "local://")


def parse_root(place: str | Root) -> Root:
    """A folder or a URL from what a person typed. Raises AcbenchError for a URL that cannot be used."""
    if not isinstance(place, str):
        return place
    if not is_url(place):
        return Path(place)
    for start in _LOCAL:
        if place.startswith(start):
            path = Path(place.removeprefix(start))
            if not path.is_absolute():
                raise AcbenchError(f"{place} is not the URL of a folder", "file:/// and the folder's whole path")
            return path
    return Url(place)


def root_text(place: str | Root) -> str:
    """A root as settings keep it: a URL as it is, a folder by its absolute path."""
    text = str(place)
    return text if is_url(text) and not isinstance(place, Path) else str(Path(text).resolve())


def open_tree(place: str | Root) -> FileTree:
    """The files below a root; opens and lists nothing."""
    root = parse_root(place)
    return RemoteFileTree(root) if isinstance(root, Url) else FileTree(root)
