"""Reads VisA's `image_anno.csv`: columns `image,label,mask`, one row for each image.

If the file cannot be read, no image gets a label; if a row cannot be used, its image gets none. A finding says so, and
no label is guessed.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from acbench._util.text import printable
from acbench.records import Finding
from acbench.storage.files import FileRefused, FileTree

FILE = "image_anno.csv"
COLUMNS = ("image", "label", "mask")
NORMAL = "normal"
MAX_BYTES = 16 * 2**20
"""The size of the largest file that is read; the largest original has less than 100 kB."""
MAX_LABEL = 1000
"""Characters of the longest label string that is taken; the longest original has 128."""

_FAULTS = {
    "bad_path": (
        "have a path that is not one of an image below this category",
        "take the file from the original archive",
    ),
    "bad_label": (
        "have a label that is empty, too long or cannot be shown",
        "take the file from the original archive",
    ),
    "unknown_image": (
        "name an image that is not there",
        "copy the missing images, or see this as a part of the dataset",
    ),
    "repeated_row": (
        "repeat the image of another row; it has a label only if they agree",
        "one row an image is enough",
    ),
    "contradiction": (
        "say normal of an image in Anomaly, or the reverse: it gets no label",
        "find out which is right",
    ),
    "other_mask": (
        "name another mask than the one at the image's own path",
        "compare with the original archive",
    ),
    "other_category": (
        "were written for a folder of another name",
        "give the category's folder its original name",
    ),
}
"""Kind of a faulty row → what such rows do, and what to do about it."""


@dataclass
class Rows:
    """What the rows of a file say."""

    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Path of an image → its labels; empty if its row cannot be used."""
    faults: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Kind of a fault → the lines that have it."""

    def note(self, kind: str, line: int, text: str) -> None:
        """Keep a faulty line for a finding."""
        self.faults[kind].append(f"line {line}: {printable(text[:200])}")


class _Row(NamedTuple):
    line: int
    image: str
    label: str
    mask: str


def read_labels(
    tree: FileTree, category: str, anomalous: Mapping[str, bool], home: str
) -> Generator[Finding, None, dict[str, tuple[str, ...]]]:
    """Path of each image of `anomalous` that has a row → its labels. `home` says where to get the original file."""
    path = f"{category}/{FILE}"
    try:
        rows = parse(tree.read(path, MAX_BYTES), category, anomalous)
    except FileRefused as why:
        kind = "missing_labels" if why.kind == "missing" else "unreadable_labels"
        detail = f"{why.message}: the category's images have no labels"
        yield Finding(path=path, kind=kind, detail=detail, hint=home, failed=kind == "unreadable_labels")
        return {}
    for kind, (fault, hint) in _FAULTS.items():
        if lines := rows.faults[kind]:
            count = "1 row" if len(lines) == 1 else f"{len(lines):,} rows"
            yield Finding(path=path, kind=kind, detail=f"{count} {fault}; {lines[0]}", hint=hint)
    for image, is_anomalous in sorted(anomalous.items()):
        if is_anomalous and image not in rows.labels:
            yield Finding(path=image, kind="missing_label", detail=f"{path} has no row for it", hint=home)
    return rows.labels


def parse(data: bytes, category: str, anomalous: Mapping[str, bool]) -> Rows:
    """Every row of the file about an image of `anomalous`. Raises `FileRefused` if it is not such a file."""
    rows = Rows()
    clashing: set[str] = set()
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}  # of labels that many images have, one copy
    for row in _rows(data):
        path = _path(row, category, rows)
        if path is None:
            continue
        if path not in anomalous:
            rows.note("unknown_image", row.line, row.image)
            continue
        labels = tuple(filter(None, map(str.strip, row.label.split(","))))
        if path in rows.labels:
            rows.note("repeated_row", row.line, row.image)
            if rows.labels[path] != labels:
                clashing.add(path)
            continue
        fault = _label_fault(row.label, labels, anomalous[path])
        if fault:
            rows.note(fault, row.line, f"{row.image}: {row.label}")
        rows.labels[path] = () if fault else shared.setdefault(labels, labels)
        if anomalous[path] and row.mask and not _is_mask_of(row.mask, path):
            rows.note("other_mask", row.line, row.mask)
    rows.labels.update(dict.fromkeys(clashing, ()))
    return rows


def _rows(data: bytes) -> Iterator[_Row]:
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefused("unreadable_labels", f"it is not UTF-8 text: byte {error.start}") from None
    if b"\0" in data:
        raise FileRefused("unreadable_labels", "it is not text: it holds NUL bytes")
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise FileRefused(
                "unreadable_labels",
                f"it has no column {', '.join(missing)}; its first line is not image,label,mask",
            )
        image, label, mask = map(header.index, COLUMNS)
        for cells in reader:
            if cells:
                cells += [""] * (len(header) - len(cells))
                yield _Row(reader.line_num, cells[image].strip(), cells[label].strip(), cells[mask].strip())
    except csv.Error as error:
        raise FileRefused("unreadable_labels", f"it is not a table: {error}, line {reader.line_num}") from None


def _path(row: _Row, category: str, rows: Rows) -> str | None:
    """The path of the row's image below the root, where the category's folder may have another name than in the row.

    None, and a fault, if there can be no such image.
    """
    first, _, rest = row.image.partition("/")
    if not first or "\\" in row.image or ":" in first or not {"", ".", ".."}.isdisjoint([first, *rest.split("/")]):
        rows.note("bad_path", row.line, row.image or "no path")
        return None
    if first != category:
        rows.note("other_category", row.line, row.image)
    return f"{category}/{rest}"


def _label_fault(text: str, labels: tuple[str, ...], is_anomalous: bool) -> str:
    """The kind of fault that a label string has; empty if it can be used."""
    if not labels or len(text) > MAX_LABEL or printable(text) != text:
        return "bad_label"
    return "contradiction" if (labels != (NORMAL,)) != is_anomalous else ""


def _is_mask_of(mask: str, image: str) -> bool:
    """Whether a mask has the image's own path in the folder of masks, whatever the category's folder is called."""
    expected = image.replace("/Images/", "/Masks/", 1).rpartition(".")[0]
    return mask.partition("/")[2].rpartition(".")[0] == expected.partition("/")[2]
