"""Which class a picture looks like to a CLIP model, asked in words.

Zero-shot: the whole image, and the square around what the mask marks, are compared with prompts made of each class's
names and definition, `good` included (templates/clip.txt; ensembles of states and of ways to photograph them as in
WinCLIP, Jeong et al. 2023, arXiv 2303.14814). A class's logit is the model's scale times the mean of both cosines.

One temperature makes the softmax over the logits mean what it says (Guo et al. 2017, arXiv 1706.04599). It is fitted
to the dataset's own labels, all images at once, and never changes which class comes first, so that CLIP stays a witness
of its own; it only decides, for all images alike, how wide a lead has to be to count.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from acbench._util import templates
from acbench._util.console import Progress
from acbench._util.prefetch import ahead
from acbench.errors import AcbenchError
from acbench.predictors.base import ClipModel, Proposer, Setup
from acbench.records import GOOD, Item, Proposal
from acbench.schema import Category
from acbench.storage.digests import digest

MARGIN = 0.2
"""Abstain if the best class leads the second by less."""
LEAST = 30
"""With fewer labelled images no temperature is fitted."""
VIEWS = "whole image; square around the mask; 1"
"""Raise the number when the same file is to give other crops."""
BATCH = 16
"""Images looked at, and then kept, at a time: a killed run goes on from there."""
CHUNK = 256
"""Vectors read back at a time."""
WORKERS = min(16, os.cpu_count() or 1)
"""Threads that draw."""
_TEXTS = templates.read("clip")

Logits = NDArray[np.float64]
_Missing = tuple[Item, dict[str, str]]
"""An item, and view → key of what is to be drawn of it."""
_Drawn = dict[str, NDArray[np.uint8]] | str
T = TypeVar("T")


class _Calibration(NamedTuple):
    temperature: float
    images: int
    """So many labelled images there were; with fewer than LEAST the temperature is 1."""


@dataclass
class Clip:
    """See the module."""

    setup: Setup
    model: ClipModel
    _failed: dict[str, str] = field(default_factory=dict)
    """item_id → why its picture cannot be seen."""

    @cached_property
    def name(self) -> str:
        decides = (self.model.name, _TEXTS.source, VIEWS, self.setup.schema.digest, MARGIN, LEAST)
        return f"clip@{digest(*decides, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterator[Proposal]:
        """One proposal for each anomalous item, once all are seen; normal ones are not covered."""
        covered = self.covers(items)
        self.look(covered, progress)
        logits = {item.item_id: found for item, found in self._logits(covered)}
        calibration = self._calibration(covered, logits)
        for item in covered:
            if item.item_id in logits:
                yield self._answer(item, logits[item.item_id], calibration)
            elif item.item_id in self._failed:
                yield self._row(item, status="error", reason=self._failed[item.item_id])
            else:
                yield self._row(item, status="abstained", reason=f"the schema has no category {item.category}")

    # Pictures

    def covers(self, items: Sequence[Item]) -> list[Item]:
        """The anomalous ones."""
        return sorted((item for item in items if item.anomalous), key=lambda item: item.image)

    def look(self, items: Sequence[Item], progress: Progress) -> Mapping[str, str]:
        """See `Looking`."""
        self._failed = {item.item_id: item.problem for item in items if item.problem}
        self._look([item for item in items if self._category(item) and not item.problem], progress)
        return self._failed

    def _look(self, items: Sequence[Item], progress: Progress) -> None:
        """Keep the vectors of all items, batch by batch."""
        todo: list[_Missing] = []
        for chunk in _chunks(items, CHUNK):
            kept = self.setup.vectors.load([key for item in chunk for key in self._keys(item).values()])
            for item in chunk:
                if missing := {view: key for view, key in self._keys(item).items() if key not in kept}:
                    todo.append((item, missing))
        done = len(items) - len(todo)
        progress(done, len(items))
        if not todo:
            return
        for batch in self._drawn(todo):
            crops: dict[str, NDArray[np.uint8]] = {}
            for (item, _), found in batch:
                if isinstance(found, str):
                    self._failed[item.item_id] = found
                else:
                    crops |= found
            if crops:
                self._keep(list(crops), self.model.images(list(crops.values())))
            done += len(batch)
            progress(done, len(items))

    def _keys(self, item: Item) -> dict[str, str]:
        """View → key of its vector: of the whole image, and of the square around the mask if there is one."""
        views = {"image": None} if item.mask is None else {"image": None, "mask": item.mask_sha256}
        return {
            view: digest(self.model.name, VIEWS, item.sha256, seen, view, length=32) for view, seen in views.items()
        }

    def _drawn(self, todo: Sequence[_Missing]) -> Iterator[list[tuple[_Missing, _Drawn]]]:
        """All with their crops, or why there are none, in batches; drawn ahead, while the model computes elsewhere."""
        size = self.model.size
        # The threads of a model on the CPU wait for each other at every layer, and so for one whose core is drawing:
        # taking turns was measured a tenth faster than drawing ahead.
        for turn in _chunks(todo, BATCH) if self.model.on_cpu else [todo]:
            drawn = ahead(lambda each: self._draw(*each, size), turn, workers=WORKERS, most=2 * BATCH)
            yield from _chunks(zip(turn, drawn, strict=True), BATCH)

    def _draw(self, item: Item, views: Mapping[str, str], size: int) -> _Drawn:
        """Key → crop of the views asked for, or why there are none."""
        from acbench.data import regions  # brings scipy along, which a run with nothing to draw does not need

        try:
            image = self.setup.images.image(item.image)
            boxes = {"image": regions.square(np.zeros((image.height, image.width), dtype=np.bool_))}
            if item.mask is not None:
                boxes["mask"] = regions.square(self.setup.images.mask(item.mask, image.size))
        except AcbenchError as error:
            return error.message
        return {key: regions.cut(image, boxes[view], size) for view, key in views.items()}

    # Scores

    def _logits(self, items: Sequence[Item]) -> Iterator[tuple[Item, Logits]]:
        """The logits of `good` and of each class, for items that could be seen."""
        for key in sorted({item.category for item in items}):
            category = self.setup.schema.category(key)
            seen = [item for item in items if item.category == key and item.item_id not in self._failed]
            if category is None or not seen:
                continue
            scale, texts = self._scale(), self._texts(category)
            for chunk in _chunks(seen, CHUNK):
                kept = self._kept([key for item in chunk for key in self._keys(item).values()])
                for item in chunk:
                    views = np.array([kept[key] for key in self._keys(item).values()])
                    yield item, scale * (views @ texts.T).mean(axis=0)

    def _scale(self) -> float:
        """The model's own scale. Kept, so that a run with all vectors there does not load the model."""
        key = digest(self.model.name, "scale", length=32)
        if not self.setup.vectors.load([key]):
            self._keep([key], np.array([[self.model.scale]], dtype=np.float32))
        return float(self._kept([key])[key][0])

    def _texts(self, category: Category) -> NDArray[np.float64]:
        """A unit vector (K, D) of `good` and of each class: the direction of the mean of its prompts."""
        asked = prompts(category)
        keys = {prompt: self._text_key(prompt) for said in asked.values() for prompt in said}
        kept = self.setup.vectors.load(list(keys.values()))
        missing = [prompt for prompt, key in keys.items() if key not in kept]
        for chunk in _chunks(missing, 2 * BATCH):
            self._keep([keys[prompt] for prompt in chunk], self.model.texts(chunk))
        vectors = self._kept(list(keys.values()))
        means = np.array([np.mean([vectors[keys[prompt]] for prompt in said], axis=0) for said in asked.values()])
        directions: NDArray[np.float64] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return directions

    def _text_key(self, prompt: str) -> str:
        return digest(self.model.name, "text", prompt, length=32)

    def _calibration(self, items: Sequence[Item], logits: Mapping[str, Logits]) -> _Calibration:
        """The temperature at which the classes that the dataset names are likeliest."""
        known = [
            (logits[item.item_id], number)
            for item in items
            if item.item_id in logits and (number := self._labelled(item)) is not None
        ]
        if len(known) < LEAST:
            return _Calibration(1.0, len(known))
        from scipy.optimize import minimize_scalar  # slow to import
        from scipy.special import log_softmax

        # As if one image more were right and one wrong (Platt 1999): labels that all come first would else make T zero.
        doubt = 1 / (len(known) + 2)
        table = np.full((len(known), max(len(found) for found, _ in known)), -1e9)  # categories differ in classes
        wanted = np.zeros_like(table)
        for row, (found, number) in enumerate(known):
            table[row, : len(found)] = found
            wanted[row, : len(found)] = doubt / (len(found) - 1)
            wanted[row, number] = 1 - doubt

        def surprise(log_temperature: float) -> float:
            return float(-(wanted * log_softmax(table * np.exp(-log_temperature), axis=1)).sum())

        best = minimize_scalar(surprise, bounds=(np.log(1e-3), np.log(1e3)), method="bounded")
        return _Calibration(float(np.exp(best.x)), len(known))

    def _labelled(self, item: Item) -> int | None:
        """The place among the classes of the one that the dataset's label names, if it names exactly one."""
        category = self._category(item)
        labels = category.map(item.source_labels, item.image).labels if category else ()
        return _answers(category).index(labels[0]) if category and len(labels) == 1 else None

    def _category(self, item: Item) -> Category | None:
        return self.setup.schema.category(item.category)

    # The cache

    def _keep(self, keys: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self.setup.vectors.save((key, row.tobytes()) for key, row in zip(keys, vectors, strict=True))

    def _kept(self, keys: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        rows = self.setup.vectors.load(keys)
        return {key: np.frombuffer(row, dtype=np.float32).astype(np.float64) for key, row in rows.items()}

    # Answers

    def _answer(self, item: Item, logits: Logits, calibration: _Calibration) -> Proposal:
        category = self._category(item)
        assert category is not None, "only items of known categories are looked at"
        likely = _softmax(logits / calibration.temperature).round(6).tolist()
        scores = dict(zip(_answers(category), likely, strict=True))
        (best, first), (_, second) = ranked = sorted(scores.items(), key=lambda pair: -pair[1])[:2]
        shown = ", ".join(f"{label} {value:.2f}" for label, value in ranked)
        sure = first - second >= MARGIN
        enough = calibration.images >= LEAST
        basis = f"calibrated on {calibration.images} images" if enough else "uncalibrated: too few labelled images"
        return self._row(
            item,
            labels=(best,) if sure else (),
            scores=scores,
            rationale=f"looks most like {shown} ({basis})",
            status="ok" if sure else "abstained",
            reason="" if sure else f"too close to call: {shown}",
        )

    def _row(self, item: Item, **values: object) -> Proposal:
        fixed = {"item_id": item.item_id, "proposer": self.name, "schema_version": self.setup.schema.version}
        saw = ("image",) if item.mask is None else ("image", "mask")
        return Proposal(**{"labels": (), "saw": saw, **fixed, **values})  # type: ignore[arg-type]


def prompts(category: Category) -> dict[str, list[str]]:
    """Class id → what is said of a picture of that class, `good` first."""
    thing = category.name.lower().rstrip(" 0123456789")  # `Macaroni 2` is the dataset's second set of macaroni
    said = {
        GOOD: [
            *_pictured("normal", object=thing),
            *_lines("normal_definition", object=thing, gist=_gist(category.normal)),
        ]
    }
    for one in category.classes:
        kinds = dict.fromkeys(kind.lower() for kind in (one.name, *one.aliases))
        named = [prompt for kind in kinds for prompt in _pictured("defect", object=thing, kind=kind)]
        defined = _lines("definition", object=thing, kind=one.name.lower(), gist=_gist(one.definition))
        said[one.id] = [*named, *defined]
    return said


def _pictured(section: str, **values: str) -> list[str]:
    """Each state of the section in each of the ways to photograph it."""
    return [prompt for state in _lines(section, **values) for prompt in _lines("picture", state=state)]


def _lines(section: str, **values: str) -> list[str]:
    return _TEXTS.fill(section, **values).splitlines()


def _gist(definition: str) -> str:
    """The first sentence: CLIP reads 77 tokens, and loses what comes after."""
    return re.split(r"(?<=[.!?])\s", definition, maxsplit=1)[0]


def _answers(category: Category) -> tuple[str, ...]:
    """What can be answered, in the order of the logits."""
    return (GOOD, *category.class_ids)


def _softmax(logits: Logits) -> Logits:
    shares = np.exp(logits - logits.max())
    likely: Logits = shares / shares.sum()
    return likely


def _chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    stream = iter(values)
    while chunk := list(islice(stream, size)):
        yield chunk


def build(setup: Setup, argument: str = "") -> Proposer:
    """The model that was chosen. Raises AcbenchError if none was."""
    return Clip(setup, setup.models.clip())
