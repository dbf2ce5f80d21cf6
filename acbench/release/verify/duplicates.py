"""Images that are there more than once: byte for byte, or as anybody would see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from acbench.records import Finding
from acbench.release.entries import Entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EDGE = 32
"""Of the thumbnails that are compared, pixels."""
ALIKE = 0.985
"""Correlation of two thumbnails, less the mean of their category, from which on they count as one picture.

Among 183 bottles of MVTec-AD two photographs reach 0.969 at most. A picture saved anew as JPEG of quality 75 keeps
0.998 at least; one that was halved in size can fall to 0.95, and is missed.
"""
BLOCK = 512
MOST = 50
"""So many pairs are told."""


@dataclass(slots=True)
class Thumbnails:
    """Small pictures of what was seen, by category."""

    items: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    pixels: dict[str, list[NDArray[np.float32]]] = field(default_factory=lambda: defaultdict(list))

    def see(self, entry: Entry, data: bytes) -> None:
        """Remember one image; one that cannot be decoded is left out."""
        if (small := thumbnail(data)) is not None:
            self.items[entry.category].append(entry.item_id)
            self.pixels[entry.category].append(small)

    def pairs(self) -> Iterator[tuple[str, str, float]]:
        """Pairs of item ids that look the same, with their correlation."""
        import numpy as np

        for category, items in sorted(self.items.items()):
            table = np.stack(self.pixels[category])
            if len(table) < 3:
                continue  # of so few there is no mean to take off
            table = table - table.mean(axis=0)
            table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-6)
            for start in range(0, len(table), BLOCK):
                like = table[start : start + BLOCK] @ table.T
                for one, other in zip(*np.nonzero(like >= ALIKE), strict=True):
                    if start + one < other:
                        yield items[start + one], items[other], float(like[one, other])


def thumbnail(data: bytes) -> NDArray[np.float32] | None:
    """A grey thumbnail as a vector; None if the picture cannot be decoded."""
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


def exact(entries: Mapping[str, Entry]) -> Iterator[Finding]:
    """Images with the same bytes; worse where they are in both splits or differ in their labels."""
    same: defaultdict[str, list[Entry]] = defaultdict(list)
    for each in entries.values():
        if each.sha256:
            same[each.sha256].append(each)
    for group in same.values():
        if len(group) > 1:
            yield _finding(group, "duplicate", "the same file, byte for byte")


def perceptual(pairs: Iterable[tuple[str, str, float]], entries: Mapping[str, Entry]) -> Iterator[Finding]:
    """Pairs that look the same and are not the same file."""
    told = 0
    for one, other, like in pairs:
        pair = [entries[one], entries[other]]
        if pair[0].sha256 != pair[1].sha256 and told < MOST:
            told += 1
            yield _finding(pair, "look_alike", f"look the same (correlation {like:.4f})")


def _finding(group: list[Entry], kind: str, what: str) -> Finding:
    group = sorted(group, key=lambda each: each.image)
    others = ", ".join(each.image for each in group[1:4]) + (" …" if len(group) > 4 else "")
    notes = []
    if len({each.split for each in group}) > 1:
        notes.append("across train and test")
        kind += "_across_splits"
    if len({each.labels for each in group}) > 1:
        notes.append("with different labels")
        kind += "_other_label"
    told = f"{what} as {others}" if kind.startswith("duplicate") else f"{what}: {others}"
    hint = "look at them, and decide them alike" if notes else ""
    return Finding(path=group[0].image, kind=kind, detail=f"{told}{': ' if notes else ''}{', '.join(notes)}", hint=hint)
