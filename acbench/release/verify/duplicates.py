"""Finds images that a release holds more than once: the same bytes, or the same to the eye."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from acbench.records import Finding
from acbench.release.entries import ReleaseEntry

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
MIN_IMAGES = 3
"""A category with fewer images has no mean to subtract."""


class SimilarPair(NamedTuple):
    """Two images that look the same."""

    one: str
    other: str
    """Their item ids."""
    correlation: float


@dataclass(slots=True)
class Thumbnails:
    """Thumbnails of the images of a release, by category."""

    items: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    pixels: dict[str, list[NDArray[np.float32]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, entry: ReleaseEntry, data: bytes) -> None:
        """Remember one image by its file's bytes; one that cannot be decoded is left out."""
        if (small := thumbnail(data)) is not None:
            self.items[entry.category].append(entry.item_id)
            self.pixels[entry.category].append(small)

    def similar(self) -> Iterator[SimilarPair]:
        """Find pairs of images of one category that look the same."""
        import numpy as np

        for category, items in sorted(self.items.items()):
            table = np.stack(self.pixels[category])
            if len(table) < MIN_IMAGES:
                continue
            table = table - table.mean(axis=0)
            table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-6)
            for start in range(0, len(table), BLOCK):
                correlations = table[start : start + BLOCK] @ table.T
                for row, column in zip(*np.nonzero(correlations >= ALIKE), strict=True):
                    if start + row < column:
                        yield SimilarPair(items[start + row], items[column], float(correlations[row, column]))


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


def identical_files(entries: Mapping[str, ReleaseEntry]) -> Iterator[Finding]:
    """Report images with the same bytes; it is worse where they are in both splits or differ in their labels."""
    by_hash: defaultdict[str, list[ReleaseEntry]] = defaultdict(list)
    for entry in entries.values():
        if entry.sha256:
            by_hash[entry.sha256].append(entry)
    for group in by_hash.values():
        if len(group) > 1:
            yield _finding(group, "duplicate", "the same file, byte for byte")


def look_alikes(pairs: Iterable[SimilarPair], entries: Mapping[str, ReleaseEntry]) -> Iterator[Finding]:
    """Report pairs that look the same and are not the same file."""
    reported = 0
    for pair in pairs:
        one, other = entries[pair.one], entries[pair.other]
        if one.sha256 != other.sha256 and reported < MAX_PAIRS:
            reported += 1
            yield _finding([one, other], "look_alike", f"look the same (correlation {pair.correlation:.4f})")


def _finding(group: list[ReleaseEntry], kind: str, what: str) -> Finding:
    group = sorted(group, key=lambda entry: entry.image)
    others = ", ".join(entry.image for entry in group[1:4]) + (" …" if len(group) > 4 else "")
    detail = f"{what} as {others}" if kind == "duplicate" else f"{what}: {others}"
    notes = []
    if len({entry.split for entry in group}) > 1:
        notes.append("across train and test")
        kind += "_across_splits"
    if len({entry.labels for entry in group}) > 1:
        notes.append("with different labels")
        kind += "_other_label"
    return Finding(
        path=group[0].image,
        kind=kind,
        detail=f"{detail}: {', '.join(notes)}" if notes else detail,
        hint="look at them, and decide them alike" if notes else "",
    )
