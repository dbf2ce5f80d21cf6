"""Arranges the files of a dataset by a layout: which are images, which are masks of which image, which are neither."""

from __future__ import annotations

import hashlib
import heapq
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from acbench.data.sources._layout import ImageFile, image_list
from acbench.data.sources._pairs import Pairs
from acbench.data.sources._pattern import MASK_FOLDERS, Pattern
from acbench.data.sources._placed import Patterns, Placed
from acbench.records import Split

NORMAL = frozenset({"good", "normal", "ok"})
"""Names of folders of normal images, folded, that are known by themselves."""
TRAIN = ("train", "training")
TEST = ("test", "testing")
VALIDATION = ("val", "valid", "validation", "dev")
SPLITS = (*TRAIN, *TEST, *VALIDATION)
"""Names of folders of a split."""
TESTED = 10
"""Where a dataset has no split, one normal image in so many is for testing, by a hash of its path: MVTec-AD keeps 11 %
of its normal images for that, VisA 10 %."""

_GENERIC = frozenset(
    {"images", "image", "imgs", "img", "data", "pictures", "photos", "jpegimages", "rgb", "frames", *MASK_FOLDERS}
)
"""Names of folders that say nothing of what is in them, folded."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a dataset lies on disk."""

    name: str
    """Name of a preset, or that of a layout which options describe."""
    title: str
    """What it is, for people."""
    images: tuple[Pattern, ...]
    masks: tuple[Pattern, ...] = ()
    normal: frozenset[str] = NORMAL
    """Folded names of classes whose images are normal."""
    train: frozenset[str] = frozenset(TRAIN)
    """Folded names of splits for training."""
    test: frozenset[str] = frozenset(TEST)
    """Folded names of splits for testing."""
    category: str = ""
    """The category of images whose path names none."""
    split: Split | None = None
    """The split of images whose path names none; None to keep some normal images for testing, and train on the others.
    """

    unmasked_is_normal: bool = False
    """Whether an image of no class and without a mask is normal; else nothing is known of it."""

    @property
    def has_categories(self) -> bool:
        """Whether paths name categories."""
        return any("category" in pattern.key for pattern in self.images)

    def is_normal(self, name: str) -> bool:
        """Whether a class is that of normal images."""
        return folded(name) in self.normal


class Arranged:
    """The files of a dataset in a layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._images, self._masks = Patterns(layout.images), Patterns(layout.masks)
        self.images, self.masks = self._images.packed(), self._masks.packed()
        self.rest = image_list()
        """What no pattern matches."""
        self.categories: Counter[str] = Counter()
        """Category → number of its images."""
        self.splits: Counter[str] = Counter()
        """Split, as paths name it → number of its images."""
        self.pairs: Pairs

    def add(self, file: ImageFile) -> None:
        """Take in the next file."""
        if (mask := self._masks.placed(file)) is not None:
            self.masks.append(mask)
        elif (image := self._images.placed(file)) is not None:
            self._add_image(image)
        else:
            self.rest.append(file)

    def _add_image(self, image: Placed) -> None:
        self.images.append(image)
        self.categories[self.category(image)] += 1
        if "split" in image.says:
            self.splits[image.says["split"]] += 1

    def pair(self) -> None:
        """Pair masks with images, once all files are here."""
        self.pairs = Pairs(self.images, self.masks, self._masks)
        taken = {image.file.path: image for image in self._taken_back()}
        if taken:
            self.masks = self._masks.packed(mask for mask in self.masks if mask.file.path not in taken)
            every = heapq.merge(self.images, taken.values(), key=lambda image: image.file.path)
            self.images = self._images.packed()
            self.categories.clear()
            self.splits.clear()
            for image in every:
                self._add_image(image)
            self.pairs = Pairs(self.images, self.masks, self._masks)

    def _taken_back(self) -> Iterator[Placed]:
        """What lies among images and is only named as a mask: its image is not there."""
        if self.pairs.used == len(self.masks):
            return
        folders = {_folder(path) for path, *_ in self.images.taken()}
        for mask in self.pairs.left_over:
            if _folder(mask.path) in folders and (image := self._images.placed(mask)) is not None:
                yield image

    def category(self, image: Placed) -> str:
        """The category of an image."""
        return image.says.get("category") or self.layout.category

    @property
    def has_test(self) -> bool:
        """Whether any image is in a split for testing, as its path says."""
        return any(folded(name) in self.layout.test for name in self.splits)

    @property
    def explained(self) -> float:
        """The share of the files that are an image, or a mask of one."""
        every = len(self.images) + len(self.masks) + len(self.rest)
        return (len(self.images) + self.pairs.used) / every if every else 0.0


def arrange(files: Iterable[ImageFile], layout: Layout) -> Arranged:
    """Match every file against the patterns of masks, then of images, and pair masks with images."""
    arranged = Arranged(layout)
    for file in files:
        arranged.add(file)
    arranged.pair()
    return arranged


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


@lru_cache(1024)
def folded(name: str) -> str:
    """The form in which names of folders are compared: lower case, letters and digits only."""
    return "".join(char for char in unicodedata.normalize("NFC", name).casefold() if char.isalnum())


def is_generic(name: str) -> bool:
    """Whether a folder's name says nothing of what is in it."""
    return folded(name) in {folded(each) for each in _GENERIC}


def hashed_split(image: str) -> Split:
    """The split of a normal image of a dataset that has none, by its path."""
    return "test" if int.from_bytes(hashlib.blake2b(image.encode(), digest_size=4).digest()) % TESTED == 0 else "train"


def has_image(files: Iterable[ImageFile], layout: Layout, wanted: Callable[[Placed], bool]) -> bool:
    """Whether an image among some files is a wanted one; those that `arrange` takes back do not count."""
    masks, images = Patterns(layout.masks), Patterns(layout.images)
    return any(
        masks.placed(file) is None and (image := images.placed(file)) is not None and wanted(image) for file in files
    )
