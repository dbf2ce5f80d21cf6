"""Asks every source what it recognises in a folder."""

from __future__ import annotations

import shlex

from acbench.data import sources
from acbench.data.sources import Recognised, Source
from acbench.errors import AcbenchError, SourceError
from acbench.records import Reading
from acbench.storage.files import FileTree
from acbench.storage.roots import Root, open_tree


def recognise(root: Root, reading: Reading | None = None) -> list[Recognised]:
    """What the sources recognise in a folder or URL, the surest first; empty if none would read it.

    `reading`: options that say how it lies; only sources that have them are asked. Raises SourceError for an option
    that no source has, or that cannot have that value.
    """
    tree = open_tree(root)
    scheme = next((each for each in _schemes() if str(root).startswith(each)), "")
    found: list[Recognised] = []
    asked = 0
    for name in sources.names():
        try:
            source = sources.get(name)
        except AcbenchError:  # a broken source of another package has nothing to do with this folder
            continue
        if not set(reading or ()) <= set(source.options) or source.scheme != scheme:
            continue
        asked += 1
        if reading:
            source = sources.get(name, reading)
        result = source.recognise(tree) if source.recognise is not None else _by_categories(source, tree)
        if result is not None:
            found.append(result)
    if not asked:
        sources.get("folders", reading)  # it says which options there are
    return sorted(found, key=lambda result: (-result.certainty, result.source))


def _schemes() -> list[str]:
    """How URLs begin that only one source reads."""
    schemes = []
    for name in sources.names():
        try:
            schemes.append(sources.get(name).scheme)
        except AcbenchError:
            continue
    return [scheme for scheme in schemes if scheme]


def _by_categories(source: Source, tree: FileTree) -> Recognised | None:
    """A dataset that is known by the names of its categories; a single one may be of another dataset."""
    present = [name for name in tree.folders() if name in source.image_counts and source.is_category(tree, name)]
    if not present:
        return None
    return Recognised(
        source=source.name,
        reading={},
        says=f"{source.title}: {len(present)} of its {len(source.image_counts)} categories",
        certainty=0.9 if len(present) > 1 else 0.5,
        categories=tuple(present),
    )


def nothing_recognised(root: Root, says: str) -> SourceError:
    """Why nothing in a root is recognised. `says`: the options that were given, for the message."""
    try:
        sources.locate(sources.get("folders"), root)
    except SourceError as why:
        return why
    return SourceError(f"nothing in {root} is laid out as {says} says", f"acbench ingest {shlex.quote(str(root))}")
