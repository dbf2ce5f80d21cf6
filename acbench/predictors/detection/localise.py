"""Which pictures are anomalous, and where: what every baseline looks at first.

A detector's threshold is set by normal training pictures alone: the smallest of their scores that at most the wanted
share of them exceeds (of n pictures the share comes in steps of 1/n). A test picture's score is the largest value of
its map; above the threshold it is anomalous, and so are the places above it. Ground-truth masks stand in only as a
declared oracle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acbench._util.console import Progress
from acbench.errors import AcbenchError
from acbench.predictors.base import BaselineSetup
from acbench.predictors.detection.maps import Map, Maps, maps
from acbench.records import Item
from acbench.storage.digests import digest

ORACLE, NONE = "oracle", "none"
PEAK = 0.9
"""If resizing took a map's peak below the threshold, places above this share of it are marked."""


class Localisation(NamedTuple):
    """What is known of one picture before anybody names its defect."""

    anomalous: bool | None
    """None if nobody has looked: `none`, or a failure."""
    score: float | None
    map: Map | None
    level: float
    """The threshold."""
    problem: str = ""
    """Why there is nothing; empty if there is something."""


@dataclass
class Localiser:
    """See the module."""

    setup: BaselineSetup
    _maps: Maps | None = None
    _thresholds: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Category → threshold, and how many normal pictures set it."""

    def __post_init__(self) -> None:
        if self.setup.options.detector not in {ORACLE, NONE}:
            self._maps = maps(self.setup)

    @cached_property
    def key(self) -> str:
        """8 hex of all that decides what it says."""
        train = [item.sha256 for item in self.setup.items if item.split == "train"]
        name = self._maps.name if self._maps else self.setup.options.detector
        return digest(1, name, self.setup.options.false_alarms, sorted(train), PEAK, length=8)

    @property
    def told(self) -> tuple[str, str]:
        """See `Baseline.localisation`."""
        if self._maps is None:
            return ("ground_truth" if self.setup.options.detector == ORACLE else "none"), ""
        sizes = sorted({count for _, count in self._thresholds.values()})
        counts = f" on {'–'.join(map(str, sorted({sizes[0], sizes[-1]})))} normal training images" if sizes else ""
        return "detector", f"{self._maps.name}, false-alarm rate {self.setup.options.false_alarms:.1%}{counts}"

    def look(self, items: Sequence[Item], progress: Progress) -> Iterator[tuple[Item, Localisation]]:
        """What is known of each item, category by category."""
        ordered = sorted(items, key=lambda item: (item.category, item.image))
        for done, (item, place) in enumerate(self._look(ordered), start=1):
            progress(done, len(ordered))
            yield item, place

    def _look(self, items: Sequence[Item]) -> Iterator[tuple[Item, Localisation]]:
        for category in sorted({item.category for item in items}):
            members = [item for item in items if item.category == category]
            if self._maps is None:
                yield from ((item, self._given(item)) for item in members)
                continue
            try:
                yield from self._detected(self._maps, category, members)
            except AcbenchError as error:
                yield from ((item, Localisation(None, None, None, 0.0, error.message)) for item in members)

    def _given(self, item: Item) -> Localisation:
        if item.problem:
            return Localisation(None, None, None, 0.0, item.problem)
        if self.setup.options.detector == NONE:
            return Localisation(None, None, None, 0.0)
        if not item.anomalous or item.mask is None:
            return Localisation(item.anomalous, None, None, 0.0)
        try:
            mask = self.setup.images.mask(item.mask, (item.width, item.height))
        except AcbenchError as error:
            return Localisation(None, None, None, 0.0, error.message)
        return Localisation(True, None, mask.astype(np.float32), 0.5)

    def fit(self, categories: Collection[str]) -> None:
        """Fit the detector to categories. What cannot be fitted is told when an item is looked at."""
        if self._maps is not None:
            for category in sorted(categories):
                with suppress(AcbenchError):
                    self._level(self._maps, category, self._train(category))

    def _detected(self, expert: Maps, category: str, items: Sequence[Item]) -> Iterator[tuple[Item, Localisation]]:
        train = self._train(category)
        level = self._level(expert, category, train)
        for item, found in expert.of(items, train):
            if isinstance(found, str):
                yield item, Localisation(None, None, None, level, found)
            else:
                score = float(found.max())
                yield item, Localisation(score > level, score, found, level)

    def _train(self, category: str) -> list[Item]:
        """A category's normal training items; by content, so that no name decides which are held out."""
        normal = (each for each in self.setup.items if each.split == "train" and not each.anomalous)
        there = (each for each in normal if each.category == category and not each.problem)
        return sorted(there, key=lambda item: item.sha256)

    def _level(self, expert: Maps, category: str, train: Sequence[Item]) -> float:
        """The threshold."""
        if category not in self._thresholds:
            scores = [
                float(found.max()) for _, found in expert.of(expert.normal(train), train) if not isinstance(found, str)
            ]
            if not scores:
                raise AcbenchError(
                    f"no normal training image of {category} can be read", f"acbench ingest … --category {category}"
                )
            self._thresholds[category] = threshold(scores, self.setup.options.false_alarms), len(scores)
        return self._thresholds[category][0]


def threshold(scores: Sequence[float], false_alarms: float) -> float:
    """The smallest of some normal scores that at most a share of them exceeds."""
    ordered = sorted(scores)
    return ordered[len(ordered) - 1 - int(false_alarms * len(ordered) + 1e-9)] if false_alarms < 1 else -np.inf


def marked(place: Localisation, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The places above the threshold, bool[H, W] of a picture of (width, height); nothing without a map."""
    if place.map is None:
        return np.zeros((size[1], size[0]), dtype=np.bool_)
    if place.map.shape == (size[1], size[0]):
        values = place.map
    else:
        values = np.asarray(Image.fromarray(place.map).resize(size, Image.Resampling.BICUBIC))
    peak = float(values.max())
    found: NDArray[np.bool_] = values > min(place.level, PEAK * peak if peak > 0 else peak)
    return found
