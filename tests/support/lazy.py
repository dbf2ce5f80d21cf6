"""Modules that take long to import, for test modules that are collected more often than they are run."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

from acbench.integrations.torch.runtime import import_torch


class Lazy:
    """Stands in for a module, which is imported when a name of it is first used."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # pytest looks for marks of its own
        return getattr(self._module, name)

    @cached_property
    def _module(self) -> Any:
        return self._load()


def lazy(name: str) -> Any:
    """A module by its name."""
    return Lazy(lambda: importlib.import_module(name))


def lazy_beside_torch(name: str) -> Any:
    """A module that needs what `import_torch` mends."""

    def load() -> Any:
        import_torch()
        return importlib.import_module(name)

    return Lazy(load)


torch: Any = Lazy(import_torch)
