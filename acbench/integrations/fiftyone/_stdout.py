"""Stdout is for results: what libraries print there goes to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def for_results() -> Iterator[None]:
    """Until the end of the context, whatever writes to `sys.stdout` writes to stderr instead.

    A logging handler that is made meanwhile for stdout keeps to stderr after it as well.
    """
    with redirect_stdout(sys.stderr):
        yield
