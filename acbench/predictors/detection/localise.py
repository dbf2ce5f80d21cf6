"""Decides which images are anomalous, and where, which is the first step of every baseline with a detector.

A detector's threshold comes from the scores of normal training images alone (`acbench.predictors.detection.gate`), each
scored as if it were new. The score of an image is the largest value of its map. An image above the threshold is
anomalous, and so are the places above it. Ground-truth masks replace a detector only as a declared oracle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acbench._util.console import Progress
from acbench.errors import AcbenchError
from acbench.predictors.base import BaselineSetup
from acbench.predictors.detection.gate import Gate
from acbench.predictors.detection.heatmap_files import HeatmapFolder
from acbench.predictors.detection.maps import AnomalyMap, Detector
from acbench.predictors.detection.patchcore_maps import PatchCoreDetector
from acbench.records import Item
from acbench.storage.digests import digest

ORACLE, NONE = "oracle", "none"
"""The values of `--detector` that need no detector: ground-truth masks, and no localisation."""
PEAK = 0.9
"""If resizing takes a map's peak below the threshold, places above this share of the peak are marked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Localisation:
    """What is known about one image before its defect is named, or the reason why nothing is known."""

    anomalous: bool | None = None
    """None if it is not known: with `none`, or after a failure."""
    score: float | None = None
    """The largest value of the map; None without a detector."""
    map: AnomalyMap | None = None
    threshold: float = 0.0
    problem: str = ""
    """Why it failed; empty if it did not."""


class LocalisedItem(NamedTuple):
    """An item, and where its anomaly is."""

    item: Item
    place: Localisation


class _Threshold(NamedTuple):
    value: float
    images: int
    """How many normal images set it."""


@dataclass
class Localiser:
    """Says which images are anomalous, and where, with the detector that the user chose.

    Making one raises AcbenchError if there is no such detector.
    """

    setup: BaselineSetup
    _detector: Detector | None = field(init=False)
    """None with `oracle` and `none`."""
    _thresholds: dict[str, _Threshold] = field(init=False, default_factory=dict)
    """Category → threshold."""

    def __post_init__(self) -> None:
        self._detector = chosen_detector(self.setup)

    @cached_property
    def _gate(self) -> Gate:
        return Gate(self.setup.options.false_alarms, self.setup.options.gate)

    @cached_property
    def key(self) -> str:
        """8 hex digits of everything that decides the localisations."""
        train = [item.sha256 for item in self.setup.items if item.split == "train" and not item.anomalous]
        name = self._detector.name if self._detector else self.setup.options.detector
        return digest(
            2, name, self._gate.false_alarms, self._gate.costs, sorted(train), PEAK, *self.setup.images.key, length=8
        )

    @property
    def provenance(self) -> tuple[str, str]:
        """The kind of localisation and its details, as `Baseline.localisation` gives them."""
        if self._detector is None:
            return ("ground_truth" if self.setup.options.detector == ORACLE else "none"), ""
        images = [threshold.images for threshold in self._thresholds.values()]
        return "detector", f"{self._detector.name}, {self._gate.describe(images)}"

    def localise(self, items: Sequence[Item], progress: Progress) -> Iterator[LocalisedItem]:
        """Where the anomaly of each item is, category by category."""
        ordered = sorted(items, key=lambda item: (item.category, item.image))
        for done, localised in enumerate(self._localise(ordered), start=1):
            progress(done, len(ordered))
            yield localised

    def fit(self, categories: Collection[str]) -> None:
        """Fit the detector to categories. A category that it cannot be fitted to fails item by item in `localise`."""
        if self._detector is not None:
            for category in sorted(categories):
                with suppress(AcbenchError):
                    self._threshold(self._detector, category, self._normal_items(category))

    def _localise(self, items: Sequence[Item]) -> Iterator[LocalisedItem]:
        for category in sorted({item.category for item in items}):
            members = [item for item in items if item.category == category]
            if self._detector is None:
                yield from (LocalisedItem(item, self._without_detector(item)) for item in members)
                continue
            try:
                yield from self._detected(self._detector, category, members)
            except AcbenchError as error:
                yield from (LocalisedItem(item, Localisation(problem=error.message)) for item in members)

    def _without_detector(self, item: Item) -> Localisation:
        """The ground truth with `oracle`, and nothing with `none`."""
        if item.problem:
            return Localisation(problem=item.problem)
        if self.setup.options.detector == NONE:
            return Localisation()
        if not item.anomalous:
            return Localisation(anomalous=False)
        try:
            marked = self.setup.images.marked(item, (item.width, item.height))
        except AcbenchError as error:
            return Localisation(problem=error.message)
        if marked is None:
            return Localisation(anomalous=True)
        return Localisation(anomalous=True, map=marked.astype(np.float32), threshold=0.5)

    def _detected(self, detector: Detector, category: str, items: Sequence[Item]) -> Iterator[LocalisedItem]:
        """What the detector says of items of one category. Raises AcbenchError if it cannot be fitted to it."""
        train = self._normal_items(category)
        threshold = self._threshold(detector, category, train)
        for item_map in detector.maps(items, train):
            if item_map.map is None:
                place = Localisation(threshold=threshold, problem=item_map.problem)
            else:
                score = float(item_map.map.max())
                place = Localisation(anomalous=score > threshold, score=score, map=item_map.map, threshold=threshold)
            yield LocalisedItem(item_map.item, place)

    def _normal_items(self, category: str) -> list[Item]:
        """A category's normal training items, ordered by content, so that no file name decides which are held out."""
        normal = (item for item in self.setup.items if item.split == "train" and not item.anomalous)
        usable = (item for item in normal if item.category == category and not item.problem)
        return sorted(usable, key=lambda item: item.sha256)

    def _threshold(self, detector: Detector, category: str, train: Sequence[Item]) -> float:
        if category not in self._thresholds:
            maps = detector.normal_maps(train)
            scores = [float(item_map.map.max()) for item_map in maps if item_map.map is not None]
            if not scores:
                raise AcbenchError(
                    f"no normal training image of {category} can be read", f"acbench ingest … --category {category}"
                )
            self._thresholds[category] = _Threshold(self._gate.threshold(scores), len(scores))
        return self._thresholds[category].value


def chosen_detector(setup: BaselineSetup) -> Detector | None:
    """The detector that the user chose; None for `oracle` and `none`. Raises AcbenchError for an unknown one."""
    kind, _, argument = setup.options.detector.partition(":")
    if setup.options.detector in {ORACLE, NONE}:
        return None
    if kind == "patchcore" and not argument:
        return PatchCoreDetector(setup.images, setup.models.patches(), setup.vectors, setup.options.input_size)
    if kind == "heatmaps" and argument:
        return HeatmapFolder(Path(argument))
    raise AcbenchError(
        f"there is no detector {setup.options.detector!r}", "--detector patchcore, heatmaps:FOLDER, oracle or none"
    )


def marked_region(place: Localisation, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The places above the threshold, as bool[H, W] for an image of (width, height); nothing without a map."""
    if place.map is None:
        return np.zeros((size[1], size[0]), dtype=np.bool_)
    if place.map.shape == (size[1], size[0]):
        values = place.map
    else:
        values = np.asarray(Image.fromarray(place.map).resize(size, Image.Resampling.BICUBIC))
    peak = float(values.max())
    region: NDArray[np.bool_] = values > min(place.threshold, PEAK * peak if peak > 0 else peak)
    return region
