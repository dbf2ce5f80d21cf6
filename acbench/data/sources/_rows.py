"""Joins what tables and annotation files say of images with the files on disk.

A row that cannot be used is a finding with its line, and so is an image that no row names. Rows that contradict each
other give no label: nothing is guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from acbench._util.plural import counted
from acbench._util.text import printable, tidy
from acbench.data.sources._arrange import NORMAL, TEST, TRAIN, VALIDATION, folded, hashed_split
from acbench.data.sources._contract import FoundImage
from acbench.data.sources._files import Files, Found, unnamed
from acbench.data.sources._layout import collisions
from acbench.records import GOOD, Finding, Split

_USUAL = frozenset({"readme", "license", "licence", "citation", "dataset_infos", "changelog"})
"""Names, in lower case and without extension, of files that say something to people."""
MAX_LABEL = 1_000
"""Characters of the longest label that is taken."""
MOST_LABELS = 100
"""Labels of one image that are taken."""

Shape = tuple[float, float, float, float]
"""A box: left, top, right, bottom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one row, or one entry of an annotation file, says of an image."""

    image: str
    """As it is written."""
    at: str
    """Where it is written: `line 7`."""
    file: str
    """Path of the file that holds it."""
    labels: tuple[str, ...]
    """Empty for a normal image."""
    split: str = ""
    """As it is written; empty if it is not."""
    category: str = ""
    mask: str = ""
    boxes: tuple[Shape, ...] = ()
    box_unit: Literal["pixels", "image"] = "pixels"
    faults: tuple[str, ...] = ()
    """What is wrong with the row: its image gets no label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Names of splits, folded."""

    train: frozenset[str] = frozenset(TRAIN)
    test: frozenset[str] = frozenset(TEST)

    @property
    def every(self) -> frozenset[str]:
        """All names, those of validation too."""
        return self.train | self.test | frozenset(VALIDATION)

    def in_path(self, path: str) -> str:
        """The first folder of a path that is called as a split is; empty if none is."""
        return next((part for part in path.split("/")[:-1] if folded(part) in self.every), "")


@dataclass
class Joined:
    """How rows are joined with files."""

    files: Files
    by: str
    """What holds the rows, in a few words."""
    category: str
    """The category of rows without one."""
    splits: Splits
    """What the names of splits mean."""
    normal: Collection[str] = NORMAL
    """What normal images are called, folded."""
    instances: bool = False
    """Whether several rows of an image are several places on it; else a second row has to say the same."""
    beside: Collection[str] = ()
    """Paths of images that no row has to name, such as masks."""
    about: str = ""
    """What findings about rows are about; empty for the file of each row."""
    used: Collection[str] = ()
    """Paths of other files that were read."""
    _faults: defaultdict[tuple[str, str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def join(self, rows: Iterable[Row]) -> Iterator[FoundImage | Finding]:
        """An image for each file that rows name, in the order of their paths, and everything out of place."""
        of_image: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if path := self._path(row):
                of_image[path].append(row)
        used: set[str] = set(self.beside)
        merged = {path: self._merged(path, members) for path, members in sorted(of_image.items())}
        splits = self._splits(merged)
        for path, row in merged.items():
            image, mask = self._found(path, row, splits[path])
            used.update(each for each in (path, mask) if each)
            yield image
        yield from self.files.findings
        yield from unnamed(self.files, used, self.by)
        yield from collisions(lambda: merged)
        yield from self._unused()
        yield from self._findings()

    def is_normal(self, labels: Sequence[str]) -> bool:
        """Whether labels mean a normal image."""
        return all(folded(label) in self.normal for label in labels)

    def _path(self, row: Row) -> str:
        """The path of the file that a row names; empty, and a finding, if there is none."""
        found = file_of(self.files, row)
        if not found.path:
            kind = "unknown_image" if found.why == "is not there" else "unclear_image"
            hint = "copy the missing images, or see this as a part of the dataset"
            if kind == "unclear_image":
                hint = "write the path of the image from the dataset's folder on"
            self._note(row, kind, f"name an image that {'is not there' if kind == 'unknown_image' else 'is not clear'}",
                       hint, f"{row.image} {found.why}")  # fmt: skip
        elif found.shortened:
            fault = "name an image by a path that begins elsewhere: the only one with the same end is taken"
            self._note(row, "moved_image", fault, "", f"{row.image} is {found.path}")
        return found.path

    def _merged(self, path: str, rows: list[Row]) -> Row:
        """One row of several about an image; without labels that can be used if they contradict each other."""
        first = rows[0]
        for row in rows:
            for fault in row.faults:
                self._note(row, "bad_row", "cannot be used in full", "mend them", f"{row.image}: {fault}")
        if len(rows) == 1:
            return first
        if self.instances:
            labels = dict.fromkeys(label for row in rows for label in row.labels)
            marked = [label for label in labels if folded(label) not in self.normal]
            boxes = tuple(dict.fromkeys(box for row in rows for box in row.boxes))
            faults = tuple(fault for row in rows for fault in row.faults)
            said = next((row.split for row in rows if row.split), "")
            return replace(first, labels=tuple(marked or labels), boxes=boxes, faults=faults, split=said)
        says = {(row.labels, row.split, row.category, row.mask, row.boxes) for row in rows}
        if len(says) == 1:
            self._note(rows[1], "repeated_row", "repeat another row word for word", "keep one row an image", path)
            return first
        fault = "say something else than another row about the same image: it gets no label"
        differ = " and ".join(" + ".join(row.labels) or GOOD for row in rows[:2])
        self._note(rows[1], "contradiction", fault, "find out which is right, and keep that row", f"{path}: {differ}")
        return replace(first, labels=(), faults=("contradiction",))

    def _splits(self, rows: Mapping[str, Row]) -> dict[str, Split]:
        """Path → split. Without any in the rows, nine of ten normal images are for training."""
        if not any(row.split for row in rows.values()):
            return {path: hashed_split(path) if self.is_normal(row.labels) else "test" for path, row in rows.items()}
        has_test = any(folded(row.split) in self.splits.test for row in rows.values())
        use: Split = "train" if has_test else "test"
        splits: dict[str, Split] = {}
        for path, row in rows.items():
            said = folded(row.split)
            if said in self.splits.train or said in self.splits.test:
                splits[path] = "train" if said in self.splits.train else "test"
                continue
            splits[path] = use if said in VALIDATION else "test"
            if said in VALIDATION:
                option = "test" if has_test else "train"
                self._note(row, "validation_split", f"are of `{row.split}`: images for {use}ing",
                           f"--reading {option}={row.split}  reads them otherwise", path)  # fmt: skip
            elif said:
                self._note(row, "unknown_split", f"are of the split `{row.split}`, which counts as test",
                           f"--reading train={row.split}  reads them otherwise", path)  # fmt: skip
            else:
                self._note(row, "missing_split", "have no split, while others have one: they count as test", "", path)
        return splits

    def _found(self, path: str, row: Row, split: Split) -> tuple[FoundImage, str]:
        """The image of a row, and the path of the mask that the row names."""
        labels, anomalous = row.labels, not self.is_normal(row.labels)
        if row.faults:
            labels, anomalous = (), True
        elif not anomalous:
            labels = (GOOD,)
        mask = self._mask(row) if row.mask else ""
        usable = self.files.images[mask].problem is None if mask else False
        if mask and not usable:
            self._note(row, "unreadable_mask", "name a mask that cannot be read", "save it as PNG", mask)
        found = FoundImage(
            category=row.category or self.category,
            split=split,
            image=path,
            mask=mask if usable else None,
            anomalous=anomalous,
            source_labels=labels,
            problem=self.files.images[path].problem,
            boxes=row.boxes,
            box_unit=row.box_unit,
        )
        return found, mask

    def _mask(self, row: Row) -> str:
        found = self.files.find(row.mask, _folder(row.file))
        if not found.path:
            self._note(row, "missing_mask", "name a mask that is not there", "copy the missing masks",
                       f"{row.mask} {found.why}")  # fmt: skip
        return found.path

    def _unused(self) -> Iterator[Finding]:
        """A finding about each file that is neither read nor one that datasets usually have."""
        for path in self.files.others:
            if path not in self.used and path.rpartition("/")[2].lower().partition(".")[0] not in _USUAL:
                yield Finding(path=path, kind="stray_file", detail=f"{self.by} does not need it: it is not read")

    def _note(self, row: Row, kind: str, fault: str, hint: str, example: str) -> None:
        self._faults[self.about or row.file, kind, fault, hint].append(f"{row.at}: {example}" if row.at else example)

    def _findings(self) -> Iterator[Finding]:
        """One finding for each kind of fault in each file, with its count and two examples."""
        for (file, kind, fault, hint), examples in self._faults.items():
            yield finding_of(file, kind, fault, examples, hint)


def file_of(files: Files, row: Row) -> Found:
    """The image that a row names."""
    return files.find(row.image, _folder(row.file), row.split)


_SINGULAR = {"are": "is", "have": "has", "name": "names", "repeat": "repeats", "say": "says"}


def finding_of(file: str, kind: str, fault: str, examples: Sequence[str], hint: str, *, what: str = "row") -> Finding:
    """The finding about rows of a file that have one fault: their count and two examples."""
    shown = "; ".join(printable(tidy(each, 200)) for each in examples[:2] if each)
    if len(examples) == 1:
        verb, _, rest = fault.partition(" ")
        fault = f"{_SINGULAR.get(verb, verb)} {rest}"
    count = f"{counted(len(examples), what)} {fault}" if shown else fault
    return Finding(path=file, kind=kind, detail=f"{count}: {shown}" if shown else count, hint=hint)


def label_fault(labels: Sequence[str]) -> str:
    """What is wrong with the labels of a row; empty if they can be used."""
    if not labels or not all(labels):
        return "its label is empty"
    if len(labels) > MOST_LABELS:
        return f"it has {len(labels):,} labels"
    if any(len(label) > MAX_LABEL or printable(label) != label for label in labels):
        return "its label is too long or cannot be shown"
    return ""


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
