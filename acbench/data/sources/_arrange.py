"""Arranges the files of a dataset by a layout: which are images, which are masks of which image, which are neither."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from acbench.data.sources._layout import ImageFile
from acbench.data.sources._pattern import MASK_FOLDERS, Pattern
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A file, and what its path says."""

    file: ImageFile
    pattern: Pattern
    says: Mapping[str, str]

    def key(self, places: Iterable[str]) -> tuple[str, ...] | None:
        """Its texts for some places, in the form in which they are compared; None if it lacks one of them."""
        try:
            return tuple([compared(self.says[place]) for place in places])
        except KeyError:
            return None


@dataclass(kw_only=True)
class Arranged:
    """The files of a dataset."""

    images: list[Placed] = field(default_factory=list)
    masks: list[Placed] = field(default_factory=list)
    rest: list[ImageFile] = field(default_factory=list)
    """What no pattern matches."""
    masks_of: dict[str, list[Placed]] = field(default_factory=dict)
    """Path of an image → its masks."""
    owner: dict[str, str] = field(default_factory=dict)
    """Path of a mask that is used → path of the first image that it belongs to."""
    shared: list[tuple[str, str]] = field(default_factory=list)
    """(image, mask) where the mask belongs to another image already."""

    @property
    def explained(self) -> float:
        """The share of the files that are an image, or a mask of one."""
        every = len(self.images) + len(self.masks) + len(self.rest)
        return (len(self.images) + len(self.owner)) / every if every else 0.0


def arrange(files: Sequence[ImageFile], layout: Layout) -> Arranged:
    """Match every file against the patterns of masks, then of images, and pair masks with images."""
    arranged = Arranged()
    masks, images = _Patterns(layout.masks), _Patterns(layout.images)
    for file in files:
        if (mask := masks.placed(file)) is not None:
            arranged.masks.append(mask)
        elif (image := images.placed(file)) is not None:
            arranged.images.append(image)
        else:
            arranged.rest.append(file)
    _pair(arranged, layout)
    if _take_back(arranged, layout):
        _pair(arranged, layout)
    return arranged


def compared(text: str) -> str:
    """The form in which what paths say is compared: case does not count."""
    form = text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()
    return text if form == text else form  # of a million equal texts, one is enough


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


class _Patterns:
    """Some patterns, of which only those are tried that fit the folder of a file."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns
        self._fitting: dict[str, tuple[Pattern, ...]] = {}

    def fitting(self, file: ImageFile) -> tuple[Pattern, ...]:
        """The patterns that the path of a file may match."""
        folder = _folder(file.path)
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
                return Placed(file=file, pattern=pattern, says=says)
        return None


def _take_back(arranged: Arranged, layout: Layout) -> bool:
    """Take for images what lies among images and is only named as a mask: its image is not there. Whether any does."""
    folders = {_folder(image.file.path) for image in arranged.images}
    images = _Patterns(layout.images)
    taken: dict[str, Placed] = {}
    for mask in arranged.masks:
        if mask.file.path not in arranged.owner and _folder(mask.file.path) in folders:
            image = images.placed(mask.file)
            if image is not None:
                taken[mask.file.path] = image
    arranged.masks = [mask for mask in arranged.masks if mask.file.path not in taken]
    arranged.images.extend(taken.values())
    arranged.images.sort(key=lambda image: image.file.path)
    return bool(taken)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def has_image(files: Iterable[ImageFile], layout: Layout, wanted: Callable[[Placed], bool]) -> bool:
    """Whether an image among some files is a wanted one; those that `arrange` takes back do not count."""
    masks, images = _Patterns(layout.masks), _Patterns(layout.images)
    return any(
        masks.placed(file) is None and (image := images.placed(file)) is not None and wanted(image) for file in files
    )


def _pair(arranged: Arranged, layout: Layout) -> None:
    """Give each image its masks: those that share everything with it that their pattern names."""
    arranged.masks_of, arranged.owner, arranged.shared = {}, {}, []
    named: defaultdict[tuple[str, ...], defaultdict[tuple[str, ...], list[Placed]]]
    named = defaultdict(lambda: defaultdict(list))
    patterns, key_of = _Patterns(layout.masks), {id(pattern): pattern.key for pattern in layout.masks}
    for mask in arranged.masks:
        # a mask `a_mask.png` is also called `a_mask`: it is known by all patterns that match it
        for pattern in patterns.fitting(mask.file):
            places = key_of[id(pattern)]
            says = mask.says if pattern is mask.pattern else pattern.match(mask.file.path)
            if says is not None:
                known = mask if pattern is mask.pattern else Placed(file=mask.file, pattern=pattern, says=says)
                key = known.key(places)
                if key is not None:
                    named[places][key].append(known)
    for image in arranged.images:
        found: dict[str, Placed] = {}
        for places, by_key in named.items():
            key = image.key(places)
            if key is not None:
                found.update((mask.file.path, mask) for mask in by_key.get(key, ()))
        if found:
            arranged.masks_of[image.file.path] = [found[path] for path in sorted(found)]
        for path in found:
            if path in arranged.owner:
                arranged.shared.append((image.file.path, path))
            arranged.owner.setdefault(path, image.file.path)
