"""Sources by name: the modules of this package, and those of other packages."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from acbench.errors import AcbenchError
from acbench.sources._contract import Source

GROUP = "acbench.sources"
"""The entry-point group of sources in other packages."""

_PACKAGE = __name__.rpartition(".")[0]


def names() -> list[str]:
    """Names of all sources, sorted; imports none of them."""
    return sorted(_own() | set(entry_points(group=GROUP).names))


def get(name: str) -> Source:
    """The source of that name. Raises AcbenchError if there is none, or if it cannot be imported."""
    own = name in _own()
    # Looking for entry points reads the metadata of every installed package.
    if not own and name not in names():
        raise AcbenchError(f"there is no source {name!r}", f"use one of: {', '.join(names())}")
    try:
        if own:
            return cast(Source, importlib.import_module(f"{_PACKAGE}.{name}"))
        (entry,) = entry_points(group=GROUP, name=name)
        return cast(Source, entry.load())
    except Exception as error:
        raise AcbenchError(
            f"the source {name!r} cannot be loaded: {error}", "reinstall the package it comes from"
        ) from error


def _own() -> set[str]:
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return {module.name for module in modules if not module.name.startswith("_")}
