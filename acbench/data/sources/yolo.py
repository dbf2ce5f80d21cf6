"""Reads YOLO's annotations: a text file of boxes or polygons for each image, in `labels` beside `images`, or beside it.

Names of classes are in `data.yaml` or `classes.txt`. An image without a label file, or with an empty one, is normal, as
it is for YOLO. Polygons are drawn as masks into a copy of the folder that the workspace holds (`acbench.data.linked`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from acbench._util.plural import counted
from acbench.data.segments import Drawing, mask_path
from acbench.data.sources import _class_names
from acbench.data.sources._annotated import (
    COMMON,
    Annotated,
    Contents,
    Unclear,
    common,
    text_option,
)
from acbench.data.sources._arrange import folded
from acbench.data.sources._columns import as_shape
from acbench.data.sources._files import Files, list_files
from acbench.data.sources._layout_options import normal_names, splits_of
from acbench.data.sources._rows import (
    Row,
    Shape,
    Splits,
    finding_of,
)
from acbench.errors import SourceError
from acbench.records import Finding, Reading
from acbench.storage.files import FileRefused, FileTree

MAX_BYTES = 4 * 2**20
"""The largest file of labels or settings that is read."""
MAX_LINES = 10_000
HOME = "give a folder with images/… and labels/…, a text file for each image, and data.yaml or classes.txt"
OPTIONS: Mapping[str, str] = {
    "data": "the YAML file of splits and names of classes, from the dataset's folder on",
    "names": "the file of the names of classes, one a line",
    **COMMON,
}


@dataclass
class Labels:
    """What the label files say."""

    rows: list[Row] = field(default_factory=list)
    drawings: dict[str, Drawing] = field(default_factory=dict)
    """Path → mask that polygons make."""
    used: set[str] = field(default_factory=set)
    """Paths of label files that belong to an image."""
    numbers: set[int] = field(default_factory=set)
    """Classes that are there."""
    faults: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of classes, and where they come from."""

    names: Mapping[int, str]
    file: str = ""

    def of(self, number: int) -> str:
        return self.names.get(number, str(number))


def parse(text: str) -> tuple[list[tuple[int, Shape, list[float]]], list[str]]:
    """The places of one label file: class, box, polygon (x, y, x, y, …; empty for a box); and what is wrong with lines.

    All are shares of the image's width and height.
    """
    places: list[tuple[int, Shape, list[float]]] = []
    faults: list[str] = []
    lines = text.splitlines()
    for number, line in enumerate(lines[:MAX_LINES], start=1):
        if not line.strip():
            continue
        try:
            first, *rest = line.split()
            class_id, numbers = int(float(first)), [float(each) for each in rest]
            if class_id < 0 or class_id != float(first) or not all(map(math.isfinite, numbers)):
                raise ValueError("no class")
            if max(map(abs, numbers[:4]), default=9) > 2:
                faults.append(f"line {number} is in pixels, not in shares of the image")
            elif len(numbers) in (4, 5):
                places.append((class_id, as_shape(numbers[:4], "cxcywh"), []))
            elif len(numbers) >= 6 and len(numbers) % 2 == 0:
                across, down = numbers[::2], numbers[1::2]
                places.append((class_id, (min(across), min(down), max(across), max(down)), numbers))
            else:
                faults.append(f"line {number} has {len(numbers)} numbers after the class")
        except ValueError:
            faults.append(f"line {number} is no box: {line.strip()[:60]!r}")
    if len(lines) > MAX_LINES:
        faults.append(f"it has more than {MAX_LINES:,} lines")
    return places, faults


def read(tree: FileTree, reading: Reading) -> Contents:
    """What the label files of a folder say. Raises SourceError if there are none."""
    files, names, splits, labels = _everything(tree, reading)
    normal = normal_names(reading)
    if not labels.used:
        told = f", {len(names.names):,} classes" if names.names else ""
        raise SourceError(f"YOLO: 0 of {len(files.images):,} images have a label file{told}", HOME)
    if not labels.numbers:
        raise SourceError("YOLO: 0 boxes, 0 classes: all label files are empty or unreadable", HOME)
    classes = {name for number in labels.numbers if folded(name := names.of(number)) not in normal}
    there = {mask for mask in labels.drawings if mask in files.images}
    shapes = "polygons" if labels.drawings else "boxes"
    file = names.file or next(iter(sorted(labels.used)))
    return Contents(
        rows=labels.rows,
        joined=common(
            files,
            reading,
            "no label file",
            used={*labels.used, *splits.used, names.file},
            beside={path for path in files.images if _is_drawn(path)},
            about=names.file or ".",
        ),
        says=f"YOLO: {counted(len(labels.rows), 'image')}, {counted(len(classes), 'class', 'classes')}, {shapes}"
        + (f"; classes named by {names.file}" if names.file else ""),
        findings=list(_findings(files, labels, names, file, there)),
        certainty=0.9 if names.file else 0.82,
    )


class _Yolo(Annotated):
    def masks(self, tree: FileTree) -> Mapping[str, Drawing]:
        """Masks that polygons make: see `Source.masks`."""
        *_, labels = _everything(tree, self.reading)
        return labels.drawings


def _everything(tree: FileTree, reading: Reading) -> tuple[Files, _Names, _Splits, Labels]:
    files = list_files(tree)
    settings, file = _settings(tree, files, reading)
    names = _class_names_of(tree, files, settings, file, reading)
    splits = _Splits(tree, files, settings, file, splits_of(reading))
    return files, names, splits, _labels(tree, files, names, normal_names(reading), splits)


# Label files


def _labels(tree: FileTree, files: Files, names: _Names, normal: frozenset[str], splits: _Splits) -> Labels:
    done = Labels()
    others = set(files.others)
    for path in files.images:
        if _is_drawn(path):
            continue
        file = next((each for each in _label_files(path) if each in others), "")
        places: Sequence[tuple[int, Shape, list[float]]] = ()
        faults: list[str] = []
        if file:
            done.used.add(file)
            text, why = _text(tree, file)
            places, faults = parse(text) if not why else ([], [why])
            for fault in faults:
                done.faults["bad_labels", "of label files that cannot be used"].append(f"{file}: {fault}")
        else:
            done.faults["no_label_file", "without a label file: normal, as for YOLO"].append(path)
        done.numbers.update(number for number, _, _ in places)
        labels = tuple(dict.fromkeys(names.of(number) for number, _, _ in places))
        defects = [each for each in places if folded(names.of(each[0])) not in normal]
        if any(polygon for _, _, polygon in defects):
            shapes = [[polygon] if polygon else box for _, box, polygon in defects]
            done.drawings[mask_path(path)] = Drawing(shapes, path, relative=True)
        mask = mask_path(path) if mask_path(path) in files.images else ""
        done.rows.append(
            Row(
                image=path,
                at="",
                file=file or path,
                labels=tuple(label for label in labels if folded(label) not in normal) or labels,
                split=splits.of(path),
                mask=mask if defects else "",
                boxes=tuple(box for _, box, _ in defects),
                box_unit="image",
                faults=("its label file cannot be used in full",) if faults and not places else (),
            )
        )
    return done


def _label_files(image: str) -> Iterator[str]:
    """Where the label file of an image may be: in `labels` in place of the last `images`, or beside it."""
    folder, _, name = image.rpartition("/")
    stem = name.rpartition(".")[0]
    parts = folder.split("/") if folder else []
    for index in reversed(range(len(parts))):
        if parts[index].lower() == "images":
            yield "/".join([*parts[:index], "labels", *parts[index + 1 :], f"{stem}.txt"])
            break
    yield "/".join([*parts, f"{stem}.txt"])
    yield "/".join([*parts, "labels", f"{stem}.txt"])


def _is_drawn(path: str) -> bool:
    return path.startswith(mask_path("").removesuffix(".png"))


def _findings(files: Files, labels: Labels, names: _Names, file: str, there: set[str]) -> Iterator[Finding]:
    for (kind, fault), examples in labels.faults.items():
        hint = "mend them" if kind == "bad_labels" else "give an image with defects a label file"
        yield finding_of(file, kind, fault, examples, hint, what="line" if kind == "bad_labels" else "image")
    if unnamed := sorted(number for number in labels.numbers if number not in names.names):
        detail = f"no name is given for class {', '.join(map(str, unnamed[:10]))}: the number is taken for the name"
        hint = "write data.yaml with `names`, or classes.txt with one name a line"
        yield Finding(path=file, kind="unnamed_classes", detail=detail, hint=hint)
    lost = [path for path in files.others if path.endswith(".txt") and "labels" in path.split("/")[:-1]
            and path not in labels.used and path.rpartition("/")[2].lower() not in _class_names.USUAL]  # fmt: skip
    for path in lost:
        detail = "no image has its name: it is not used"
        yield Finding(path=path, kind="labels_without_image", detail=detail, hint="copy the missing images")
    if len(there) < len(labels.drawings):
        count = len(labels.drawings) - len(there)
        detail = f"polygons of {count:,} images are not drawn as masks: the boxes around them are read"
        yield Finding(path=file, kind="segments_not_drawn", detail=detail)


# Settings


def _settings(tree: FileTree, files: Files, reading: Reading) -> tuple[Mapping[str, Any], str]:
    """What the YAML file says, and its path; nothing if there is none. Raises SourceError for two."""
    told = text_option(reading, "data")
    read: list[tuple[Mapping[str, Any], str]] = []
    for path in [told] if told else [each for each in files.others if each.endswith((".yaml", ".yml"))][:100]:
        text, why = _text(tree, path)
        try:
            content = yaml.safe_load(text) if not why else None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            why = f"it is not YAML: {' '.join(str(error).split())[:200]}"
            content = None
        if isinstance(content, dict) and isinstance(content.get("names"), list | dict):
            read.append((content, path))
        elif told:
            raise SourceError(f"{path} has no `names` of classes{f': {why}' if why else ''}", "data=FILE.yaml")
    if len(read) > 1:
        several = " and ".join(path for _, path in read[:3])
        raise Unclear(f"several files name the classes: {several}", f"--reading data={read[0][1]}")
    return read[0] if read else ({}, "")


def _class_names_of(
    tree: FileTree, files: Files, settings: Mapping[str, Any], settings_file: str, reading: Reading
) -> _Names:
    if told := text_option(reading, "names"):
        return _Names(dict(enumerate(_class_names.read(tree, told))), told)
    names = settings.get("names")
    if isinstance(names, list):
        return _Names({number: str(name).strip() for number, name in enumerate(names)}, settings_file)
    if isinstance(names, dict):
        numbered = {int(key): str(name).strip() for key, name in names.items() if str(key).isdecimal()}
        return _Names(numbered, settings_file)
    folders = {"", *(path.rpartition("/")[0] for path in files.others if "labels" in path.split("/")[:-1])}
    found = [path for path in _class_names.find(files.others, sorted(folders)) if not path.endswith(".json")]
    texts = {_text(tree, path)[0] for path in found}
    if len(texts) > 1:
        both = " and ".join(found[:2])
        raise Unclear(f"two files name the classes: {both}", f"--reading names={found[0]}")
    return _Names(dict(enumerate(_class_names.read(tree, found[0]))), found[0]) if found else _Names({})


class _Splits:
    """The splits of images: by the YAML file, by lists of images, or by the names of folders."""

    def __init__(
        self, tree: FileTree, files: Files, settings: Mapping[str, Any], settings_file: str, splits: Splits
    ) -> None:
        self.used = {settings_file}
        self._splits = splits
        self._folders: dict[str, str] = {}
        self._listed: dict[str, str] = {}
        base = settings_file.rpartition("/")[0]
        for split in ("train", "val", "test"):
            told = settings.get(split)
            for place in told if isinstance(told, list) else [told]:
                if isinstance(place, str):
                    self._folders["/".join(p for p in f"{base}/{place}".split("/") if p not in ("", ".", ".."))] = split
        for path in files.others:
            split = path.rpartition("/")[2].removesuffix(".txt")
            if path.endswith(".txt") and path.count("/") <= 1 and folded(split) in splits.every:
                self.used.add(path)
                text, _ = _text(tree, path)
                for line in text.splitlines():
                    if line.strip() and (image := files.find(line.strip()).path):
                        self._listed[image] = split

    def of(self, path: str) -> str:
        """The split of an image; empty if nothing tells."""
        if path in self._listed:
            return self._listed[path]
        for folder, split in self._folders.items():
            if folder and path.startswith(f"{folder}/"):
                return split
        return self._splits.in_path(path)


def _text(tree: FileTree, path: str) -> tuple[str, str]:
    """The text of a file, and why it cannot be read. A file without bytes is an empty text."""
    try:
        return tree.read(path, MAX_BYTES).decode("utf-8-sig"), ""
    except FileRefused as why:
        return "", "" if why.kind == "empty_file" else why.message
    except UnicodeDecodeError:
        return "", "it is not UTF-8 text"


SOURCE = _Yolo(
    NAME="yolo",
    HOME=HOME,
    LAYOUT="images, a text file of boxes for each, and data.yaml or classes.txt",
    OPTIONS=OPTIONS,
    read=read,
)
