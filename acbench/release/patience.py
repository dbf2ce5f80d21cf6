"""Waits between the attempts of one piece of work on a hub, within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from acbench._util.backoff import Backoff
from acbench.release.hub import Busy, Conflict, HubError

ATTEMPTS = 6
BACKOFF = Backoff(first=2.0)
LONGEST_WAIT = 600.0
"""Seconds; if a hub asks for a longer wait, the work ends with an error."""


@dataclass
class Patience:
    """Counts the failures of one piece of work."""

    note: Callable[[str], None]
    wait: Callable[[float], None] = time.sleep
    failures: int = 0

    def spend(self, error: HubError, besides: str = "") -> None:
        """Wait before the next attempt after one that failed; `besides`: what a last message adds.

        Raises HubError after `ATTEMPTS`, and where the hub asks for too long a wait.
        """
        self.failures += 1
        if self.failures == ATTEMPTS:
            raise HubError(
                f"{error.message}; {ATTEMPTS} attempts have failed{besides}", "run the same command again later"
            )
        seconds = BACKOFF.seconds(self.failures)
        if isinstance(error, Conflict):
            seconds = min(seconds, 1.0)
        if isinstance(error, Busy) and error.seconds is not None:
            seconds = error.seconds
        if seconds > LONGEST_WAIT:
            wanted = f"{seconds:,.0f} s"
            told = error.message if wanted in error.message else f"{error.message}: it wants {wanted} of patience"
            raise HubError(told, "run the same command again then")
        self.note(f"{error.message}; looking again in {seconds:.0f} s")
        self.wait(seconds)
