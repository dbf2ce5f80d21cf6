"""Those who say what an item is: the dataset itself, models, other people's tables. One file a proposer.

A proposer is a module whose name is its name. It has a function `build(setup, argument) -> Proposer`; the
argument is what follows a colon in the name, as in `table:mvtec_fs`. Third parties add theirs under the entry-point
group `acbench.proposers`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from acbench.engine import VectorCache as VectorCache
from acbench.errors import AcbenchError
from acbench.records import Item, Proposal
from acbench.roots import Root
from acbench.schema import Schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from acbench.calls import Bill, Caller

Progress = Callable[[int, int], None]
"""Told (done, of how many) as work goes on."""


class Embedder(Protocol):
    """Turns crops of defects into vectors."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def embed(
        self, crops: Sequence[NDArray[np.uint8]], weights: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]: ...


class ClipModel(Protocol):
    """A model that puts images and texts into one space."""

    @property
    def name(self) -> str:
        """Model, weights, `@`, 8 hex; nothing is loaded for it."""

    @property
    def size(self) -> int:
        """Edge of the square input, pixels. Loads the model."""

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the CPU, and so wants the cores that pictures are drawn on. Loads the model."""

    @property
    def scale(self) -> float:
        """What the model multiplies a cosine with to get a logit. Loads the model."""

    def ready(self) -> None:
        """See, before any work, that the model can be had. Raises AcbenchError, soon even without a network."""

    def images(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit vectors (N, D) of crops (S, S, 3); each does not depend on the others."""

    def texts(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (N, D) of prompts; each does not depend on the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a proposer may build on."""

    schema: Schema
    root: Root
    """Where the images lie."""
    embedder: Embedder
    cache: VectorCache
    clip: Callable[[], ClipModel] | None = None
    """Gives the CLIP model to ask; None if none was chosen."""
    caller: Callable[[], Caller] | None = None
    """Gives the way to a multimodal LLM; None if none was chosen."""


class Proposer(Protocol):
    """Answers for items."""

    @property
    def name(self) -> str:
        """Its module's name, `@`, and 8 hex of everything that decides its answers."""

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each item that it covers, in any order. A failure is a proposal too."""


@dataclass(frozen=True, slots=True)
class Example:
    """One question as a person reads it, with its pictures as files."""

    text: str
    pictures: tuple[tuple[str, bytes], ...]
    """(file name, content); the text names them where they stand."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What asking would take, without asking."""

    bill: Bill
    """Of first questions. Answers that cannot be used double their part of it: they are asked for once more."""
    unasked: tuple[tuple[str, str], ...]
    """(item_id, why) of each item that no question can be made of."""
    example: Example | None
    """None if there is nothing to ask."""


@runtime_checkable
class Paid(Proposer, Protocol):
    """A proposer whose answers cost money or time, each at most once."""

    unfinished: int
    """Questions of the last `propose` that were not asked, as the budget was spent or the endpoint gone."""

    def estimate(self, items: Sequence[Item]) -> Bill:
        """What asking may take at most, soon: kept answers are not looked for."""

    def dry_run(self, items: Sequence[Item]) -> DryRun:
        """What `propose` would ask of the same items. Calls nobody."""


@runtime_checkable
class Looking(Proposer, Protocol):
    """A proposer whose dear part, the vectors of pictures, can be done for some items at a time, and anywhere."""

    def covers(self, items: Sequence[Item]) -> list[Item]:
        """Those of the items that it looks at."""

    def look(self, items: Sequence[Item], progress: Progress) -> Mapping[str, str]:
        """Keep in the setup's cache what `propose` will need of each picture. Gives item_id → why there is nothing."""


@runtime_checkable
class Alone(Proposer, Protocol):
    """A proposer that says the same of an item whatever the other items are."""

    def covers(self, items: Sequence[Item]) -> list[Item]:
        """Those of the items that it answers for."""

    def around(self, items: Sequence[Item]) -> list[Item]:
        """What `propose` has to be given besides any part of the items, such as normal ones to show."""


_GROUP = "acbench.proposers"


def names() -> list[str]:
    """Every proposer there is, found without importing any."""
    return sorted(_own() | set(entry_points(group=_GROUP).names))


def build(name: str, setup: Setup) -> Proposer:
    """A proposer by name, such as `neighbours` or `table:mvtec_fs`. Raises AcbenchError listing the known ones."""
    module_name, _, argument = name.partition(":")
    own = module_name in _own()
    # Looking for entry points reads the metadata of every installed package.
    if not own and module_name not in names():
        raise AcbenchError(f"there is no proposer {name!r}", f"one of {', '.join(names())}")
    module: Any
    try:
        if own:
            module = importlib.import_module(f"{__name__}.{module_name}")
        else:
            (entry,) = entry_points(group=_GROUP, name=module_name)
            module = entry.load()
    except Exception as error:
        raise AcbenchError(
            f"the proposer {module_name!r} cannot be loaded: {error}", "reinstall the package it comes from"
        ) from error
    proposer: Proposer = module.build(setup, argument)
    return proposer


def _own() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")}
