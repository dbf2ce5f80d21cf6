"""Limits how many calls run at once, and says how long to wait after one that failed."""

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
    """A limit on simultaneous calls: halved when the endpoint refuses for its rate limit, then slowly raised again."""

    most: int
    """Calls at once, at most."""
    clock: Callable[[], float]
    """Gives seconds that never go backwards."""
    sleep: Callable[[float], object]
    limit: float = field(init=False)
    """Calls at once that are allowed now; the integer part counts."""
    _running: int = field(init=False, default=0)
    _paused_until: float = field(init=False, default=float("-inf"))
    _last_cut: float = field(init=False, default=float("-inf"))
    _changed: threading.Condition = field(init=False, default_factory=threading.Condition, repr=False)

    def __post_init__(self) -> None:
        self.limit = float(self.most)

    @contextmanager
    def slot(self) -> Iterator[float]:
        """Wait until a call may start, and count it as running inside the context. Gives the time of the start."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running < int(self.limit))
                started = self.clock()
                if started >= self._paused_until:
                    self._running += 1
                    break
                pause = self._paused_until - started
            self.sleep(pause)
        try:
            yield started
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def succeeded(self) -> None:
        """Record a success. As many successes as calls are allowed at once raise the limit by one."""
        with self._changed:
            self.limit = min(float(self.most), self.limit + 1 / self.limit)
            self._changed.notify_all()

    def throttled(self, started: float, retry_after: float | None) -> None:
        """Record a refusal of a call that started at `started`, and start no call for `retry_after` seconds.

        Calls that ran at the same time halve the limit only once.
        """
        with self._changed:
            now = self.clock()
            if started > self._last_cut:
                self.limit = max(1.0, self.limit / 2)
                self._last_cut = now
            if retry_after is not None:
                self._paused_until = max(self._paused_until, now + min(LONGEST_WAIT, retry_after))
