"""Systems to be beaten: each says what every image of a test split shows. One file a baseline.

A baseline is a module whose name is its name. It has a function `build(setup) -> Baseline`. Third parties add theirs
under the entry-point group `acbench.baselines`. Modules whose names begin with `_` are no baselines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from acbench.calls import Caller
from acbench.plugins import Plugins
from acbench.progress import Progress
from acbench.proposers import ClipModel, Embedder, VectorCache
from acbench.records import Item, Prediction
from acbench.roots import Root
from acbench.schema import Schema
from acbench.scoring.truth import Truth

__all__ = ["Baseline", "Divisible", "Options", "PatchModel", "Setup", "build", "names"]


class PatchModel(Protocol):
    """Turns pictures into maps of patch features."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def features(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user chose."""

    detector: str = "patchcore"
    """Who says where the defect is: `patchcore`, `heatmaps:FOLDER`, `oracle` (ground-truth masks) or `none`."""
    false_alarms: float = 0.05
    """Share of normal pictures that the gate may let through as anomalous."""
    shots: int = 3
    """Pictures of each class that `few_shot` is shown."""
    seed: int = 0
    reference: bool = True
    """`velm`: show a normal picture."""
    contour: bool = True
    """`velm`: outline the defect."""
    descriptions: bool = True
    """`velm`: tell what the classes mean, not their names alone."""
    strategy: bool = True
    """`velm`: tell in which order to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a baseline may build on."""

    schema: Schema
    """With the classes of the view that is scored."""
    root: Root
    """Where the images lie."""
    items: Sequence[Item]
    """All items, of both splits."""
    truth: Truth | None = None
    """For those that need labels; None where there are none."""
    embedder: Embedder
    patches: Callable[[], PatchModel]
    """Gives the model of the detector."""
    cache: VectorCache
    clip: Callable[[], ClipModel] | None = None
    """Gives the CLIP model; None if none was chosen."""
    caller: Callable[[], Caller] | None = None
    """Gives the way to a multimodal LLM; None if none was chosen."""
    options: Options = field(default_factory=Options)


class Baseline(Protocol):
    """Answers for the items of a test split."""

    @property
    def name(self) -> str:
        """Its module's name, `@`, and 8 hex of everything that decides its answers."""

    @property
    def localisation(self) -> tuple[str, str]:
        """One of `scoring.result.LOCALISATIONS`, and which detector with which threshold. Complete after `predict`."""

    @property
    def references(self) -> Sequence[str]:
        """Ids of the items that it is shown as examples. They are not scored."""

    @property
    def unfinished(self) -> int:
        """Items of the last `predict` that were not asked about, as a budget was spent; 0 for most."""

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterable[Prediction]:
        """One prediction for each item that is no reference, in any order. A failure is a prediction too."""


@runtime_checkable
class Divisible(Baseline, Protocol):
    """A baseline that says the same of an item whatever the other items of the test split are."""

    unfinished: int
    """See `Baseline`."""

    def around(self, items: Sequence[Item]) -> list[Item]:
        """What has to be among the setup's items for any part of these."""

    def fits(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        """What is to be given to `settle` before any part is predicted: each part alone, in any order."""

    def settle(self, items: Sequence[Item]) -> None:
        """Keep in the setup's cache, or take from it, all that does not depend on the single picture."""


_PLUGINS = Plugins(__name__, "baseline")


def names() -> list[str]:
    """Every baseline there is, found without importing any."""
    return _PLUGINS.names()


def build(name: str, setup: Setup) -> Baseline:
    """A baseline by name. Raises AcbenchError listing the known ones."""
    baseline: Baseline = _PLUGINS.load(name).build(setup)
    return baseline
