"""Finds modules by name: those of one of our packages, and those that other packages add to it."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

from acbench.errors import AcbenchError


@dataclass(frozen=True, slots=True)
class Plugins:
    """The public modules of one package, and the modules that other packages add under an entry-point group."""

    package: str
    """Name of our package."""
    group: str
    """Entry-point group under which other packages add theirs."""
    kind: str
    """What messages call such a module."""

    def names(self) -> list[str]:
        """The names of all modules, sorted. None of them is imported."""
        return sorted(self._own() | self._foreign())

    def is_own(self, name: str) -> bool:
        """Whether a module of that name is one of our package."""
        return name in self._own()

    def load(self, name: str) -> Any:
        """The module of that name. Raises AcbenchError if there is none, or if it cannot be imported."""
        own = name in self._own()
        if not own and name not in self._foreign():
            raise AcbenchError(f"there is no {self.kind} {name!r}", f"use one of: {', '.join(self.names())}")
        try:
            if own:
                return importlib.import_module(f"{self.package}.{name}")
            from importlib.metadata import entry_points

            (entry,) = entry_points(group=self.group, name=name)
            return entry.load()
        except Exception as error:
            raise AcbenchError(
                f"the {self.kind} {name!r} cannot be loaded: {error}", "reinstall the package it comes from"
            ) from error

    def _own(self) -> set[str]:
        modules = pkgutil.iter_modules(importlib.import_module(self.package).__path__)
        return {module.name for module in modules if not module.name.startswith("_")}

    def _foreign(self) -> set[str]:
        from importlib.metadata import entry_points  # slow: it reads the metadata of every installed package

        return set(entry_points(group=self.group).names)
