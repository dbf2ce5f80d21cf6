"""The protocols of an engine: work that is divided into parts, and done by several workers on any machine.

Without an engine, this process does the work and needs nothing of this. An engine, such as
`acbench.integrations.ray.engine`, gives each part to one of its workers. Everything expensive goes through the worker's
`Home`, the machine that holds the project, and is in its ledger as soon as it is known. So a worker may die at any
moment, and what it has computed or paid for is not computed or paid for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


RunOnce = Callable[[Callable[[], None]], None]
"""Runs a check in one of several workers, and returns when it has passed. Raises what the check raises."""


def run_now(check: Callable[[], None]) -> None:
    """Run a check in this process; the `RunOnce` of a process that works alone."""
    check()


class SharedBudget(Protocol):
    """Dollars that threads or workers share; `acbench.predictors.llm.budget.Budget` says what each member means."""

    limit: float | None
    spent: float

    def reserve(self, estimate: float, *, wait: bool = True) -> float | None: ...
    def settle(self, amount: float, actual: float) -> None: ...


class VectorCache(Protocol):
    """Keeps vectors between runs. `acbench.storage.vectors` packs them into bytes."""

    def load(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Key → packed vector, for the keys that are kept."""

    def save(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Keep (key, packed vector) pairs."""


class Home(Protocol):
    """The machine that holds the project, as one worker reaches it."""

    @property
    def workers(self) -> int:
        """The number of workers."""

    @property
    def vectors(self) -> VectorCache:
        """The ledger's vectors."""

    @property
    def open_log(self) -> Callable[[], AbstractContextManager[Any]]:
        """Opens the ledger's calls, as an `acbench.predictors.llm.cache.CallLog`, whose layer is above this one.

        A call that another worker is making is not made a second time.
        """

    @property
    def budget(self) -> SharedBudget:
        """The budget of all workers."""

    def run_once(self, check: Callable[[], None]) -> None:
        """A `RunOnce` for all workers."""


@dataclass(frozen=True, kw_only=True)
class WorkerTask(Generic[T, R]):
    """What each worker has to do. It travels by pickle, so it holds no secrets and no open files."""

    start: Callable[[Home], Callable[[Sequence[T]], R]]
    """Each worker calls it once; it gives the function that does one part. An AcbenchError of either ends the run."""
    kind: type[T]
    """The record that parts are made of."""
    uses_model: bool = False
    """Whether it computes with a model. Then a worker takes a GPU, or as many cores as the work takes without an
    engine."""
    max_workers: int | None = None


class Engine(Protocol):
    """Has parts done by several workers."""

    def map(
        self, task: WorkerTask[T, R], parts: Iterable[Sequence[T]], budget: SharedBudget | None = None
    ) -> Iterator[R]:
        """The result of each part, in the order in which they are done. Parts are not all in memory at once.

        A part whose worker dies is done again by another. The workers together spend at most what is left of `budget`,
        and what they spend is added to it. Raises AcbenchError, also for what goes wrong in a worker.
        """
