"""Which class a defect looks like, judged by the other defects of its category.

A frozen image model turns each defect into a vector; a linear classifier, fitted to the dataset's own labels of *other*
images, gives class probabilities (out-of-fold, so an image's own label never speaks for itself). Labels that confident
learning (Northcutt et al. 2021, arXiv 1911.00068; cleanlab) suspects after a first pass are left out of the training
folds of a second pass. Items whose dataset label names no class are judged defect by defect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from acbench._util.console import Progress
from acbench.errors import AcbenchError
from acbench.predictors.base import Setup
from acbench.records import GOOD, Item, Proposal, label_set
from acbench.storage.digests import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from acbench.predictors.out_of_fold import HeldOut, Vector

FOLDS = 5
REPEATS = 3
"""Fold assignments averaged in the second pass."""
LEAST = 4
"""A class with fewer images gives no classifier worth asking."""
STRENGTH = 10.0
"""Inverse regularisation of the logistic regression on standardised features (C in scikit-learn)."""
MARGIN = 0.2
"""Abstain if the best class leads the second by less."""
NEAREST = 5
_VERSION = "1"
"""Raise it when the same model is to give other vectors."""
CHUNK = 16
"""Images decoded ahead of the model at a time; bounds memory."""


@dataclass(frozen=True, slots=True)
class _Defects:
    """Vectors of one item: of its whole anomalous region, and of each defect in it."""

    whole: Vector
    parts: tuple[Vector, ...]
    masked: bool


@dataclass
class Neighbours:
    """See the module."""

    setup: Setup
    _failed: dict[str, str] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        decides = (
            self.setup.models.embedder.name,
            self.setup.schema.digest,
            _VERSION,
            FOLDS,
            REPEATS,
            LEAST,
            STRENGTH,
            MARGIN,
        )
        return f"neighbours@{digest(*decides, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each anomalous item; normal ones are not covered."""
        covered = self.covers(items)
        self._failed.clear()
        done = 0
        for category in sorted({item.category for item in covered}):
            members = [item for item in covered if item.category == category]
            vectors: dict[str, _Defects] = {}
            for item, defects in self._vectors(members):
                done += 1
                progress(done, len(covered))
                if defects is not None:
                    vectors[item.item_id] = defects
            yield from self._category(members, vectors)

    def known(self, items: Sequence[Item]) -> dict[str, Vector]:
        """item_id → vector of the whole anomalous region, of those anomalous items whose vectors are kept already."""
        keys = {item.item_id: self._key(item) for item in items if item.anomalous}
        kept = self.setup.vectors.load(list(keys.values()))
        return {item_id: _unpacked(kept[key])[0] for item_id, key in keys.items() if key in kept}

    # Vectors

    def covers(self, items: Sequence[Item]) -> list[Item]:
        """The anomalous ones."""
        return sorted((item for item in items if item.anomalous), key=lambda item: item.image)

    def look(self, items: Sequence[Item], progress: Progress) -> Mapping[str, str]:
        """See `Looking`."""
        self._failed.clear()
        for done, _ in enumerate(self._vectors(items), start=1):
            progress(done, len(items))
        return self._failed

    def _vectors(self, items: Sequence[Item]) -> Iterator[tuple[Item, _Defects | None]]:
        """The vectors of each item, from the cache or from its picture; None, with a reason kept, if that fails."""
        stream = iter(items)
        with ThreadPoolExecutor(max_workers=2) as pool:
            while chunk := list(islice(stream, CHUNK)):
                heads = self.setup.vectors.load([self._key(item) for item in chunk])
                todo = [item for item in chunk if self._key(item) not in heads]
                for item, crops in zip(todo, pool.map(self._crops, todo), strict=True):
                    if isinstance(crops, str):
                        self._failed[item.item_id] = crops
                    else:
                        self._embed(item, crops)
                for item in chunk:
                    yield item, None if item.item_id in self._failed else self._cached(item)

    def _crops(self, item: Item) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]] | str:
        """Crops and coverages: first of the whole region, then of each defect if the label is open; or what failed."""
        # They bring scipy along, which a run with nothing to draw does not need.
        import numpy as np

        from acbench.data import regions

        if item.problem:
            return item.problem
        size = self.setup.models.embedder.size
        try:
            image = self.setup.images.image(item.image)
            mask: NDArray[np.bool_]
            if item.mask is None:
                mask = np.zeros((image.height, image.width), dtype=bool)
            else:
                mask = self.setup.images.mask(item.mask, image.size)
        except AcbenchError as error:
            return error.message
        parts = regions.components(mask) if mask.any() and not self._own_label(item) else []
        return [
            (regions.cut(image, box, size), regions.cut_mask(part, box, size))
            for part in [mask, *parts]
            for box in [regions.square(part)]
        ]

    def _embed(self, item: Item, crops: list[tuple[NDArray[np.uint8], NDArray[np.float32]]]) -> None:
        import numpy as np

        vectors = self.setup.models.embedder.embed([crop for crop, _ in crops], [area for _, area in crops])
        # One row, so that a killed run leaves all of an item's vectors or none.
        head = np.array([len(vectors), vectors.shape[1]], dtype=np.float32)
        self.setup.vectors.save([(self._key(item), np.concatenate([head, vectors.ravel()]).tobytes())])

    def _cached(self, item: Item) -> _Defects:
        key = self._key(item)
        vectors = _unpacked(self.setup.vectors.load([key])[key])
        return _Defects(whole=vectors[0], parts=tuple(vectors[1:]), masked=item.mask is not None)

    def _key(self, item: Item) -> str:
        opened = "each" if not self._own_label(item) else "one"
        return digest(
            self.setup.models.embedder.name, _VERSION, item.sha256, item.mask_sha256, opened, "head", length=32
        )

    def _own_label(self, item: Item) -> str | None:
        """The one class that the dataset's label names, if it names exactly one."""
        category = self.setup.schema.category(item.category)
        labels = category.map(item.source_labels, item.image).labels if category else ()
        return labels[0] if len(labels) == 1 and labels[0] != GOOD else None

    # Answers

    def _category(self, items: Sequence[Item], vectors: dict[str, _Defects]) -> Iterator[Proposal]:
        labelled = [(item, label) for item in items if item.item_id in vectors and (label := self._own_label(item))]
        sizes = Counter(label for _, label in labelled)
        classes = sorted(label for label, count in sizes.items() if count >= LEAST)
        trained = [(item, label) for item, label in labelled if label in classes]
        known = {item.item_id for item, _ in trained}
        if len(classes) < 2:
            there = ", ".join(f"{count} {label}" for label, count in sorted(sizes.items())) or "none"
            why = f"too few images to compare with: {LEAST} of each of two classes are needed, there are {there}"
            yield from (self._silent(item, self._failed.get(item.item_id), why) for item in items)
            return
        model = _model(
            [vectors[item.item_id].whole for item, _ in trained],
            [classes.index(label) for _, label in trained],
        )
        own = {item.item_id: number for number, (item, _) in enumerate(trained)}
        for item in items:
            if item.item_id in self._failed:
                yield self._silent(item, self._failed[item.item_id], "")
            elif item.item_id in known:
                number = own[item.item_id]
                yield self._answer(item, classes, model.held_out[number][None], model.nearest(number, NEAREST), vectors)
            elif label := self._own_label(item):
                yield self._silent(item, None, f"`{label}` has {sizes[label]} images here, at least {LEAST} are needed")
            else:
                defects = vectors[item.item_id]
                yield self._answer(item, classes, model.predict(defects.parts or (defects.whole,)), None, vectors)

    def _answer(
        self,
        item: Item,
        classes: Sequence[str],
        rows: NDArray[np.float64],
        nearest: Sequence[int] | None,
        vectors: dict[str, _Defects],
    ) -> Proposal:
        """`rows` (P, K): class probabilities of each part of the item."""
        mean = rows.mean(axis=0).round(6)
        scores = {label: float(value) for label, value in zip(classes, mean, strict=True)}
        from acbench.predictors.out_of_fold import leads

        undecided = int((leads(rows) < MARGIN).sum())
        labels = label_set(classes[best] for best in rows.argmax(axis=1))
        if nearest is None:
            rationale = f"of {len(rows)} defects: " + ", ".join(
                f"{classes[best]} {row[best]:.2f}" for row, best in zip(rows, rows.argmax(axis=1), strict=True)
            )
        else:
            near = Counter(classes[number] for number in nearest)
            rationale = f"its {len(nearest)} nearest are " + ", ".join(
                f"{n} {label}" for label, n in near.most_common()
            )
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=() if undecided else labels,
            scores=scores,
            rationale=rationale,
            status="abstained" if undecided else "ok",
            reason=self._close(scores, len(rows), undecided) if undecided else "",
            saw=("image", "mask") if vectors[item.item_id].masked else ("image",),
            schema_version=self.setup.schema.version,
        )

    def _close(self, scores: dict[str, float], parts: int, undecided: int) -> str:
        if parts > 1:
            return f"{undecided} of {parts} defects are undecided"
        best = sorted(scores.items(), key=lambda pair: -pair[1])[:2]
        return "too close to call: " + ", ".join(f"{label} {value:.2f}" for label, value in best)

    def _silent(self, item: Item, failure: str | None, why: str) -> Proposal:
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=(),
            status="error" if failure else "abstained",
            reason=failure or why,
            saw=("image", "mask") if item.mask else ("image",),
            schema_version=self.setup.schema.version,
        )


def _unpacked(kept: bytes) -> Vector:
    """The vectors (N, D) of one item, the whole region's first."""
    import numpy as np

    flat = np.frombuffer(kept, dtype=np.float32)
    return flat[2:].reshape(int(flat[0]), int(flat[1]))


def _model(vectors: Sequence[Vector], labels: Sequence[int]) -> HeldOut:
    from acbench.predictors.out_of_fold import HeldOut

    return HeldOut(vectors, labels, folds=FOLDS, repeats=REPEATS, strength=STRENGTH)


def build(setup: Setup, argument: str = "") -> Neighbours:
    """The proposer for `setup`."""
    return Neighbours(setup)
