"""Keeps stdout for results: what libraries print goes to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def reserved_stdout() -> Iterator[None]:
    """Until the end of the context, whatever writes to `sys.stdout` writes to stderr instead.

    A logging handler for stdout that is made meanwhile keeps writing to stderr afterwards.
    """
    with redirect_stdout(sys.stderr):
        yield
