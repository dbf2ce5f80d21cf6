"""Sources by name."""

from __future__ import annotations

from typing import cast

from acbench._util.plugins import Plugins
from acbench.data.sources._contract import Source

_PLUGINS = Plugins("acbench.data.sources", "acbench.sources", "source")


def names() -> list[str]:
    """Names of all sources, sorted; imports none of them."""
    return _PLUGINS.names()


def get(name: str) -> Source:
    """The source of that name. Raises AcbenchError if there is none, or if it cannot be imported."""
    return cast(Source, _PLUGINS.load(name))
