"""Matches the paths of files against the patterns of a layout."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from acbench._util.packed import Packed
from acbench.data.sources._layout import ImageFile
from acbench.data.sources._pattern import Pattern


class Placed(NamedTuple):
    """A file, and what its path says."""

    file: ImageFile
    pattern: Pattern
    says: Mapping[str, str]

    def key(self, places: Iterable[str]) -> str | None:
        """Its texts for some places, in the form in which they are compared; None if it lacks one of them."""
        try:
            return compared("\0".join([self.says[place] for place in places]))
        except KeyError:
            return None


class Patterns:
    """Some patterns, of which only those are tried that fit the folder of a file."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns
        self._numbers = {id(pattern): number for number, pattern in enumerate(patterns)}
        self._said = [tuple({**pattern.fixed, **dict.fromkeys(pattern.places)}) for pattern in patterns]
        self._fitting: dict[str, tuple[Pattern, ...]] = {}

    def fitting(self, file: ImageFile) -> tuple[Pattern, ...]:
        """The patterns that the path of a file may match."""
        folder = file.path.rpartition("/")[0]
        found = self._fitting.get(folder)
        if found is None:
            found = tuple(each for each in self._patterns if each.folder is None or each.folder.fullmatch(folder))
            self._fitting[folder] = found
        return found

    def placed(self, file: ImageFile) -> Placed | None:
        """What the first pattern that a path matches says of it."""
        for pattern in self.fitting(file):
            says = pattern.match(file.path)
            if says is not None:
                return Placed(file, pattern, says)
        return None

    def packed(self, files: Iterable[Placed] = ()) -> Packed[Placed]:
        """A list of files that match, of which there may be very many."""
        return Packed(self._taken, self._again, files)

    def _taken(self, placed: Placed) -> tuple[Any, ...]:
        return *placed.file, self._numbers[id(placed.pattern)], *placed.says.values()

    def _again(self, row: tuple[Any, ...]) -> Placed:
        path, problem, number, *texts = row
        says = dict(zip(self._said[number], texts, strict=True))
        return Placed(ImageFile(path, problem), self._patterns[number], says)


def compared(text: str) -> str:
    """The form in which what paths say is compared: case does not count."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()
