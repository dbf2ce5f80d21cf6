"""Where a data set lies: a folder of this machine, or a URL."""

from __future__ import annotations

from pathlib import Path

from acbench.errors import AcbenchError
from acbench.storage.files import Tree
from acbench.storage.remote import RemoteTree
from acbench.storage.urls import Url, is_url

Root = Path | Url

_LOCAL = ("file://", "local://")


def root_at(place: str | Root) -> Root:
    """What a person named, as a folder or a URL. Raises AcbenchError if it is a URL that is not to be used."""
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


def remembered(place: str | Root) -> str:
    """The same as it may be kept: a URL as it is, a folder by its whole path."""
    text = str(place)
    return text if is_url(text) and not isinstance(place, Path) else str(Path(text).resolve())


def open_tree(root: str | Root) -> Tree:
    """The files below a root; opens and lists nothing."""
    found = root_at(root)
    return RemoteTree(found) if isinstance(found, Url) else Tree(found)
