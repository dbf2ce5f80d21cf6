"""Tells whether images at hand are those of the original dataset, which others' answers know by path alone.

Of a part of the images the SHA-256 is known; the folders of all others are known by the names of their files. Both are
tables in `data/`. A copy with the original's names in another order cannot be told by names, so one wrong hash makes
the rest of its category doubtful.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

from acbench.records import Item
from acbench.storage.digests import digest

FEW = 6
"""Hex digits of the hash of a folder's names."""


class Folder(NamedTuple):
    """A folder of the original dataset."""

    files: int
    names: str
    """`names_digest` of its files."""


@dataclass(frozen=True, slots=True)
class Originals:
    """What is known of the files of a dataset."""

    hashes: Mapping[str, str]
    """Path of an image → SHA-256 of its file, as far as it is known."""
    folders: Mapping[str, Folder]
    """Path of a folder → its files."""

    def compare(self, items: Iterable[Item]) -> Comparison:
        """Compare images with the original's. `items` are all that are at hand."""
        names: defaultdict[str, list[str]] = defaultdict(list)
        path_of = {sha256: path for path, sha256 in self.hashes.items()}
        paths: dict[str, str] = {}
        wrong: Counter[str] = Counter()
        others: list[Item] = []
        for item in items:
            folder, _, name = item.image.rpartition("/")
            names[folder].append(name)
            if item.sha256 in path_of:
                paths[item.item_id] = path_of[item.sha256]
            else:
                others.append(item)
            known = self.hashes.get(item.image)
            wrong[item.category] += known is not None and known != item.sha256 and not item.problem
        doubts: dict[str, str] = {}
        for item in others:
            folder = item.image.rpartition("/")[0]
            if doubt := self._doubt(item, folder, names[folder], wrong[item.category]):
                doubts[item.item_id] = doubt
            else:
                paths[item.item_id] = item.image
        return Comparison(paths, doubts)

    def _doubt(self, item: Item, folder: str, names: list[str], wrong: int) -> str:
        """Why an image whose content is not known may not be the original; empty if its path and folder are."""
        if item.image in self.hashes:
            return "its bytes are not those of the original"
        if wrong:
            return f"{wrong:,} other images of {item.category} have not the bytes of the original"
        original = self.folders.get(folder)
        if original is None:
            return f"the original has no folder {folder}"
        if original.names != names_digest(names):
            return f"{folder} has not the {original.files:,} files of the original: {len(names):,} are here"
        return ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which images are the original's."""

    paths: Mapping[str, str]
    """item_id → the path that the image has in the original; a known image may have another name here."""
    doubts: Mapping[str, str]
    """item_id → why it may not be the original's image of that path."""


def compare(known: Originals | None, items: Iterable[Item]) -> Comparison:
    """Compare images with what is known of the original's; if nothing is, paths are believed."""
    return known.compare(items) if known else Comparison({item.item_id: item.image for item in items}, {})


def names_digest(names: Iterable[str]) -> str:
    """A hash of the names of a folder's files, in any order."""
    return digest(sorted(names), length=2 * FEW)


@cache
def originals(source: str) -> Originals | None:
    """What is known of the files of a source's dataset; None if nothing is."""
    data = resources.files("acbench.data.sources") / "data"
    folders, hashes = data / f"{source}_folders.csv", data / f"{source}_sha256.csv"
    if not folders.is_file():
        return None
    rows = csv.DictReader(folders.read_text(encoding="utf-8").splitlines())
    known = csv.DictReader(hashes.read_text(encoding="utf-8").splitlines() if hashes.is_file() else [])
    return Originals(
        hashes={row["image"]: row["sha256"] for row in known},
        folders={row["folder"]: Folder(int(row["files"]), row["names"]) for row in rows},
    )
