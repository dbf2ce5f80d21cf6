"""Reads COCO's annotations: a JSON file of `images`, `annotations` and `categories`, beside the images of any folder.

The categories of COCO are classes here. An image without an annotation is normal, and one with several has the set of
their classes. Boxes are read as boxes. Segmentations are drawn as masks, into a copy of the folder that the workspace
holds (`acbench.data.linked`); where none was made, as of a URL, their boxes are read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from acbench._util.plural import counted
from acbench._util.text import tidy
from acbench.data.segments import Drawing, mask_path
from acbench.data.sources._annotated import (
    COMMON,
    Annotated,
    Contents,
    common,
    list_option,
    shortlist,
)
from acbench.data.sources._arrange import folded
from acbench.data.sources._columns import as_shape
from acbench.data.sources._files import Files, list_files
from acbench.data.sources._layout_options import normal_names, splits_of
from acbench.data.sources._rows import (
    Row,
    Shape,
    Splits,
    file_of,
    finding_of,
    label_fault,
)
from acbench.errors import SourceError
from acbench.records import Finding, Reading
from acbench.storage.files import FileRefused, FileTree

MAX_BYTES = 512 * 2**20
"""A larger file is not read. The annotations of COCO's own 118,000 training images have 448 MB."""
HOME = "give a folder with the images and a JSON file of COCO's annotations"
OPTIONS: Mapping[str, str] = {
    "annotations": "the JSON file, from the dataset's folder on; several for several",
    **COMMON,
}


@dataclass
class Annotations:
    """One file of annotations."""

    file: str
    rows: list[Row] = field(default_factory=list)
    drawings: dict[str, Drawing] = field(default_factory=dict)
    """Name of an image → the mask that its segmentations make, of which one at least is no box."""
    classes: tuple[str, ...] = ()
    faults: defaultdict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def findings(self) -> Iterator[Finding]:
        """One finding for each kind of fault."""
        for (kind, fault, hint), examples in self.faults.items():
            yield finding_of(self.file, kind, fault, examples, hint, what="annotation")


def parse(data: bytes, file: str, normal: frozenset[str], splits: Splits) -> Annotations:
    """What a file of annotations says. Raises SourceError if it is none."""
    try:
        top = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise SourceError(f"{file} is not JSON: {error}", "write it again") from None
    if not isinstance(top, dict) or not all(isinstance(top.get(key), list) for key in ("images", "annotations")):
        raise SourceError(f"{file} has no lists of images and annotations", "give the annotations of COCO's form")
    done = Annotations(file)
    reader = _ImageReader(done, _classes(top.get("categories"), done), normal, _split_of(file, splits))
    of_image: defaultdict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for number, annotation in enumerate(top["annotations"]):
        if isinstance(annotation, dict) and isinstance(annotation.get("image_id"), int | str):
            of_image[annotation["image_id"]].append(annotation)
        else:
            done.faults["bad_annotation", "name no image", "mend them"].append(f"annotations[{number}]")
    seen: Counter[Any] = Counter()
    for number, image in enumerate(top["images"]):
        name = image.get("file_name") if isinstance(image, dict) else None
        if not isinstance(name, str) or not name or not isinstance(image.get("id"), int | str):
            done.faults["bad_image", "are images without a name or an id", "mend them"].append(f"images[{number}]")
            continue
        seen[image["id"]] += 1
        if seen[image["id"]] > 1:
            done.faults["repeated_id", "are images with the id of another one", "give each its own"].append(name)
            continue
        done.rows.append(reader.row(image, of_image.pop(image["id"], []), f"images[{number}]"))
    lost = [f"image_id {tidy(str(image_id), 50)}" for image_id, annotations in of_image.items() for _ in annotations]
    if lost:
        fault = ("lost_annotation", "name an image that the file does not list", "add the image to `images`")
        done.faults[fault] += lost
    labels = dict.fromkeys(label for row in done.rows for label in row.labels)
    done.classes = tuple(label for label in labels if folded(label) not in normal)
    return done


def _classes(categories: Any, done: Annotations) -> dict[Any, str]:
    """Id of a class → its name; the id itself where the file names none."""
    names: dict[Any, str] = {}
    for each in categories if isinstance(categories, list) else []:
        if isinstance(each, dict) and isinstance(each.get("id"), int | str) and isinstance(each.get("name"), str):
            names[each["id"]] = each["name"].strip()
    if len(set(names.values())) < len(names):
        twice = next(name for name, count in Counter(names.values()).items() if count > 1)
        done.faults["repeated_class", "have a class whose name two categories have", ""].append(twice)
    return names


@dataclass(frozen=True, slots=True)
class _ImageReader:
    """Makes the row of one image after the other."""

    done: Annotations
    names: Mapping[Any, str]
    """Id of a class → its name."""
    normal: frozenset[str]
    split: str

    def row(self, image: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], at: str) -> Row:
        """What the annotations of an image say of it."""
        name = image["file_name"]
        labels: list[str] = []
        boxes: list[Shape] = []
        shapes: list[Any] = []
        for each in annotations:
            label = self._label(each, name)
            labels.append(label)
            if folded(label) in self.normal:
                continue
            box = self._box(each, name)
            boxes += [box] if box else []
            shapes += [each["segmentation"]] if each.get("segmentation") else [box] if box else []
        width, height = (value if isinstance(value := image.get(key), int) else 0 for key in ("width", "height"))
        if any(not isinstance(shape, tuple) for shape in shapes):
            self.done.drawings[name] = Drawing(shapes, "", (width, height))
        labels = list(dict.fromkeys(labels))
        defects = tuple(label for label in labels if folded(label) not in self.normal)
        fault = label_fault(labels) if annotations else ""
        return Row(
            image=name,
            at=at,
            file=self.done.file,
            labels=defects or tuple(labels),
            split=self.split,
            boxes=tuple(boxes),
            faults=(fault,) if fault else (),
        )

    def _label(self, annotation: Mapping[str, Any], name: str) -> str:
        class_id = annotation.get("category_id")
        if isinstance(class_id, int | str) and self.names.get(class_id):
            return self.names[class_id]
        fault = ("unnamed_classes", "are of a class that `categories` does not name", "name it there")
        self.done.faults[fault].append(name)
        return tidy(str(class_id), 50)

    def _box(self, annotation: Mapping[str, Any], name: str) -> Shape | None:
        box = annotation.get("bbox")
        if box in (None, []):
            return None
        try:
            return as_shape(box, "xywh")
        except (ValueError, TypeError):
            fault = ("bad_box", "have a box that is none: it is not used", "mend them")
            self.done.faults[fault].append(f"{name}: {tidy(str(box), 50)}")
            return None


def annotations_of(tree: FileTree, files: Files, reading: Reading) -> list[Annotations]:
    """The annotations of a folder. Raises SourceError if there are none, or if an image is in two files."""
    told = list_option(reading, "annotations")
    normal, splits = normal_names(reading), splits_of(reading)
    read: list[Annotations] = []
    why_not: SourceError | None = None
    for path in told or [each for each in files.others if each.lower().endswith(".json") and each.count("/") <= 2]:
        try:
            read.append(parse(tree.read(path, MAX_BYTES), path, normal, splits))
        except (FileRefused, SourceError) as why:
            why_not = why if isinstance(why, SourceError) else SourceError(f"{path}: {why.message}", why.hint)
            if told:
                raise why_not from None
    if not read:
        raise why_not or SourceError("there is no JSON file of COCO's annotations", HOME)
    return read


def read(tree: FileTree, reading: Reading) -> Contents:
    """What the annotations of a folder say. Raises SourceError if there are none."""
    files = list_files(tree)
    parts = annotations_of(tree, files, reading)
    rows = [row for part in parts for row in part.rows]
    if not any(file_of(files, row).path for row in rows):
        raise SourceError(f"COCO: 0 of {len(rows):,} images are there", "give the folder that holds the images: --root")
    classes = sorted({name for part in parts for name in part.classes})
    if not classes:
        raise SourceError(f"COCO: {parts[0].file} has no annotation of a class", "give the file with the annotations")
    findings = [finding for part in parts for finding in part.findings()]
    wanted = _drawings(files, parts)
    there = {mask for mask in wanted if mask in files.images}
    if len(there) < len(wanted):
        count = len(wanted) - len(there)
        detail = f"segmentations of {count:,} images are not drawn as masks: their boxes are read"
        findings.append(Finding(path=parts[0].file, kind="segments_not_drawn", detail=detail))
    mask_of = {wanted[mask].image: mask for mask in there}
    rows = [replace(row, mask=mask_of.get(file_of(files, row).path, "")) for row in rows]
    marks = "segmentations" if wanted else "boxes" if any(row.boxes for row in rows) else "labels"
    return Contents(
        rows=rows,
        joined=common(
            files, reading, shortlist([part.file for part in parts]), used={part.file for part in parts}, beside=there
        ),
        says=f"COCO: {shortlist([part.file for part in parts])}, {counted(len(rows), 'image')},"
        f" {counted(len(classes), 'class', 'classes')}, {marks}",
        findings=findings,
        certainty=0.9,
    )


def _drawings(files: Files, parts: Sequence[Annotations]) -> dict[str, Drawing]:
    drawings: dict[str, Drawing] = {}
    for part in parts:
        for row in part.rows:
            if row.image in part.drawings and (path := file_of(files, row).path):
                drawings[mask_path(path)] = replace(part.drawings[row.image], image=path)
    return drawings


def _split_of(file: str, splits: Splits) -> str:
    """The split that the name of a file or of its folder tells, as `instances_train2017.json` and `train/…` do."""
    folder, _, name = file.rpartition("/")
    for part in (name.rpartition(".")[0], folder.rpartition("/")[2]):
        for word in part.replace("-", "_").split("_"):
            if folded(word.rstrip("0123456789")) in splits.every:
                return word.rstrip("0123456789").lower()
    return ""


class _Coco(Annotated):
    def masks(self, tree: FileTree) -> Mapping[str, Drawing]:
        """Masks that the annotations describe: see `Source.masks`."""
        files = list_files(tree)
        return _drawings(files, annotations_of(tree, files, self.reading))


SOURCE = _Coco(
    NAME="coco",
    HOME=HOME,
    LAYOUT="images, and a JSON file with images, annotations and categories",
    OPTIONS=OPTIONS,
    read=read,
)
