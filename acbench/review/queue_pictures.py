"""Evidence pictures of the review queue, as JPEG bytes."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path

from PIL import Image

from acbench.data import evidence
from acbench.data import images as imaging
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.records import Item, Proposal
from acbench.review.csv_queue import says
from acbench.review.queue import RankedItem
from acbench.storage.atomic import write_bytes

QUALITY = 88
"""Of JPEG, without chroma subsampling: it would blur the outline."""
_VERSION = 2
"""Raise it when pictures are drawn differently."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What one picture shows."""

    item: Item
    reference: Item | None
    """A normal image of the same category."""
    proposals: Sequence[Proposal]
    ranked: RankedItem

    def lines(self) -> list[str]:
        """The text below the picture."""
        return [*(says(answer) for answer in self.proposals), f"why: {self.ranked.why}"]

    def inputs(self) -> tuple[object, ...]:
        """Everything that decides the picture."""
        normal = self.reference.sha256 if self.reference else None
        return _VERSION, self.item.image, self.item.sha256, self.item.mask_sha256, normal, self.lines()


def references(items: Sequence[Item]) -> dict[str, list[Item]]:
    """Category → the normal images to show beside others, the first first: of train if there are any; always the same.

    Two of them, since none is shown beside itself.
    """
    normal: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        if not item.anomalous and not item.problem:
            normal[item.category].append(item)
    return {category: nsmallest(2, there, key=_turn) for category, there in normal.items()}


def _turn(item: Item) -> tuple[bool, str]:
    return item.split != "train", hashlib.blake2b(item.image.encode()).hexdigest()


def beside(item: Item, normal: Mapping[str, Sequence[Item]]) -> Item | None:
    """The normal image to show beside an item, of `references`; None if there is no other."""
    return next((each for each in normal.get(item.category, ()) if each.item_id != item.item_id), None)


def draw(shown: Shown, images: ImageReader) -> bytes:
    """The picture that a person decides by. What cannot be opened is said in the picture instead of shown."""
    image, mask, normal = Image.new("RGB", (448, 448), (228, 228, 226)), None, None
    lines = shown.lines()
    try:
        image = images.image(shown.item.image)
        if shown.item.mask is not None:
            mask = images.mask(shown.item.mask, image.size)
    except AcbenchError as error:
        lines.append(error.message)
    if shown.reference is not None:
        try:
            normal = images.image(shown.reference.image)
        except AcbenchError as error:
            lines.append(error.message)
    drawn = evidence.picture(image, mask, normal, title=shown.item.image, lines=lines)
    return imaging.jpeg(drawn, QUALITY)


def write(shown: Shown, images: ImageReader, path: Path) -> None:
    """Keep the picture as a file."""
    write_bytes(path, draw(shown, images))
