"""The proposer `clip`: zero-shot CLIP, which compares an image with prompts for each class.

The full image, and the square around the mask, are compared with the prompts of each class, `good` included
(`acbench.predictors.clip_prompts`). The logit of a class is the model's scale times the mean of the two cosines.

One temperature, for all images, turns the logits into probabilities (`acbench.predictors.calibration`). It is fitted to
the dataset's own labels. It never changes which class comes first, so that CLIP stays an independent witness; it only
decides how large a lead has to be to count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acbench._util.chunks import chunks
from acbench._util.console import Progress
from acbench._util.cores import cores
from acbench._util.prefetch import Attempt, prefetch_attempts
from acbench.predictors import clip_prompts
from acbench.predictors.base import Proposer, Setup
from acbench.predictors.cached_vectors import cached_vectors
from acbench.predictors.calibration import Logits, fit_temperature, softmax
from acbench.predictors.clip_names import without_folders
from acbench.predictors.clip_prompts import prompts
from acbench.predictors.models import ClipModel
from acbench.records import Item, Proposal, ProposalStatus
from acbench.schema import Category
from acbench.storage.digests import digest
from acbench.storage.vectors import unpack_vector

FAMILY = "clip"
"""All CLIP models are of one family: they learn from much the same pictures and captions."""
MARGIN = 0.2
"""It abstains if the best class leads the second by less."""
LEAST = 30
"""With fewer labelled images no temperature is fitted."""
VIEWS = "whole image; square around the mask; 1"
"""Part of the name. Raise the number when the same file is to give other crops."""
BATCH = 16
"""Images whose vectors are computed, and then kept, at a time: a killed run continues from there."""
CHUNK = 256
"""Vectors read from the cache at a time."""
WORKERS = min(16, cores())
"""Threads that cut crops."""


class _Missing(NamedTuple):
    """The views of an item that have no kept vector."""

    item: Item
    views: Mapping[str, str]
    """View → key."""


_Crops = Mapping[str, NDArray[np.uint8]]
"""Key → crop (S, S, 3)."""


class _Calibration(NamedTuple):
    temperature: float
    images: int
    """How many labelled images there were; with fewer than LEAST the temperature is 1."""


@dataclass
class Clip:
    """The proposer `clip`."""

    setup: Setup
    model: ClipModel
    shown: str = ""
    """The name of the model as the user gave it, without folders; empty for the one of the settings."""

    @cached_property
    def name(self) -> str:
        decides = (self.model.name, clip_prompts.TEXTS.source, VIEWS, self.setup.schema.digest, MARGIN, LEAST)
        return f"{':'.join(filter(None, ('clip', self.shown)))}@{digest(*decides, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterator[Proposal]:
        """One proposal for each anomalous item, after all have vectors. Normal items are not covered."""
        covered = self.covers(items)
        problems = self.embed(covered, progress)
        logits = dict(self._logits([item for item in covered if item.item_id not in problems]))
        calibration = self._calibration(covered, logits)
        for item in covered:
            if item.item_id in logits:
                yield self._answer(item, logits[item.item_id], calibration)
            elif item.item_id in problems:
                yield self._no_answer(item, "error", problems[item.item_id])
            else:
                yield self._no_answer(item, "abstained", f"the schema has no category {item.category}")

    def covers(self, items: Sequence[Item]) -> list[Item]:
        """The anomalous items."""
        return sorted((item for item in items if item.anomalous), key=lambda item: item.image)

    # Vectors

    def embed(self, items: Sequence[Item], progress: Progress) -> Mapping[str, str]:
        """Compute and keep the vectors of items of known categories, batch by batch."""
        problems = {item.item_id: item.problem for item in items if item.problem}
        readable = [item for item in items if not item.problem and self._category(item)]
        missing = list(self._missing(readable))
        done = len(readable) - len(missing)
        progress(done, len(readable))
        for batch in self._cut(missing):
            crops: dict[str, NDArray[np.uint8]] = {}
            for attempt in batch:
                if attempt.result is None:
                    problems[attempt.input.item.item_id] = attempt.problem
                else:
                    crops.update(attempt.result)
            if crops:
                cached_vectors(self.setup.vectors, crops, self.model.images)
            done += len(batch)
            progress(done, len(readable))
        return problems

    def _missing(self, items: Sequence[Item]) -> Iterator[_Missing]:
        """The items that lack a kept vector."""
        for chunk in chunks(items, CHUNK):
            kept = self.setup.vectors.load([key for item in chunk for key in self._keys(item).values()])
            for item in chunk:
                if views := {view: key for view, key in self._keys(item).items() if key not in kept}:
                    yield _Missing(item, views)

    def _keys(self, item: Item) -> dict[str, str]:
        """View → key of its vector."""
        return {
            view: digest(self.model.name, VIEWS, item.sha256, None if view == "image" else item.marks, view, length=32)
            for view in _views(item)
        }

    def _cut(self, missing: Sequence[_Missing]) -> Iterator[list[Attempt[_Missing, _Crops]]]:
        """The missing crops in batches, cut in threads."""
        if not missing:
            return
        cut = partial(self._crops, size=self.model.size)
        # Threads that cut while a model computes on the CPU hold up all of its threads at every layer. Taking turns was
        # measured to be a tenth faster than cutting ahead.
        for turn in chunks(missing, BATCH) if self.model.on_cpu else [missing]:
            yield from chunks(prefetch_attempts(cut, turn, workers=WORKERS, most=2 * BATCH), BATCH)

    def _crops(self, missing: _Missing, size: int) -> _Crops:
        """The missing views of one image. Raises AcbenchError if it cannot be read."""
        from acbench.data import regions  # imports scipy, which a run with nothing to cut does not need

        item = missing.item
        image = self.setup.images.image(item.image)
        boxes = {"image": regions.square(np.zeros((image.height, image.width), dtype=np.bool_))}
        marked = self.setup.images.marked(item, image.size)
        if marked is not None:
            boxes[item.marking] = regions.square(marked)
        return {key: regions.cut(image, boxes[view], size) for view, key in missing.views.items()}

    # Scores

    def _logits(self, items: Sequence[Item]) -> Iterator[tuple[str, Logits]]:
        """item_id → the logits of `good` and of each class. `items` have vectors, unless their category is unknown."""
        for key in sorted({item.category for item in items}):
            category = self.setup.schema.category(key)
            if category is None:
                continue
            scale, directions = self._scale(), self._class_directions(category)
            for chunk in chunks((item for item in items if item.category == key), CHUNK):
                kept = self._kept([key for item in chunk for key in self._keys(item).values()])
                for item in chunk:
                    views = np.array([kept[key] for key in self._keys(item).values()])
                    yield item.item_id, scale * (views @ directions.T).mean(axis=0)

    def _scale(self) -> float:
        """The model's own scale. It is kept, so that a run with all vectors kept does not load the model."""
        key = digest(self.model.name, "scale", length=32)
        scale = cached_vectors(
            self.setup.vectors, {key: None}, lambda _: np.array([[self.model.scale]], dtype=np.float32)
        )
        return float(scale[key][0])

    def _class_directions(self, category: Category) -> NDArray[np.float64]:
        """A unit vector (K, D) of `good` and of each class: the direction of the mean of its prompts."""
        by_class = prompts(category)
        keys = {
            prompt: digest(self.model.name, "text", prompt, length=32)
            for class_prompts in by_class.values()
            for prompt in class_prompts
        }
        vectors: dict[str, NDArray[np.float32]] = {}
        for chunk in chunks(keys, 2 * BATCH):
            vectors |= cached_vectors(self.setup.vectors, {keys[prompt]: prompt for prompt in chunk}, self.model.texts)
        means = np.array(
            [
                np.mean([vectors[keys[prompt]].astype(np.float64) for prompt in class_prompts], axis=0)
                for class_prompts in by_class.values()
            ]
        )
        directions: NDArray[np.float64] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return directions

    def _kept(self, keys: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        vectors = self.setup.vectors.load(keys)
        return {key: unpack_vector(data).astype(np.float64) for key, data in vectors.items()}

    def _calibration(self, items: Sequence[Item], logits: Mapping[str, Logits]) -> _Calibration:
        """The temperature at which the classes that the dataset names are likeliest."""
        known = [
            (logits[item.item_id], answer)
            for item in items
            if item.item_id in logits and (answer := self._source_answer(item)) is not None
        ]
        if len(known) < LEAST:
            return _Calibration(1.0, len(known))
        temperature = fit_temperature([image_logits for image_logits, _ in known], [answer for _, answer in known])
        return _Calibration(temperature, len(known))

    def _source_answer(self, item: Item) -> int | None:
        """The index of the answer that the dataset's label names; None unless it names exactly one."""
        category = self._category(item)
        labels = category.map(item.source_labels, item.image).labels if category else ()
        return category.answers.index(labels[0]) if category and len(labels) == 1 else None

    def _category(self, item: Item) -> Category | None:
        return self.setup.schema.category(item.category)

    # Answers

    def _answer(self, item: Item, logits: Logits, calibration: _Calibration) -> Proposal:
        category = self._category(item)
        assert category is not None, "only items of known categories have logits"
        likely = softmax(logits / calibration.temperature).round(6).tolist()
        scores = dict(zip(category.answers, likely, strict=True))
        (best, first), (_, second) = ranked = sorted(scores.items(), key=lambda pair: -pair[1])[:2]
        shown = ", ".join(f"{label} {value:.2f}" for label, value in ranked)
        sure = first - second >= MARGIN
        enough = calibration.images >= LEAST
        basis = f"calibrated on {calibration.images} images" if enough else "uncalibrated: too few labelled images"
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=(best,) if sure else (),
            scores=scores,
            rationale=f"looks most like {shown} ({basis})",
            status="ok" if sure else "abstained",
            reason="" if sure else f"too close to call: {shown}",
            saw=_views(item),
            schema_version=self.setup.schema.version,
            model=self.model.name.rpartition("@")[0],
            family=FAMILY,
        )

    def _no_answer(self, item: Item, status: ProposalStatus, reason: str) -> Proposal:
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=(),
            status=status,
            reason=reason,
            saw=_views(item),
            schema_version=self.setup.schema.version,
            model=self.model.name.rpartition("@")[0],
            family=FAMILY,
        )


def _views(item: Item) -> tuple[str, ...]:
    """The views of an item: the full image and, if there is a mask or a box, the square around what is marked."""
    return ("image", item.marking) if item.marking else ("image",)


def build(setup: Setup, argument: str = "") -> Proposer:
    """The proposer with the CLIP model `argument`, or that of the settings. Raises AcbenchError if there is none."""
    return Clip(setup, setup.models.clip(argument), without_folders(argument))
