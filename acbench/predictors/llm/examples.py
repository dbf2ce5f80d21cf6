"""Chooses the labelled examples that questions show, and makes their pictures.

The choice changes as rarely as it can, since each change of it is paid for: of each class the first ones by the hash of
the image, those that people decided before others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acbench.data import images as imaging
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.predictors.base import KnownLabel
from acbench.predictors.llm import close_ups
from acbench.predictors.llm.questions import SizedPicture, encoded
from acbench.records import GOOD, Item
from acbench.schema import Schema

if TYPE_CHECKING:
    from PIL import Image

SMALLER = 1 / 2
"""Longer edge of an example, as a share of that of other pictures."""


@dataclass(frozen=True, slots=True)
class ShownExample:
    """One labelled example as questions show it."""

    known: KnownLabel
    shown: SizedPicture

    def may_stand_beside(self, item: Item) -> bool:
        """Whether it is not the image itself, nor one with the same bytes. Who merely looks alike is not known here."""
        other = self.known.item
        return other.item_id != item.item_id and other.sha256 != item.sha256


def choose(known: Iterable[KnownLabel], per_class: int, schema: Schema) -> list[KnownLabel]:
    """At most `per_class` examples of each defect class, by category, class and hash.

    Images with several classes, and images that are there twice with different labels, are no examples.
    """
    if per_class < 1:
        return []
    labels_of: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    candidates: defaultdict[tuple[str, str], dict[str, KnownLabel]] = defaultdict(dict)
    for each in sorted(known, key=lambda each: (not each.by_people, each.item.sha256, each.item.item_id)):
        if each.item.problem or not each.item.sha256:
            continue
        labels_of[each.item.sha256].add(each.labels)
        if len(each.labels) == 1 and each.labels != (GOOD,):
            candidates[each.item.category, each.labels[0]].setdefault(each.item.sha256, each)
    chosen = []
    for key, category in schema.categories.items():
        for class_id in category.class_ids:
            clear = [each for each in candidates[key, class_id].values() if len(labels_of[each.item.sha256]) == 1]
            chosen += clear[:per_class]
    return chosen


def shown(chosen: Iterable[KnownLabel], images: ImageReader, edge: int) -> dict[str, Sequence[ShownExample]]:
    """Category → its examples, with pictures of a longer edge of at most SMALLER · `edge` pixels.

    An image that cannot be read is left out: ingest has reported it.
    """
    by_category: defaultdict[str, list[ShownExample]] = defaultdict(list)
    for known in chosen:
        try:
            picture = encoded(_picture(known.item, images, round(SMALLER * edge)))
        except AcbenchError:
            continue
        by_category[known.item.category].append(ShownExample(known, picture))
    return dict(by_category)


def beside(item: Item, examples: Mapping[str, Sequence[ShownExample]]) -> list[ShownExample]:
    """The examples that a question about an item shows."""
    return [example for example in examples.get(item.category, ()) if example.may_stand_beside(item)]


def _picture(item: Item, images: ImageReader, edge: int) -> Image.Image:
    """The largest marked place close up, or the whole image if none is marked. Raises AcbenchError."""
    from PIL import Image

    from acbench.data import mask_facts, regions  # imports scipy

    image = images.image(item.image)
    mask = images.marked(item, image.size)
    places = regions.components(mask, least=mask_facts.SPECK) if mask is not None else []
    if not places:
        return imaging.shrunk(image, edge)
    box = regions.square(places[0])
    size = min(edge, max(1, round(close_ups.ENLARGED * box.width)))
    return Image.fromarray(regions.cut(image, box, size))
