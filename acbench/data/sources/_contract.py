"""What a source module offers, and what it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from acbench.records import Finding, Split
from acbench.storage.files import FileTree


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """One image of a data set, by its place and name alone: nothing has been opened."""

    category: str
    split: Split
    image: str
    """Path relative to the root, forward slashes."""
    mask: str | None
    """Path of its mask, or None if there is none."""
    anomalous: bool
    source_labels: tuple[str, ...]
    """The data set's own label strings, untouched, in its order. Empty if it gives none."""
    problem: Finding | None = None
    """Why the image cannot be used, if its place or name already tells."""


class Source(Protocol):
    """What a source module offers. A new one needs nothing else, and the contract test runs it.

    One thing more lets labels be scored where the images are not: `split_of(image) -> Split`, by the path alone.
    """

    NAME: str
    """The module's name, and the `dataset` of its items."""
    TITLE: str
    """What people call the data set."""
    LICENCE: str
    """SPDX id of the licence of its images."""
    ATTRIBUTION: str
    """Who made it, and where it is described."""
    HOME: str
    """Where the original is to be had, as a sentence."""
    BENCHMARK: str
    """The label schema that comes with acbench for it."""
    LAYOUT: str
    """The folders that make a category, as a few words."""
    EXTRAS: frozenset[str]
    """Names, in lower case, that the data set itself puts beside its categories."""
    WHOLE: Mapping[str, int]
    """Category → number of images, of the complete data set; empty if that is not for the source to say."""

    def is_category(self, tree: FileTree, folder: str) -> bool:
        """Whether a folder is laid out as a category, by its folders alone."""

    def scan(self, tree: FileTree, categories: Sequence[str]) -> Iterator[FoundImage | Finding]:
        """Every image of some categories, and whatever else is there, in a fixed order. Opens no picture."""

    def known_labels(self) -> Mapping[str, tuple[str, ...]]:
        """Category → every label string of the complete data set, without those of normal images.

        Several labels of one image are one string, joined by commas.
        """
