"""Finds the item that a row of somebody's table is about, by its id or by a path as people write it.

Paths may begin with `./` or `/`, be absolute, have backslashes or another case of the extension (`.JPG`), leave the
category out if a column names it, or repeat it. What fits two items is refused with both.
"""

from __future__ import annotations

import ntpath
from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cached_property

from acbench._util.text import tidy
from acbench.errors import TableError

MAX_SHOWN = 200
"""Characters of a name that an error repeats."""
_SAME_EXTENSION = {"jpeg": "jpg", "tiff": "tif"}


class ItemNames:
    """The names of all items that rows may be about."""

    def __init__(self, names: Collection[str]) -> None:
        """`names`: ids of items, and paths of their images relative to the dataset's root, each once."""
        self._names = names

    def find(self, where: str, name: str, category: str = "") -> str | None:
        """The id or image that a name means; None if it means none.

        Raises TableError, naming `where`, if it means several.
        """
        for text in (name, f"{category}/{name}" if category else name):
            if text in self._names:
                return text
        path = _plain(name)
        fitting: set[str] = set()
        for wanted in dict.fromkeys((path, f"{category}/{path}" if category else path)):
            fitting |= self._by_plain.get(wanted, frozenset())
        if not fitting:
            fitting = self._longest_end(path, category)
        if len(fitting) > 1:
            one, other, *_ = sorted(fitting)
            raise TableError(
                f"{where}: {tidy(name, MAX_SHOWN)} may be {one} or {other}",
                "name the image by its path relative to the dataset's root, or by its `item_id`",
            )
        return fitting.pop() if fitting else None

    def ending(self, name: str) -> list[str]:
        """The items whose paths end as a name does, sorted: what it may mean without its folders."""
        end = f"/{_plain(name)}"
        return sorted(known for known in self._names if f"/{_plain(known)}".endswith(end)) if len(end) > 1 else []

    def _longest_end(self, path: str, category: str) -> set[str]:
        """The images at which an absolute path ends, by the most folders."""
        parts = path.split("/")
        for first in range(1, len(parts) - 1):  # a file's name alone names nothing
            end = "/".join(parts[first:])
            found = self._by_plain.get(end) or (self._by_plain.get(f"{category}/{end}") if category else None)
            if found:
                return set(found)
        return set()

    @cached_property
    def _by_plain(self) -> Mapping[str, frozenset[str]]:
        by_plain: defaultdict[str, set[str]] = defaultdict(set)
        for name in self._names:
            by_plain[_plain(name)].add(name)
        return {plain: frozenset(names) for plain, names in by_plain.items()}


def _plain(path: str) -> str:
    """A path with forward slashes, without drive, `.` or what stands before the first name; its extension folded."""
    _, rest = ntpath.splitdrive(path.strip()) if "\\" in path or ":" in path[:3] else ("", path.strip())
    parts = [part for part in rest.replace("\\", "/").split("/") if part not in {"", "."}]
    stem, dot, extension = "/".join(parts).rpartition(".")
    extension = extension.casefold()
    return f"{stem}{dot}{_SAME_EXTENSION.get(extension, extension)}"
