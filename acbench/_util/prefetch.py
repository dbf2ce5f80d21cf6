"""Does work in threads a little ahead of its use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from acbench._util.waiting import result_of
from acbench.errors import AcbenchError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T, R]):
    """One input, and its result or the reason why there is none."""

    input: T
    result: R | None
    """None if the work failed."""
    problem: str = ""
    """The message of the error; empty if the work succeeded."""


def prefetch(work: Callable[[T], R], inputs: Iterable[T], *, workers: int = 2, most: int = 8) -> Iterator[R]:
    """The result of `work` for each input, in order, computed in threads.

    At most `most` results wait at a time, which bounds memory. An exception of `work` is raised when its result is due.
    If the iterator is closed early, no further work starts.
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for value in inputs:
                waiting.append(pool.submit(work, value))
                if len(waiting) > most:
                    yield result_of(waiting.popleft())
            while waiting:
                yield result_of(waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def prefetch_attempts(
    work: Callable[[T], R], inputs: Iterable[T], *, workers: int = 2, most: int = 8
) -> Iterator[Attempt[T, R]]:
    """As `prefetch`, but an AcbenchError of `work` concerns its input alone and becomes the attempt's `problem`."""

    def attempt(value: T) -> Attempt[T, R]:
        try:
            return Attempt(value, work(value))
        except AcbenchError as error:
            return Attempt(value, None, error.message)

    return prefetch(attempt, inputs, workers=workers, most=most)
