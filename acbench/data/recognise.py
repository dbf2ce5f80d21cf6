"""Asks every source what it recognises in a folder."""

from __future__ import annotations

from acbench.data import sources
from acbench.data.sources import Recognised
from acbench.errors import AcbenchError
from acbench.storage.roots import Root, open_tree


def recognise(root: Root) -> list[Recognised]:
    """What the sources recognise in a folder or URL, the surest first; empty if none would read it."""
    tree = open_tree(root)
    found: list[Recognised] = []
    for name in sources.names():
        try:
            source = sources.get(name)
        except AcbenchError:  # a broken source of another package has nothing to do with this folder
            continue
        if source.recognise is not None and (result := source.recognise(tree)) is not None:
            found.append(result)
    return sorted(found, key=lambda result: (-result.certainty, result.source))
