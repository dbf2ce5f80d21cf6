"""How work says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

Progress = Callable[[int, int], None]
"""Told (done, of how many) as work goes on."""


class Console(Protocol):
    """Where a person is told."""

    def stage(self, title: str) -> AbstractContextManager[Progress]:
        """Show one stage's progress while it lasts."""

    def note(self, text: str) -> None:
        """Tell something that is no error."""
