"""VisA's `image_anno.csv`: columns `image,label,mask`, one row an image.

A file that cannot be read as a whole gives no label at all; a row that cannot be taken gives none to its
image. Either way a finding says so, and no label is guessed.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field

from acbench._util.text import printable
from acbench.records import Finding
from acbench.storage.files import FileRefused, FileTree

FILE = "image_anno.csv"
COLUMNS = ("image", "label", "mask")
NORMAL = "normal"
MAX_BYTES = 16 * 2**20
"""The largest of the original ones is below 100 kB."""
MAX_LABEL = 1000
"""Characters of one label string; the longest real one has 128."""

_KINDS = {
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
        "copy the missing images, or see this as a part of the data set",
    ),
    "repeated_row": (
        "repeat the image of another row; it has a label only if they agree",
        "keep one row an image",
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


@dataclass
class _Rows:
    """What the rows say: labels, and per kind of trouble the lines in which it is."""

    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    trouble: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def note(self, kind: str, line: int, what: str) -> None:
        self.trouble[kind].append(f"line {line}: {printable(what[:200])}")


def read_labels(
    tree: FileTree, category: str, anomalous: Mapping[str, bool], home: str
) -> Generator[Finding, None, dict[str, tuple[str, ...]]]:
    """Path of an image → its labels, for images of `anomalous` that have a row; none if the row cannot be
    taken.

    `home` says where an original is to be had.
    """
    path = f"{category}/{FILE}"
    try:
        rows = parse(tree.read(path, MAX_BYTES), category, anomalous)
    except FileRefused as why:
        kind = "missing_labels" if why.kind == "missing" else "unreadable_labels"
        detail = f"{why.message}: the category's images have no labels"
        yield Finding(path=path, kind=kind, detail=detail, hint=home, failed=kind == "unreadable_labels")
        return {}
    for kind, (what, hint) in _KINDS.items():
        if lines := rows.trouble[kind]:
            yield Finding(path=path, kind=kind, detail=f"{_rows(len(lines))} {what}; {lines[0]}", hint=hint)
    for image, is_anomalous in sorted(anomalous.items()):
        if is_anomalous and image not in rows.labels:
            yield Finding(path=image, kind="missing_label", detail=f"{path} has no row for it", hint=home)
    return rows.labels


def parse(data: bytes, category: str, anomalous: Mapping[str, bool]) -> _Rows:
    """Every row of the file. Raises `FileRefused` if it is no such file."""
    rows = _Rows()
    clashing: set[str] = set()
    for line, image, label, mask in _lines(data):
        path = _path(image, category, rows, line)
        if path is None:
            continue
        if path not in anomalous:
            rows.note("unknown_image", line, image)
            continue
        labels = tuple(part for part in (part.strip() for part in label.split(",")) if part)
        if path in rows.labels:
            rows.note("repeated_row", line, image)
            if rows.labels[path] != labels:
                clashing.add(path)
            continue
        if not labels or len(label) > MAX_LABEL or printable(label) != label:
            rows.labels[path] = ()
            rows.note("bad_label", line, f"{image}: {label}")
        elif (labels != (NORMAL,)) != anomalous[path]:
            rows.labels[path] = ()
            rows.note("contradiction", line, f"{image}: {label}")
        else:
            rows.labels[path] = labels
        expected = path.replace("/Images/", "/Masks/", 1).rpartition(".")[0]
        if anomalous[path] and mask and mask.partition("/")[2].rpartition(".")[0] != expected.partition("/")[2]:
            rows.note("other_mask", line, mask)
    rows.labels.update(dict.fromkeys(clashing, ()))
    return rows


def _lines(data: bytes) -> Iterator[tuple[int, str, str, str]]:
    """Line number, image, label and mask of every row."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefused("unreadable_labels", f"it is not UTF-8 text: byte {error.start}") from None
    if "\0" in text:
        raise FileRefused("unreadable_labels", "it is not text: it holds NUL bytes")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise FileRefused(
                "unreadable_labels",
                f"it has no column {', '.join(missing)}; its first line is not image,label,mask",
            )
        image, label, mask = (header.index(name) for name in COLUMNS)
        for row in reader:
            if row:
                row += [""] * (len(header) - len(row))
                yield reader.line_num, row[image].strip(), row[label].strip(), row[mask].strip()
    except csv.Error as error:
        raise FileRefused("unreadable_labels", f"it is not a table: {error}, line {reader.line_num}") from None


def _path(image: str, category: str, rows: _Rows, line: int) -> str | None:
    """The row's path below the root, whatever its category's folder is called here."""
    first, _, rest = image.partition("/")
    parts = rest.split("/")
    if not first or "\\" in image or ":" in first or not {"", ".", ".."}.isdisjoint([first, *parts]):
        rows.note("bad_path", line, image or "no path")
        return None
    if first != category:
        rows.note("other_category", line, image)
    return f"{category}/{rest}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
