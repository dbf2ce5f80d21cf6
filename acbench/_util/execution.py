"""Work that can be done part by part, anywhere: what an engine runs, and what it runs it with.

Without an engine this process does the work, and nothing here is needed. An engine, such as
`acbench.integrations.ray.engine`, gives each part to one of its workers. Whatever is dear goes through the worker's
home, the machine that holds the project, and is kept in its ledger as soon as it is known. So a worker may die at any
moment, and what was done, or paid for, is not done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol


class Budget(Protocol):
    """Dollars that workers share: see `acbench.predictors.llm.budget`."""

    limit: float | None
    spent: float

    @property
    def under_way(self) -> bool: ...
    def reserve(self, estimate: float, *, wait: bool = True) -> float | None: ...
    def settle(self, amount: float, actual: float) -> None: ...


class VectorCache(Protocol):
    """Keeps vectors between runs."""

    def load(self, keys: Sequence[str]) -> dict[str, bytes]: ...
    def save(self, rows: Iterable[tuple[str, bytes]]) -> None: ...


class Home(Protocol):
    """The project, as one worker reaches it."""

    @property
    def workers(self) -> int:
        """How many there are."""

    @property
    def vectors(self) -> VectorCache: ...
    @property
    def log(self) -> Callable[[], AbstractContextManager[Any]]:
        """Opens a log of calls, see `acbench.predictors.llm.cache`. A call that another worker is making is not made
        a second time."""

    @property
    def budget(self) -> Budget:
        """The one that all workers share."""

    def once(self, prove: Callable[[], None]) -> None:
        """Have one of the workers do something, and wait until it is done. Raises what it raises."""


@dataclass(frozen=True, kw_only=True)
class WorkerTask:
    """What each worker is to do. Travels to it by pickle, so it holds no secrets and nothing that is open."""

    start: Callable[[Home], Callable[[Sequence[Any]], Any]]
    """Called once by each worker; gives what does one part. An AcbenchError of either ends the run."""
    kind: type[Any]
    """The record that parts are made of."""
    models: bool = False
    """Whether it computes with a model: such a worker takes a GPU, or as many cores as the local engine would."""
    most: int | None = None
    """Workers, at most."""


class Engine(Protocol):
    """Has parts done by several workers."""

    def map(self, task: WorkerTask, parts: Iterable[Sequence[Any]], budget: Budget | None = None) -> Iterator[Any]:
        """What came of each part, in the order in which they are done; the parts themselves are not kept in memory.

        A part whose worker is gone is done again by another one. What the workers spend together stays within what is
        left of `budget`, and is added to it. Raises AcbenchError, also for what goes wrong in a worker.
        """
