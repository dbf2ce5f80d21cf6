"""What proposers and baselines are, and what they may build on.

A proposer answers for the images of a dataset, so that people can decide; a baseline answers for the images of a test
split, and is scored. Both are found by name: see `acbench.predictors.registry`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from acbench._util.console import Progress
from acbench._util.execution import VectorCache
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.records import Item, Prediction, Proposal
from acbench.schema import Schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from acbench.predictors.llm.messages import CostEstimate, LlmClient

__all__ = [
    "Baseline",
    "BaselineOptions",
    "BaselineSetup",
    "ClipModel",
    "DryRun",
    "Embedder",
    "EmbeddingProposer",
    "Example",
    "Models",
    "PaidProposer",
    "PatchModel",
    "PerItemBaseline",
    "PerItemProposer",
    "Proposer",
    "Setup",
    "Truth",
    "VectorCache",
    "checked",
    "tally",
]


# The models that a predictor may ask for


class Embedder(Protocol):
    """Turns crops of defects into vectors."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def embed(
        self, crops: Sequence[NDArray[np.uint8]], weights: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]: ...


class PatchModel(Protocol):
    """Turns images into maps of patch features."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def features(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]: ...


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
        """Whether it computes on the CPU, and so competes for cores with the drawing of images. Loads the model."""

    @property
    def scale(self) -> float:
        """The factor that turns a cosine into a logit. Loads the model."""

    def ready(self) -> None:
        """Check, before any work, that the model can be had. Raises AcbenchError, soon even without a network."""

    def images(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit vectors (N, D) of crops (S, S, 3); each depends on its own crop alone."""

    def texts(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (N, D) of prompts; each depends on its own prompt alone."""


class Models(Protocol):
    """The models that were chosen. Each is loaded when first used."""

    @property
    def embedder(self) -> Embedder:
        """The image model of `neighbours` and `few_shot`."""

    def patches(self) -> PatchModel:
        """The image model of the detector."""

    def clip(self) -> ClipModel:
        """The CLIP model. Raises AcbenchError if none was chosen."""

    def llm_client(self) -> LlmClient:
        """The way to a multimodal LLM. Raises AcbenchError if none was chosen."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a proposer may build on."""

    schema: Schema
    images: ImageReader
    models: Models
    vectors: VectorCache


# Proposers


class Proposer(Protocol):
    """Answers for items."""

    @property
    def name(self) -> str:
        """Its module's name, `@`, and 8 hex of everything that decides its answers."""

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each item that it covers, in any order. A failure is a proposal too."""


@runtime_checkable
class EmbeddingProposer(Proposer, Protocol):
    """A proposer whose expensive part, the vectors of images, can be done for some items at a time, and anywhere."""

    def covers(self, items: Sequence[Item]) -> list[Item]:
        """The items whose images it looks at."""

    def look(self, items: Sequence[Item], progress: Progress) -> Mapping[str, str]:
        """Keep in the setup's cache what `propose` will need of each image. Gives item_id → why there is nothing."""


@runtime_checkable
class PerItemProposer(Proposer, Protocol):
    """A proposer that says the same of an item whatever the other items are."""

    def covers(self, items: Sequence[Item]) -> list[Item]:
        """The items that it answers for."""

    def around(self, items: Sequence[Item]) -> list[Item]:
        """The items that `propose` has to be given besides any part of `items`, such as normal ones to show."""


@dataclass(frozen=True, slots=True)
class Example:
    """One question as a person reads it, with its images as files."""

    text: str
    pictures: tuple[tuple[str, bytes], ...]
    """(file name, content); the text names them where they stand."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What asking would take, without asking."""

    estimate: CostEstimate
    """Of first questions. Each answer that cannot be used is asked for once more, at the same cost."""
    unasked: tuple[tuple[str, str], ...]
    """(item_id, why) of each item that no question can be made of."""
    example: Example | None
    """None if there is nothing to ask."""


@runtime_checkable
class PaidProposer(Proposer, Protocol):
    """A proposer whose answers cost money or time, each at most once."""

    unfinished: int
    """Questions of the last `propose` that were not asked, as the budget was spent or the endpoint gone."""

    def estimate(self, items: Sequence[Item]) -> CostEstimate:
        """An upper bound on what asking takes, computed quickly: kept answers are not looked for."""

    def dry_run(self, items: Sequence[Item]) -> DryRun:
        """What `propose` would ask of the same items. Asks nobody."""


def checked(name: str, items: Sequence[Item], proposals: Iterable[Proposal]) -> list[Proposal]:
    """The answers of the proposer `name`, in the order in which they come.

    Raises AcbenchError if it answers for an unknown item, twice for one, or under another name.
    """
    known = {item.item_id for item in items}
    by_item: dict[str, Proposal] = {}
    for proposal in proposals:
        if proposal.item_id not in known or proposal.item_id in by_item or proposal.proposer != name:
            raise AcbenchError(
                f"{name} answers for {proposal.item_id!r} as {proposal.proposer!r}: unknown, or a second time",
                "this is a fault of the proposer: leave it out with --without",
            )
        by_item[proposal.item_id] = proposal
    return list(by_item.values())


def tally(proposals: Sequence[Proposal]) -> dict[str, int]:
    """How many answers there are of each status."""
    counts = Counter(proposal.status for proposal in proposals)
    return {status: counts[status] for status in ("ok", "abstained", "error")}


# Baselines


class Target(Protocol):
    """One item whose true answer is known."""

    @property
    def item_id(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def wanted(self) -> tuple[str, ...]: ...


class Truth(Protocol):
    """The true answers, as far as a baseline may learn from them."""

    @property
    def targets(self) -> Sequence[Target]: ...
    @property
    def categories(self) -> list[str]: ...
    @property
    def hashes(self) -> dict[str, str]: ...
    def axis(self, category: str) -> Sequence[tuple[str, ...]]:
        """Every answer that a category has, in the order of the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineOptions:
    """What a user chose for a baseline."""

    detector: str = "patchcore"
    """Who says where the defect is: `patchcore`, `heatmaps:FOLDER`, `oracle` (ground-truth masks) or `none`."""
    false_alarms: float = 0.05
    """Share of normal images that the detector may let through as anomalous."""
    shots: int = 3
    """Images of each class that `few_shot` is shown."""
    seed: int = 0
    reference: bool = True
    """`velm`: show a normal image."""
    contour: bool = True
    """`velm`: outline the defect."""
    descriptions: bool = True
    """`velm`: tell what the classes mean, not their names alone."""
    strategy: bool = True
    """`velm`: tell in which order to decide."""


@dataclass(frozen=True, kw_only=True)
class BaselineSetup(Setup):
    """What a baseline may build on. The schema has the classes of the view that is scored."""

    items: Sequence[Item]
    """All items, of both splits."""
    truth: Truth | None = None
    """For baselines that need labels; None where there are none."""
    options: BaselineOptions = field(default_factory=BaselineOptions)


class Baseline(Protocol):
    """Answers for the items of a test split."""

    @property
    def name(self) -> str:
        """Its module's name, `@`, and 8 hex of everything that decides its answers."""

    @property
    def localisation(self) -> tuple[str, str]:
        """One of `evaluation.result.LOCALISATIONS`, and which detector with which threshold. Complete after
        `predict`."""

    @property
    def references(self) -> Sequence[str]:
        """Ids of the items that it is shown as examples. They are not scored."""

    @property
    def unfinished(self) -> int:
        """Items of the last `predict` that were not asked about, as a budget was spent; 0 for most."""

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterable[Prediction]:
        """One prediction for each item that is no reference, in any order. A failure is a prediction too."""


@runtime_checkable
class PerItemBaseline(Baseline, Protocol):
    """A baseline that says the same of an item whatever the other items of the test split are."""

    paid: bool
    """Whether it asks the LLM, and so spends of the budget."""
    unfinished: int
    """As in `Baseline`."""

    def around(self, items: Sequence[Item]) -> list[Item]:
        """The items that the setup has to hold for any part of `items`."""

    def fits(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        """The parts to give to `settle` before any part is predicted: each alone, in any order."""

    def settle(self, items: Sequence[Item]) -> None:
        """Keep in the setup's cache, or take from it, all that does not depend on the single image."""
