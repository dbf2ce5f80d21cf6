"""How the fake hub and the fake annotation tool fail on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How one call of a method fails."""

    error: BaseException
    """What it raises."""
    done: bool = False
    """Whether the work is done all the same, as when only the answer is lost."""


FailurePlan = Callable[[str, int], Failure | None]
"""Name of the method and number of its call (from 0) → how the call fails, if it does."""


def never(method: str, number: int) -> None:
    """Plan that no call fails."""


class Calls:
    """Counts the calls of each method, and lets them fail as planned."""

    def __init__(self, plan: FailurePlan = never) -> None:
        self.plan = plan
        self.counts: dict[str, int] = {}

    def begin(self, method: str) -> Callable[[], None]:
        """Count a call. Raises before the work if planned so; the returned function raises after the work."""
        number = self.counts.get(method, 0)
        self.counts[method] = number + 1
        failure = self.plan(method, number)
        if failure is not None and not failure.done:
            raise failure.error

        def end() -> None:
            if failure is not None:
                raise failure.error

        return end
