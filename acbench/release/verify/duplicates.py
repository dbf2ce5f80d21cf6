"""Finds images that a release holds more than once: the same bytes, or the same to the eye."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from acbench.records import Finding
from acbench.release.entries import ReleaseEntry
from acbench.release.repeats import Repeats

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EDGE = 32
"""Width and height of the thumbnails that are compared, pixels."""
ALIKE = 0.985
"""Correlation of two thumbnails, minus the mean of their category, from which on they count as the same image.

Among 183 bottles of MVTec-AD two photographs reach 0.969 at most. An image saved again as JPEG of quality 75 keeps at
least 0.998; one that was halved in size can fall to 0.95, and is missed.
"""
BLOCK = 512
"""Thumbnails that are compared with all others at a time, which bounds memory."""
MAX_PAIRS = 50
"""How many pairs are reported."""
SHOWN = 4
"""How many of the images of one file are named."""
MIN_IMAGES = 3
"""A category with fewer images has no mean to subtract."""


class LookAlikes:
    """Finds images of one category that look the same, while the images of a release go by, category by category."""

    def __init__(self) -> None:
        self._entries: list[ReleaseEntry] = []
        self._pixels: list[NDArray[np.float32]] = []
        self._found: list[Finding] = []

    def add(self, entry: ReleaseEntry, data: bytes) -> None:
        """Look at one image by its file's bytes; one that cannot be decoded is left out."""
        if self._entries and self._entries[0].category != entry.category:
            self._compare()
        if (small := thumbnail(data)) is not None:
            self._entries.append(entry)
            self._pixels.append(small)

    def findings(self) -> list[Finding]:
        """Report pairs that look the same and are not the same file."""
        self._compare()
        return self._found

    def _compare(self) -> None:
        for one, other, correlation in similar(self._pixels):
            pair = [self._entries[one], self._entries[other]]
            if len(self._found) < MAX_PAIRS and pair[0].sha256 != pair[1].sha256:
                what = f"look the same (correlation {correlation:.4f})"
                self._found.append(_finding(_Group.of(pair), "look_alike", what))
        self._entries, self._pixels = [], []


def similar(pixels: Sequence[NDArray[np.float32]]) -> Iterator[tuple[int, int, float]]:
    """Find pairs of thumbnails that look the same: their numbers, and how far they correlate."""
    import numpy as np

    if len(pixels) < MIN_IMAGES:
        return
    table = np.stack(pixels)
    table = table - table.mean(axis=0)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-6)
    for start in range(0, len(table), BLOCK):
        correlations = table[start : start + BLOCK] @ table.T
        for row, column in zip(*np.nonzero(correlations >= ALIKE), strict=True):
            if start + row < column:
                yield int(start + row), int(column), float(correlations[row, column])


def thumbnail(data: bytes) -> NDArray[np.float32] | None:
    """A grey thumbnail as a vector of EDGE × EDGE values; None if the image cannot be decoded."""
    import numpy as np
    from PIL import Image

    from acbench.data import images as imaging
    from acbench.errors import ImageError

    try:
        picture = imaging.decode(data)
    except ImageError:
        return None
    small = picture.convert("L").resize((EDGE, EDGE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).ravel()


def identical_files(entries: Iterable[ReleaseEntry], files: Repeats) -> Iterator[Finding]:
    """Report images with the same bytes; it is worse where they are in both splits or differ in their labels.

    `files`: their hashes.
    """
    by_hash: dict[str, _Group] = {}
    for entry in entries:
        if entry.sha256 and files.may_repeat(entry.sha256):
            by_hash.setdefault(entry.sha256, _Group()).add(entry)
    for group in by_hash.values():
        if group.size > 1:
            yield _finding(group, "duplicate", "the same file, byte for byte")


class _Group:
    """Images that are the same: what is said of them."""

    def __init__(self) -> None:
        self.size = 0
        self.images: list[str] = []
        """The first by path."""
        self.splits: set[str] = set()
        self.labels: set[tuple[str, ...]] = set()

    @classmethod
    def of(cls, entries: Iterable[ReleaseEntry]) -> _Group:
        group = cls()
        for entry in entries:
            group.add(entry)
        return group

    def add(self, entry: ReleaseEntry) -> None:
        self.size += 1
        self.images = sorted([*self.images, entry.image])[:SHOWN]
        self.splits.add(entry.split)
        self.labels.add(entry.labels)


def _finding(group: _Group, kind: str, what: str) -> Finding:
    first, *others = group.images
    named = ", ".join(others) + (" …" if group.size > SHOWN else "")
    detail = f"{what} as {named}" if kind == "duplicate" else f"{what}: {named}"
    notes = []
    if len(group.splits) > 1:
        notes.append("across train and test")
        kind += "_across_splits"
    if len(group.labels) > 1:
        notes.append("with different labels")
        kind += "_other_label"
    return Finding(
        path=first,
        kind=kind,
        detail=f"{detail}: {', '.join(notes)}" if notes else detail,
        hint="look at them, and decide them alike" if notes else "",
    )
