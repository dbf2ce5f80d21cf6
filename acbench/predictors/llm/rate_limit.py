"""How many calls run at once, and how long to wait after one that failed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from acbench._util.backoff import Backoff

LONGEST_WAIT = 120.0
"""Seconds; a longer Retry-After is not waited for."""
BACKOFF = Backoff(longest=LONGEST_WAIT)
"""Between the attempts at one question, or at handing in one batch."""


@dataclass(kw_only=True)
class RateLimit:
    """A bound on calls at once that halves when the endpoint says it is too much, and grows back slowly."""

    most: int
    clock: Callable[[], float]
    """Seconds, never backwards."""
    sleep: Callable[[float], object]
    limit: float = field(init=False)
    _busy: int = field(init=False, default=0)
    _until: float = field(init=False, default=float("-inf"))
    _last_cut: float = field(init=False, default=float("-inf"))
    _change: threading.Condition = field(init=False, default_factory=threading.Condition, repr=False)

    def __post_init__(self) -> None:
        self.limit = float(self.most)

    @contextmanager
    def slot(self) -> Iterator[float]:
        """Wait for a place among the running calls, then hold it. Gives the time of the start."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._busy < int(self.limit))
                started = self.clock()
                if started >= self._until:
                    self._busy += 1
                    break
                pause = self._until - started
            self.sleep(pause)
        try:
            yield started
        finally:
            with self._change:
                self._busy -= 1
                self._change.notify_all()

    def succeeded(self) -> None:
        """One more at once for every round of successes."""
        with self._change:
            self.limit = min(float(self.most), self.limit + 1 / self.limit)
            self._change.notify_all()

    def throttled(self, started: float, retry_after: float | None) -> None:
        """Halve, once for all the calls that were under way together; nobody starts before the time asked for."""
        with self._change:
            now = self.clock()
            if started > self._last_cut:
                self.limit = max(1.0, self.limit / 2)
                self._last_cut = now
            if retry_after is not None:
                self._until = max(self._until, now + min(LONGEST_WAIT, retry_after))
