"""What a source gives: the `Source` itself, and the images that it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from acbench._util.console import Progress
from acbench.data.segments import Drawing
from acbench.records import Finding, Reading, Split
from acbench.storage.files import FileTree


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """One image of a dataset, known by its path alone: no image file has been opened."""

    category: str
    split: Split
    image: str
    """Path relative to the dataset's root, with forward slashes."""
    mask: str | None
    """Path of its anomaly mask, or of several, joined by `records.united`; None if there is none. A normal image's is
    looked at, and not used."""
    anomalous: bool | None
    """None if its mask alone tells: whether it marks anything."""
    source_labels: tuple[str, ...]
    """The dataset's own label strings, unchanged, in its order. Empty if it gives none. Of a normal image `good`,
    whatever the dataset calls it, so that every schema knows it."""
    problem: Finding | None = None
    """Why the image cannot be used, if its path already tells."""
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """Boxes around its anomaly: left, top, right, bottom. Those of a normal image are not used."""
    box_unit: Literal["pixels", "image"] = "pixels"
    """What a box is measured in: pixels, or shares of the image's width and height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What a source has recognised in a folder, by looking at names alone."""

    source: str
    """Name of the source that reads it."""
    reading: Reading
    """The options that say how it lies; empty if the source needs none."""
    says: str
    """What was recognised, in one line."""
    certainty: float
    """How sure that is, 0 to 1: the surest comes first."""
    categories: tuple[str, ...] = ()
    """The categories that are there."""
    notes: tuple[str, ...] = ()
    """What would not be used, and the options that would use it; one line each."""


class Render(Protocol):
    """Draws a dataset."""

    def __call__(self, root: Path, *, progress: Progress | None = None) -> Path:
        """Draw the dataset into the folder `root`, unless it is there. Returns `root`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByCategory:
    """A dataset that is read one category at a time: what lies below a folder of the root is one category, or none.

    Images come in the order of their paths if categories are taken in the order of theirs.
    """

    common: str
    """What decides how a category is read, besides what lies in its own folder."""
    scan: Callable[[str], Iterator[FoundImage | Finding]]
    """Every image of a category, and everything out of place in its folder."""
    others: Callable[[], Iterator[Finding]]
    """Everything out of place that lies in no category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A reader of one dataset.

    Its author writes a module with the same contents: the texts, names and counts as constants in capitals (`TITLE`),
    the functions under their own names. A module without `split_of` or `render` has None in their place.
    A module may also offer `OPTIONS` and `configured(reading)`, which gives an object with the same contents for these
    options, `categories(tree)`, and `recognise(tree)`. Where a module has a `SOURCE`, that object has the contents, and
    the module need have none.
    `acbench.data.sources.get` puts the source together. tests/test_sources.py has a test that every source must pass.
    """

    name: str
    """The module's name, and the `dataset` of its items."""
    title: str
    """What people call the dataset."""
    licence: str
    """SPDX id of the licence of its images."""
    attribution: str
    """Who made it, and where it is described."""
    home: str
    """Where to get the original, as a sentence."""
    benchmark: str
    """Name of the label schema that comes with acbench for it."""
    layout: str
    """The folders that make a category, in a few words."""
    extras: frozenset[str]
    """Names, in lower case, of files and folders that the dataset itself has beside its categories."""
    image_counts: Mapping[str, int]
    """Category → number of images in the complete dataset; empty if the source cannot know."""

    is_category: Callable[[FileTree, str], bool]
    """`is_category(tree, folder)`: whether a folder is laid out as a category, by its folders alone."""
    scan: Callable[[FileTree, Sequence[str]], Iterator[FoundImage | Finding]]
    """`scan(tree, categories)`: every image of these categories, and everything else that is there, in a fixed order.
    Opens no image."""
    known_labels: Callable[[], Mapping[str, tuple[str, ...]]]
    """`known_labels()`: category → every label string of the complete dataset, except those of normal images. If an
    image has several labels, they are one string, joined by commas."""

    options: Mapping[str, str] = field(default_factory=dict)
    """Option of `reading` → one line of help. Empty if the source has none."""
    reading: Reading = field(default_factory=dict)
    """The options that this source was put together with."""
    categories: Callable[[FileTree], Sequence[str]] | None = None
    """`categories(tree)`: the categories in a root, where they are not simply those of its folders that `is_category`
    knows: paths of images need not begin with them. Everything that is in the root is then `scan`'s to tell."""
    by_category: Callable[[FileTree], ByCategory | None] | None = None
    """`by_category(tree)`: how the categories that `categories` gives are read one by one; None where they cannot be.
    Without `categories`, `scan` reads them so."""
    recognise: Callable[[FileTree], Recognised | None] | None = None
    """`recognise(tree)`: what is in a root, by names alone; None if the source would not read it."""
    scheme: str = ""
    """How URLs begin that name a dataset of another program, such as `hf://datasets/`. Its images are copied into the
    workspace first, and `scan` reads the copy."""
    masks: Callable[[FileTree], Mapping[str, Drawing]] | None = None
    """`masks(tree)`: path → mask that annotations describe and no file holds. They are drawn into a copy of the folder,
    and `scan` finds them there."""
    split_of: Callable[[str], Split] | None = None
    """`split_of(image)`: the split of an image by its path alone. With it, labels can be scored without the images."""
    render: Render | None = None
    """`render(root, progress=…)`: draws a dataset that acbench makes itself."""
