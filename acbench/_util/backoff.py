"""Says how long to wait before something that failed is tried again."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that double after each failure in a row, and are spread so that clients do not keep in step."""

    first: float = 1.0
    """Seconds after one failure, at most."""
    most: float = 60.0
    """Seconds after any number of failures, unless the server asks for more."""
    longest: float = math.inf
    """Seconds, also where the server asks for more."""

    def seconds(
        self, failures: int, retry_after: float | None = None, random: Callable[[], float] = random.random
    ) -> float:
        """Seconds to wait after `failures` in a row: at least what the server asks for, up to `longest`.

        `random` gives numbers in 0…1; the wait without a request of the server is half to all of its doubled value.
        """
        doubled = min(self.most, self.first * 2.0 ** min(failures - 1, 64))
        return min(self.longest, max(doubled * (0.5 + random() / 2), retry_after or 0.0))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait; None if it asks for nothing. `headers` are found whatever their case.

    Understands `Retry-After-Ms`, both forms of `Retry-After` (RFC 9110, section 10.2.3), and `RateLimit: …;t=SECONDS`.
    """
    if milliseconds := headers.get("retry-after-ms"):
        return _not_negative(milliseconds, 1000)
    if (value := headers.get("retry-after")) is not None:
        return _not_negative(value) if _is_number(value) else _until(value)
    reset = re.search(r"\bt=(\d+)", headers.get("ratelimit") or "")
    return float(reset[1]) if reset else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _not_negative(text: str, unit: float = 1.0) -> float | None:
    """A number of seconds, or None for what is no finite number."""
    seconds = float(text) / unit if _is_number(text) else math.nan
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(date: str) -> float | None:
    """Seconds until an HTTP date, 0 if it is over; None for what is no date."""
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
