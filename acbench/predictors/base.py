"""The contract of proposers and baselines: what a plugin implements, and what it works with.

A proposer answers for images of a dataset, and its answers help people to decide. A baseline answers for the images of
the test split, and its answers are scored. `acbench.predictors.registry` says how both are found by name.

A plugin has to implement `Proposer` or `Baseline`, nothing more. The other protocols are optional. acbench checks with
`isinstance` whether an object has the methods of one; no class has to be inherited.

==================== ==========================================================================================
`EmbeddingProposer`  adds `covers` and `embed`: its vectors can be computed by several workers or shards
`PerItemProposer`    adds `covers` and `context`: its answers can be given by several workers or shards
`CategoryProposer`   adds `by_category`: where one category has changed, it is asked about that one alone
`PaidProposer`       adds `unasked`, `estimate` and `dry_run`: its cost is shown first, and a budget can stop it
`ShowsLabels`        adds `shown_labels`: it shows labels of other images, which its workers need too
`PerItemBaseline`    adds `paid`, `context`, `fit_parts` and `fit`: its answers can be given by several workers
==================== ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from acbench._util.console import Progress
from acbench._util.execution import VectorCache
from acbench.data.images import ImageReader
from acbench.errors import AcbenchError
from acbench.predictors.models import Models
from acbench.records import Item, Prediction, Proposal
from acbench.schema import Schema
from acbench.storage.stored_rows import places

if TYPE_CHECKING:
    from acbench.predictors.llm.messages import CostEstimate


Answer = TypeVar("Answer", Proposal, Prediction)


@dataclass(frozen=True, slots=True)
class Answers(Generic[Answer]):
    """Every answer of one proposer or baseline."""

    rows: list[Answer]
    unasked: int = 0
    """How many questions were not asked, as the budget was spent or the endpoint gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLabel:
    """The label of one image, as far as it may be shown to a proposer beside another image."""

    item: Item
    labels: tuple[str, ...]
    """Class ids."""
    by_people: bool
    """Whether people decided it; else all independent witnesses agree on it, answers of LLMs left aside."""
    from_source: bool
    """Whether the dataset's own label is one of those witnesses: who is shown it is no independent witness any more."""


def no_labels() -> Sequence[KnownLabel]:
    """No known labels, as for every baseline: what it is shown would be scored."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a proposer works with."""

    schema: Schema
    """The classes to tell apart."""
    images: ImageReader
    """Reads the images and masks of the dataset."""
    models: Models
    vectors: VectorCache
    """Keeps vectors between runs, under keys that the proposer chooses."""
    known_labels: Callable[[], Sequence[KnownLabel]] = no_labels
    """Gives the labels that are known by now, of images of any split; takes a while, so ask only if one is to be shown.
    Their choice is part of the proposer's name."""


# Proposers


class Proposer(Protocol):
    """Answers for items."""

    @property
    def name(self) -> str:
        """The name of its module, `@`, and 8 hex digits of everything that decides its answers."""

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each item that it covers, in any order. A failure is a proposal with the status `error`."""


@runtime_checkable
class CategoryProposer(Proposer, Protocol):
    """A proposer that costs nothing, and whose answers about a category depend on no item of another."""

    @property
    def by_category(self) -> Literal[True]:
        """Says so."""


@runtime_checkable
class EmbeddingProposer(Proposer, Protocol):
    """A proposer whose expensive part, the vectors of images, can be computed for any part of the items."""

    def covers(self, items: Sequence[Item]) -> list[Item]:
        """The items whose images it needs vectors of."""

    def embed(self, items: Sequence[Item], progress: Progress) -> Mapping[str, str]:
        """Compute the vectors that `propose` will need, and keep them in the setup's cache.

        Gives item_id → the reason for each item that has no vectors.
        """


@runtime_checkable
class PerItemProposer(Proposer, Protocol):
    """A proposer whose answer for an item does not depend on the other items."""

    def covers(self, items: Sequence[Item]) -> list[Item]:
        """The items that it answers for."""

    def context(self, items: Sequence[Item]) -> list[Item]:
        """The items that `propose` needs besides any part of `items`, such as normal ones that it shows."""


class ItemWithoutQuestion(NamedTuple):
    """An item that no question can be made of."""

    item_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Example:
    """One question in a form for people: its text, and its images as files."""

    text: str
    pictures: tuple[tuple[str, bytes], ...]
    """(file name, content) of each image; the text has the file name where the image stands."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What asking would take, found without asking."""

    estimate: CostEstimate
    """The cost of first questions. A second question about an unusable answer costs the same again."""
    without_question: tuple[ItemWithoutQuestion, ...]
    example: Example | None
    """None if there is nothing to ask."""


@runtime_checkable
class PaidProposer(Proposer, Protocol):
    """A proposer whose answers cost money or time. Each answer is paid at most once."""

    @property
    def unasked(self) -> int:
        """How many questions the last `propose` did not ask, as the budget was spent or the endpoint gone."""

    def estimate(self, items: Sequence[Item]) -> CostEstimate:
        """An upper bound of what asking takes. Quick, since it does not look for answers that are kept already."""

    def dry_run(self, items: Sequence[Item]) -> DryRun:
        """What `propose` would ask about the same items. Sends nothing."""


@runtime_checkable
class ShowsLabels(Proposer, Protocol):
    """A proposer that shows known labels, which its workers need too."""

    @property
    def shown_labels(self) -> Sequence[KnownLabel]:
        """Those of `Setup.known_labels` that decide its answers; from them alone it chooses the same."""


def ask(proposer: Proposer, items: Sequence[Item], progress: Progress) -> Answers[Proposal]:
    """Every answer of a proposer. Raises AcbenchError as `checked` does."""
    proposals = list(checked(proposer.name, items, proposer.propose(items, progress)))
    return Answers(proposals, proposer.unasked if isinstance(proposer, PaidProposer) else 0)


def checked(name: str, items: Sequence[Item], proposals: Iterable[Proposal]) -> Iterator[Proposal]:
    """The proposals of the proposer `name`, as they come.

    Raises AcbenchError if one is about an unknown item, is the second about its item, or has another proposer's name.
    """
    place = places(items)
    answered = bytearray(len(items))
    for proposal in proposals:
        number = place(proposal.item_id)
        if number is None or answered[number] or proposal.proposer != name:
            raise AcbenchError(
                f"{name} answers for {proposal.item_id!r} as {proposal.proposer!r}: unknown, or a second time",
                "this is a fault of the proposer: leave it out with --without",
            )
        answered[number] = True
        yield proposal


# Baselines


class Target(Protocol):
    """One item and its true answer."""

    @property
    def item_id(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def wanted(self) -> tuple[str, ...]:
        """The class ids of the true answer."""


class Truth(Protocol):
    """The true answers, as far as a baseline may learn from them."""

    @property
    def targets(self) -> Sequence[Target]: ...
    @property
    def categories(self) -> list[str]: ...
    @property
    def hashes(self) -> dict[str, str]:
        """Name of a part of the truth → its hash."""

    def axis(self, category: str) -> Sequence[tuple[str, ...]]:
        """Every answer that is possible in a category, in the order of the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineOptions:
    """The user's options for a baseline."""

    detector: str = "patchcore"
    """Where the location of the defect comes from: `patchcore`, `heatmaps:FOLDER`, `oracle` (ground-truth masks) or
    `none`."""
    false_alarms: float = 0.05
    """Share of normal images that the detector may call anomalous."""
    gate: tuple[float, float] | None = None
    """Cost of a missed anomaly and of a false alarm; if given, they set the threshold in place of the share."""
    input_size: int = 448
    """Edge of the detector's input, pixels, where images are larger."""
    shots: int = 3
    """Images of each class that `few_shot` learns from."""
    seed: int = 0
    reference: bool = True
    """`velm`: show a normal image."""
    contour: bool = True
    """`velm`: outline the defect."""
    descriptions: bool = True
    """`velm`: say what the classes mean, not only their names."""
    strategy: bool = True
    """`velm`: say in which order to decide."""
    question: Literal["paper", "acbench"] = "paper"
    """`velm`: ask the paper's question, or that of the proposer `llm`."""


@dataclass(frozen=True, kw_only=True)
class BaselineSetup(Setup):
    """What a baseline works with. The schema has the classes of the view that is scored."""

    items: Sequence[Item]
    """All items, of both splits."""
    truth: Truth | None = None
    """The labels, for baselines that learn from them; None if there are none."""
    options: BaselineOptions = field(default_factory=BaselineOptions)


class Baseline(Protocol):
    """Answers for the items of a test split."""

    @property
    def name(self) -> str:
        """The name of its module, `@`, and 8 hex digits of everything that decides its answers."""

    @property
    def localisation(self) -> tuple[str, str]:
        """One of `evaluation.result.LOCALISATIONS`, and the detector with its threshold. Complete after `predict`."""

    @property
    def references(self) -> Sequence[str]:
        """The ids of the items that it sees as examples, which are not scored."""

    @property
    def unasked(self) -> int:
        """How many questions the last `predict` did not ask, as the budget was spent; 0 for most baselines."""

    def predict(self, items: Sequence[Item], progress: Progress) -> Iterable[Prediction]:
        """One prediction for each item that is no reference, in any order.

        A failure is a prediction with the parse status `error`. An item whose question was not asked has no prediction.
        """


@runtime_checkable
class PerItemBaseline(Baseline, Protocol):
    """A baseline whose answer for an item does not depend on the other items of the test split."""

    @property
    def paid(self) -> bool:
        """Whether it asks the LLM, and so spends the budget."""

    def context(self, items: Sequence[Item]) -> list[Item]:
        """The items that its setup has to hold for any part of `items`."""

    def fit_parts(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        """Parts of the items. Before any prediction, `fit` is called with each part, by any worker, in any order."""

    def fit(self, items: Sequence[Item]) -> None:
        """Compute what all images of the items' categories share, and keep it in the setup's cache."""
