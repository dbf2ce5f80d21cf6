"""Checks the images of a dataset together: duplicates, mixed pixel formats or sizes, and the range of 16-bit images."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from acbench.data.mask_content import MaskContent
from acbench.records import Finding, Item
from acbench.storage.stored_rows import ChosenRows, StoredRows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHOWN = 3
"""How many names or values a finding lists."""
_LOADED = 10_000
"""Items, or paths, that are looked at together."""
_DEEP = 16
"""Bits of a channel of which some may be unused."""
_DIM = 64
"""An upper byte below this hints at data of fewer than 16 bits."""


def duplicates(items: Sequence[Item]) -> Iterator[Finding]:
    """Images with the same bytes: one finding for each set of folders that share some.

    Of each image only a part of its hash is in memory. Of those that are not alone, the path is looked at, and all of
    an item where a finding is about it.
    """
    first: dict[tuple[int, ...], NDArray[np.intp]] = {}
    counts: Counter[tuple[int, ...]] = Counter()
    places, begins = _with_equal_hashes(items)
    folders = _folders(items, places)
    for begin, end in itertools.pairwise(begins.tolist()):
        sharing, same = tuple(sorted(set(folders[begin:end].tolist()))), places[begin:end]
        counts[sharing] += len(same)
        if sharing not in first or same[0] < first[sharing][0]:
            first[sharing] = same
    for sharing, same in first.items():
        some = ChosenRows(items, same) if isinstance(items, StoredRows) else [items[place] for place in same]
        yield _duplicate(some if len(same) > _LOADED else list(some), counts[sharing])


def _with_equal_hashes(items: Sequence[Item]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The numbers of the items with bytes that others have too, by hash; and where each hash begins and ends."""
    import numpy as np

    hashes, places = _hashes(items)
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))  # equal ones stay in the order of their items
    hashes, places = hashes[order], places[order]
    as_before = (hashes[1:] == hashes[:-1]).all(axis=1)
    alike = np.r_[as_before, False] | np.r_[False, as_before] if len(places) else np.empty(0, dtype=np.bool_)
    begins = np.flatnonzero(alike & ~np.r_[False, as_before][: len(places)])
    numbers = np.cumsum(alike) - 1
    return places[alike], np.r_[numbers[begins], alike.sum()]


def _folders(items: Sequence[Item], places: NDArray[np.intp]) -> NDArray[np.int32]:
    """A number for the folder of each of some items, [N]."""
    import numpy as np

    paths = items.column("image") if isinstance(items, StoredRows) else None
    codes: dict[str, int] = {}
    found = np.empty(len(places), dtype=np.int32)
    for begin in range(0, len(places), _LOADED):
        some = places[begin : begin + _LOADED]
        images = [items[place].image for place in some] if paths is None else paths.take(some).to_pylist()
        found[begin : begin + len(some)] = [codes.setdefault(_folder(image), len(codes)) for image in images]
    return found


def _hashes(items: Sequence[Item]) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """The first half of the hash of each image that was read, uint64[N, 2], and the numbers of these items, [N]."""
    import numpy as np

    groups: Iterable[Sequence[str]]
    if isinstance(items, StoredRows):
        groups = (chunk.to_pylist() for chunk in items.column("sha256").chunks)
    else:
        groups = [[item.sha256 for item in items]]
    parts: list[NDArray[np.uint64]] = [np.empty((0, 2), dtype=np.uint64)]
    places: list[NDArray[np.intp]] = [np.empty(0, dtype=np.intp)]
    before = 0
    for texts in groups:
        read = np.fromiter(map(bool, texts), dtype=np.bool_, count=len(texts))
        parts.append(np.frombuffer(bytes.fromhex("".join(texts)), dtype=np.uint64).reshape(-1, 4)[:, :2])
        places.append(np.flatnonzero(read) + before)
        before += len(texts)
    return np.concatenate(parts), np.concatenate(places)


def _duplicate(same: Sequence[Item], count: int) -> Finding:
    """The finding about some images with the same bytes, in folders that share `count` duplicates."""
    kind, hint = _kind(same)
    names = ", ".join(item.image for item in same[1 : 1 + _SHOWN])
    unnamed = count - min(len(same), 1 + _SHOWN)
    more = f", and so have {unnamed:,} more" if unnamed else ""
    return Finding(path=same[0].image, kind=kind, detail=f"it has the same bytes as {names}{more}", hint=hint)


def _kind(same: Sequence[Item]) -> tuple[str, str]:
    """The kind of a duplicate, and what to do about it."""
    if len({item.split for item in same}) > 1:
        return "duplicate_across_splits", "a model has seen the test image in training: count it in one split only"
    if len({(item.category, item.anomalous, item.source_labels) for item in same}) > 1:
        return "duplicate_across_classes", "one image cannot be of two classes: find out which is right"
    return "duplicate", "it counts twice in every figure"


class SeenImages:
    """What was seen of the images of a category, one after the other in the order of their paths."""

    def __init__(self) -> None:
        self._modes: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        """Pixel format, or size → the first image that has it."""
        self._grey = (0, 0)
        """Grey images of 16 bits, and the largest value of a pixel in any of them."""
        self._coloured = (0, 0)
        """The same of those of 16 bits a colour."""

    def add(self, item: Item, peak: int | None) -> None:
        """Take in an image that can be used. `peak`: see `FileFacts.peak`."""
        size = f"{item.width}×{item.height}"
        self._modes[item.mode] += 1
        self._sizes[size] += 1
        for seen in (item.mode, size):
            self._first.setdefault(seen, item.image)
        if peak is not None and item.mode.startswith("I"):
            self._grey = self._grey[0] + 1, max(self._grey[1], peak)
        elif peak is not None:
            self._coloured = self._coloured[0] + 1, max(self._coloured[1], peak)

    @property
    def bits(self) -> int | None:
        """Bits that its 16-bit grey images use; None where it has none, or they use all."""
        count, brightest = self._grey
        used = max(8, brightest.bit_length())
        return used if count and used < _DEEP else None

    def findings(self, category: str) -> Iterator[Finding]:
        """Whether images differ in pixel format or size, which can give a class away, and how deep they are."""
        kinds = (("mixed_modes", "pixel formats", self._modes), ("mixed_sizes", "sizes", self._sizes))
        for kind, noun, counts in kinds:
            if len(counts) > 1:
                rarest = min((count, value) for value, count in counts.items())[1]
                yield Finding(
                    path=category,
                    kind=kind,
                    detail=f"its images have {len(counts)} {noun}: {_most_frequent(counts)};"
                    f" {self._first[rarest]} is {rarest}",
                    hint="see that it does not go with the class",
                )
        count, brightest = self._grey
        if self.bits is not None:
            yield Finding(
                path=category,
                kind="used_range",
                detail=f"its {count:,} images of 16 bits use {self.bits} of them (up to {brightest:,}):"
                f" they are shown and compared in the range 0 to {2**self.bits - 1:,}",
                hint="images that use more bits, if they are added, make all of the category darker",
            )
        count, brightest = self._coloured
        if count:
            detail = f"{count:,} of its images have 16 bits a colour, of which the upper eight are read"
            detail += f"; the brightest of them is {brightest} of 255" if brightest < _DIM else ""
            hint = "8 bits a colour would choose the range"
            yield Finding(path=category, kind="deep_colours", detail=detail, hint=hint)


def marked_normal(path: str, mask: MaskContent, pixels: int) -> Finding:
    """The finding about the mask of an image that the dataset calls normal: an alarm, if it marks anything."""
    if not mask.marked:
        return Finding(path=path, kind="empty_normal_mask", detail="it marks nothing, and its image is called normal")
    return Finding(
        path=path,
        kind="marked_normal",
        detail=f"its image is called normal, and it marks {mask.marked:,} pixels ({mask.marked / pixels:.1%})"
        " of it: it is not used",
        hint="one of the two is wrong: look at both; a decision about the image settles it, and the mask can stay",
    )


def _most_frequent(counts: Counter[str]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{value} ({count:,})" for value, count in ordered[:_SHOWN]]
    return ", ".join([*shown, "…"] if len(counts) > _SHOWN else shown)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
