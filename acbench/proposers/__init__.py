"""Those who say what an item is: the dataset itself, models, other people's tables. One file a proposer.

A proposer is a module whose name is its name. It has a function `build(setup, argument) -> Proposer`; the
argument is what follows a colon in the name, as in `table:mvtec_fs`. Third parties add theirs under the entry-point
group `acbench.proposers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from acbench.engine import VectorCache as VectorCache
from acbench.plugins import Plugins
from acbench.progress import Progress
from acbench.records import Item, Proposal
from acbench.roots import Root
from acbench.schema import Schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from acbench.calls import Bill, Caller


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


_PLUGINS = Plugins(__name__, "proposer")


def names() -> list[str]:
    """Every proposer there is, found without importing any."""
    return _PLUGINS.names()


def build(name: str, setup: Setup) -> Proposer:
    """A proposer by name, such as `neighbours` or `table:mvtec_fs`. Raises AcbenchError listing the known ones."""
    module, _, argument = name.partition(":")
    proposer: Proposer = _PLUGINS.load(module).build(setup, argument)
    return proposer
