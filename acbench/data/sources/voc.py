"""Reads Pascal VOC's annotations: an XML file for each image, and lists of splits in `ImageSets/Main`.

An image whose file has no object is normal. A picture of its name in `SegmentationClass` or `SegmentationObject` is its
mask; else its boxes are read. VOC counts pixels from 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from acbench._util.plural import counted
from acbench.data.sources._annotated import (
    COMMON,
    Annotated,
    Contents,
    common,
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
from acbench.records import Reading
from acbench.storage.files import FileRefused, FileTree

MAX_BYTES = 4 * 2**20
"""The largest XML file, or list of a split, that is read."""
MOST = 10_000
"""Objects of one image that are read; of more, only the first."""
HOME = "give a folder with JPEGImages/… and Annotations/…, an XML file for each image"
OPTIONS: Mapping[str, str] = {**COMMON}
_MASKS = ("SegmentationClass", "SegmentationObject")


@dataclass
class Annotation:
    """What one XML file says."""

    filename: str
    labels: list[str] = field(default_factory=list)
    boxes: list[tuple[str, Shape]] = field(default_factory=list)
    """(label, box) of each object with a box."""
    faults: list[str] = field(default_factory=list)


def parse(data: bytes) -> Annotation | None:
    """What an XML file says; None if it is no annotation. Raises ValueError if it is no XML, or declares entities."""
    plain = data.replace(b"\0", b"")  # it may be UTF-16
    if b"<!ENTITY" in plain or b"<!DOCTYPE" in plain:
        raise ValueError("it declares entities or a document type, which is not read")
    try:
        top = ElementTree.fromstring(data)  # noqa: S314 (without entities, and of bounded size)
    except (ElementTree.ParseError, RecursionError, LookupError) as error:
        raise ValueError(f"it is not XML: {error}") from None
    if top.tag != "annotation":
        return None
    done = Annotation(_text(top.find("filename")))
    things = top.findall("object")
    if len(things) > MOST:
        done.faults.append(f"it has {len(things):,} objects, of which the first {MOST:,} are read")
    for thing in things[:MOST]:
        label = _text(thing.find("name"))
        done.labels.append(label)
        box = thing.find("bndbox")
        if box is None:
            continue
        try:
            left, top_edge, right, bottom = (float(_text(box.find(edge))) for edge in ("xmin", "ymin", "xmax", "ymax"))
            done.boxes.append((label, as_shape((left - 1, top_edge - 1, right, bottom), "xyxy")))
        except ValueError:
            done.faults.append(f"the box of {label or 'an object'} is none")
    return done


def read(tree: FileTree, reading: Reading) -> Contents:
    """What the XML files of a folder say. Raises SourceError if there are none, or if they name no image."""
    files = list_files(tree)
    normal, names = normal_names(reading), splits_of(reading)
    faults: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    splits, lists = _splits(tree, files, names)
    rows: list[Row] = []
    paths = [path for path in files.others if path.lower().endswith(".xml")]
    for path in paths:
        try:
            annotation = parse(tree.read(path, MAX_BYTES))
        except (FileRefused, ValueError) as why:
            faults["unreadable_labels", "cannot be read"].append(f"{path}: {why}")
            continue
        if annotation is None:
            faults["stray_file", "no annotation of an image"].append(path)
            continue
        row, bad = _row(files, path, annotation, normal, splits, names)
        rows.append(row)
        for fault in bad:
            faults["bad_box", "with boxes that are not used"].append(f"{path}: {fault}")
    there = sum(bool(file_of(files, row).path) for row in rows)
    if not there:
        raise SourceError(f"Pascal VOC: {len(rows):,} annotations of {len(paths):,} XML files, 0 images of them", HOME)
    classes = {label for row in rows for label in row.labels if folded(label) not in normal}
    if not classes:
        raise SourceError(f"Pascal VOC: {there:,} images, 0 classes: no XML file has an object", HOME)
    masks = {path for path in files.images if path.split("/")[-2:-1] and path.split("/")[-2] in _MASKS}
    folder = paths[0].rpartition("/")[0] or "."
    marks = "masks" if any(row.mask for row in rows) else "boxes"
    return Contents(
        rows=rows,
        joined=common(files, reading, "no XML file", used={*paths, *lists}, beside=masks, about=folder),
        says=f"Pascal VOC: {len(rows):,} XML files in {folder}, {counted(len(classes), 'class', 'classes')}, {marks}",
        findings=[
            finding_of(folder, kind, fault, examples, "mend them", what="XML file")
            for (kind, fault), examples in faults.items()
        ],
        certainty=0.9,
    )


def _row(
    files: Files, path: str, annotation: Annotation, normal: frozenset[str], splits: Mapping[str, str], names: Splits
) -> tuple[Row, list[str]]:
    """The row of one XML file, and what is wrong with its boxes."""
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0]
    named = annotation.filename
    image = next((each for each in (named, stem) if each and files.find(each, folder).path), named or stem)
    labels = list(dict.fromkeys(annotation.labels))
    defects = tuple(label for label in labels if folded(label) not in normal)
    fault = label_fault(labels) if labels else ""
    mask = next((each for each in _mask_paths(files, stem)), "")
    row = Row(
        image=image,
        at="" if path == image else name,
        file=path,
        labels=defects or tuple(labels),
        split=splits.get(stem) or names.in_path(files.find(image, folder).path),
        mask=mask if defects else "",
        boxes=tuple(box for label, box in annotation.boxes if folded(label) not in normal),
        faults=(fault,) if fault else (),
    )
    return row, annotation.faults


def _mask_paths(files: Files, stem: str) -> list[str]:
    return [path for folder in _MASKS if (path := files.find(f"{folder}/{stem}").path) and f"{folder}/" in path]


def _splits(tree: FileTree, files: Files, names: Splits) -> tuple[dict[str, str], list[str]]:
    """Name of an image without extension → split, by the lists in `ImageSets/Main`; and the paths of these."""
    splits: dict[str, str] = {}
    read: list[str] = []
    for path in files.others:
        folder, _, name = path.rpartition("/")
        split = name.removesuffix(".txt")
        if folder.endswith("ImageSets/Main") and name.endswith(".txt") and folded(split) in names.every:
            try:
                text = tree.read(path, MAX_BYTES).decode("utf-8-sig")
            except (FileRefused, UnicodeDecodeError):
                continue
            read.append(path)
            splits.update({line.split()[0]: split for line in text.splitlines() if line.strip()})
    return splits, read


def _text(element: ElementTree.Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


SOURCE = Annotated(
    NAME="voc",
    HOME=HOME,
    LAYOUT="images, and an XML file for each",
    OPTIONS=OPTIONS,
    read=read,
)
