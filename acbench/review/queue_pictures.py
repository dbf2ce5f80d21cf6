"""Draws the evidence pictures of the review queue, as JPEG files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from acbench.data import evidence
from acbench.data import images as imaging
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.records import Item, Proposal
from acbench.review.queue import RankedItem
from acbench.review.wording import ASKED_BECAUSE, in_words
from acbench.storage.atomic import write_bytes
from acbench.storage.stored_rows import at_places, fields

QUALITY = 88
"""JPEG quality. Chroma is not subsampled, which would blur the outline."""
_VERSION = 3
"""Raise it when pictures are drawn differently."""
_KEPT = 32
"""Normal images that are kept while pictures are drawn, of at most 1 MB each."""
EMPTY_COLOUR = (228, 228, 226)
"""Light grey, where there is nothing to show."""


@dataclass(frozen=True, slots=True)
class EvidencePicture:
    """The picture by which a person decides about one image."""

    item: Item
    reference: Item | None
    """A normal image of the same category."""
    proposals: Sequence[Proposal]
    ranked: RankedItem

    def lines(self) -> list[str]:
        """The text below the picture."""
        return [*map(in_words, self.proposals), *self._asked()]

    def _asked(self) -> list[str]:
        because = ASKED_BECAUSE.get(self.ranked.why)
        return [f"People are asked because {because}."] if because else []

    def inputs(self) -> tuple[object, ...]:
        """Everything that decides how the picture looks."""
        normal = self.reference.sha256 if self.reference else None
        return _VERSION, self.item.image, self.item.sha256, self.item.marks, normal, self.lines()

    def draw(self, images: ImageReader, normal_image: Callable[[Item], Image.Image]) -> bytes:
        """The picture as JPEG. Where an image cannot be opened, the picture says so.

        `normal_image`: see `References.image`.
        """
        image, mask, normal = empty(), None, None
        lines = self.lines()
        try:
            image = images.image(self.item.image)
            mask = images.marked(self.item, image.size)
        except AcbenchError as error:
            lines.append(error.message)
        if self.reference is not None:
            try:
                normal = normal_image(self.reference)
            except AcbenchError as error:
                lines.append(error.message)
        boxed = self.item.marking == "boxes"
        shown = evidence.picture(image, mask, normal, title=self.item.image, lines=lines, boxed=boxed)
        return imaging.jpeg(shown, QUALITY)

    def write(self, images: ImageReader, normal_image: Callable[[Item], Image.Image], path: Path) -> None:
        """Draw the picture into a file."""
        write_bytes(path, self.draw(images, normal_image))


def empty() -> Image.Image:
    """A grey field in place of an image that cannot be read."""
    return Image.new("RGB", (448, 448), EMPTY_COLOUR)


class References:
    """The normal images that pictures show beside other images; the same images always give the same choice.

    Images of the training split come first.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        # Two of each category, since no image is shown beside itself.
        first: dict[str, list[tuple[bool, str, int]]] = {}
        columns = fields(items, "category", "anomalous", "problem", "split", "image")
        for place, (category, anomalous, problem, split, image) in enumerate(columns):
            if not anomalous and not problem:
                turn = split != "train", hashlib.blake2b(image.encode()).hexdigest(), place
                first[category] = sorted([*first.get(category, ()), turn])[:2]
        places = sorted(place for turns in first.values() for *_, place in turns)
        chosen = dict(zip(places, at_places(items, places), strict=True))
        self._by_category = {category: [chosen[place] for *_, place in turns] for category, turns in first.items()}

    @staticmethod
    def image(images: ImageReader) -> Callable[[Item], Image.Image]:
        """Reads a normal image as a panel shows it, RGB; the last few are kept, since many pictures show the same one.

        What it gives raises ImageError.
        """

        @lru_cache(maxsize=_KEPT)
        def read(path: str) -> Image.Image:
            return evidence.shrunk(images.image(path))

        return lambda item: read(item.image)

    def beside(self, item: Item) -> Item | None:
        """The normal image to show beside an item; None if there is no other."""
        others = (other for other in self._by_category.get(item.category, ()) if other.item_id != item.item_id)
        return next(others, None)
