"""Pairs masks with images by what their paths say."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence

from acbench._util.packed import Packed
from acbench.data.sources._layout import ImageFile
from acbench.data.sources._placed import Patterns, Placed
from acbench.records import Finding
from acbench.storage.texts import Texts


class Pairs:
    """Which masks each of some images has: those that share everything with it that their pattern names.

    Masks and images go by their numbers.
    """

    def __init__(self, images: Packed[Placed], masks: Packed[Placed], patterns: Patterns) -> None:
        self.masked: Counter[str] = Counter()
        """Category, as paths name it, or empty → how many of its images have masks."""
        self._paths = Texts()
        self._problems: dict[int, Finding] = {}
        self._named: dict[tuple[str, ...], _Named] = {}
        """What masks and images have to share → the masks by that."""
        for mask in masks:
            self._add(mask, patterns)
        self._owner = array("q", [-1]) * len(masks)
        """The first image that has each mask."""
        self._first = array("q")
        """A mask of each image; none at all if there are no masks."""
        self._several: dict[int, list[int]] = {}
        """All masks of an image that has several."""
        for number, image in enumerate(images if masks else ()):
            found = self._find(image)
            self._first.append(found[0] if found else -1)
            for mask_number in found:
                if self._owner[mask_number] < 0:
                    self._owner[mask_number] = number
            if found:
                self.masked[image.says.get("category", "")] += 1
            if len(found) > 1:
                self._several[number] = found

    def _add(self, mask: Placed, patterns: Patterns) -> None:
        number = len(self._paths)
        self._paths.append(mask.file.path)
        if mask.file.problem is not None:
            self._problems[number] = mask.file.problem
        # a mask `a_mask.png` is also called `a_mask`: it is known by all patterns that match it
        for pattern in patterns.fitting(mask.file):
            says = mask.says if pattern is mask.pattern else pattern.match(mask.file.path)
            if says is not None and (key := Placed(mask.file, pattern, says).key(pattern.key)) is not None:
                self._named.setdefault(pattern.key, _Named()).add(key, number)

    def of(self, image: int) -> Sequence[int]:
        """The masks of an image, each once."""
        first = self._first[image] if self._first else -1
        return () if first < 0 else self._several.get(image, (first,))

    def _find(self, image: Placed) -> list[int]:
        found: list[int] = []
        for places, named in self._named.items():
            if (key := image.key(places)) is not None:
                found += named.find(key)
        return found if len(found) < 2 else list(dict.fromkeys(found))

    def file(self, mask: int) -> ImageFile:
        """The file of a mask."""
        return ImageFile(self._paths[mask], self._problems.get(mask))

    def owner(self, mask: int) -> int:
        """The first image that has a mask; below 0 if none has it."""
        return self._owner[mask]

    @property
    def used(self) -> int:
        """How many masks an image has."""
        return len(self._owner) - self._owner.count(-1)

    @property
    def left_over(self) -> Iterator[ImageFile]:
        """The masks that no image has."""
        return (self.file(mask) for mask, image in enumerate(self._owner) if image < 0)


class _Named:
    """Numbers of masks by what is said of them."""

    def __init__(self) -> None:
        self._keys = Texts()
        self._numbers = array("q")

    def add(self, key: str, number: int) -> None:
        self._keys.append(key)
        self._numbers.append(number)

    def find(self, key: str) -> Iterator[int]:
        return map(self._numbers.__getitem__, self._keys.find(key))
