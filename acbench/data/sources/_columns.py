"""Chooses the columns of a table that a stranger wrote, and makes rows of it.

A column is known by its name, in any spelling. Two that would do are refused with the names of both: nothing is
guessed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from acbench.data.sources._annotated import TwoWays, Unclear, text_option
from acbench.data.sources._rows import Row, Shape, label_fault
from acbench.errors import SourceError
from acbench.records import Reading
from acbench.schema.class_names import fold
from acbench.storage.foreign_tables import ForeignTable

KEYS: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "img", "imagepath", "imagefile", "imagefilename", "imagename", "imgpath", "imgname", "file",
              "filename", "filepath", "path"),
    "label": ("label", "labels", "labelname", "class", "classes", "classname", "classlabel", "defect", "defects",
              "defecttype", "defectclass", "anomalytype", "anomalyclass", "target"),
    "split": ("split", "subset", "set", "partition", "phase"),
    "mask": ("mask", "maskpath", "maskfile", "maskfilename", "maskname", "groundtruth", "gt", "gtpath"),
    "box": ("box", "boxes", "bbox", "bboxes", "boundingbox", "boundingboxes"),
    "category": ("category", "object", "objectname", "product", "productname"),
}  # fmt: skip
"""What is read → the names, folded, that a column of it has."""
LOOKED_AT = 200
"""Rows that are looked at to see what a column holds."""
ENOUGH = 0.5
"""At least this share of a table's rows has to name images that are there, or the table is of something else."""
FORMS = {
    "xyxy": "left, top, right, bottom",
    "xywh": "left, top, width, height",
    "cxcywh": "centre, width, height, as YOLO writes them",
}
"""How a box is written."""
_EDGES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "xyxy": (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"), ("x0", "y0", "x1", "y1"),
             ("left", "top", "right", "bottom")),
    "xywh": (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("bboxx", "bboxy", "bboxw", "bboxh")),
}  # fmt: skip
"""Form → names, folded, of the four columns that can hold a box."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table are read."""

    of: Mapping[str, str]
    """Key of KEYS → column."""
    edges: tuple[str, ...] = ()
    """Four columns of a box, or none."""
    objects: str = ""
    """A column of objects, as `datasets` has them: `{"bbox": …, "category": …}`."""
    form: str = "xyxy"

    @property
    def boxed(self) -> bool:
        """Whether the table holds boxes."""
        return bool(self.edges or self.objects or "box" in self.of)

    def describe(self, table: ForeignTable, file: str) -> str:
        """What is read from which column, and which columns are not used; empty if the names tell it all."""
        read = [f"{key} from `{column}`" for key, column in self.of.items() if key != fold(column)]
        if self.objects:
            read.append(f"labels and boxes from `{self.objects}`")
        if self.edges:
            read.append(f"boxes from {', '.join(f'`{column}`' for column in self.edges)}")
        if self.boxed:
            read.append(f"a box as {FORMS[self.form]}")
        taken = {*self.of.values(), *self.edges, self.objects}
        left = [f"`{column}`" for column in table.columns if column not in taken]
        parts = [f"it reads {', '.join(read)}"] if read else []
        parts += [f"not used: {', '.join(left[:10])}{' …' if len(left) > 10 else ''}"] if left else []
        return "; ".join(parts)


def choose(table: ForeignTable, file: str, reading: Reading, finds: Callable[[str], bool]) -> Columns:
    """The columns to read. Raises SourceError if there are none, or two that would do.

    A column of paths without a name that tells is known by what it holds: `finds(text)` says whether that is an image.
    """
    by_fold: dict[str, list[str]] = {}
    for column in table.columns:
        by_fold.setdefault(fold(column), []).append(column)
    told = {key: text_option(reading, key) for key in KEYS if text_option(reading, key)}
    if "category" in told and not any(fold(told["category"]) == each for each in by_fold):
        del told["category"]  # it is the name of the category itself
        by_fold = {each: columns for each, columns in by_fold.items() if each not in KEYS["category"]}
    of: dict[str, str] = {}
    for key, names in KEYS.items():
        if key in told:
            of[key] = _named(told[key], table, file, key)
            continue
        found = [column for name in names for column in by_fold.get(name, ()) if column not in told.values()]
        if key == "image" and not found:
            found = _of_images(table, finds)
        if key == "label" and len(found) == 2:
            found = _names_beside_numbers(table, found)
        if len(found) > 1:
            both = " and ".join(f"`{column}`" for column in found)
            raise TwoWays(f"{file} has two columns that may hold the {key}: {both}",
                              f"--reading {key}={found[0]}   or   --reading {key}={found[1]}")  # fmt: skip
        if found:
            of[key] = found[0]
    edges, form = _edges(by_fold) if "box" not in of else ((), "")
    objects = next((column for column in by_fold.get("objects", ()) if _has_objects(table, column)), "")
    if "label" not in of and not objects and "category" in of and "category" not in told:
        of["label"] = of.pop("category")
    form = _form(reading, form or _usual_form(of.get("box", ""), objects))
    return Columns(of, edges, objects, form)


def missing(columns: Columns, table: ForeignTable, file: str) -> SourceError | None:
    """Why a table cannot be read; None if it can."""
    have = ", ".join(f"`{column}`" for column in table.columns[:20])
    for key, what in (("image", "paths of images"), ("label", "labels")):
        if key not in columns.of and not (key == "label" and columns.objects):
            kind = Unclear if key == "label" else SourceError
            return kind(f"{file} has no column of {what}: it has {have}", f"--reading {key}=COLUMN")
    return None


@dataclass
class RowMaker:
    """Makes rows of one table."""

    columns: Columns
    file: str
    reading: Reading
    split: str = ""
    """The split of rows without one: that of the file."""
    class_names: Sequence[str] = ()
    """Names of class numbers; empty if labels are no numbers."""
    separator: str = field(init=False)

    def __post_init__(self) -> None:
        self.separator = text_option(self.reading, "separator")

    def rows(self, table: ForeignTable) -> Iterator[Row]:
        """A row for each row of the table that names an image."""
        of = self.columns.of
        for number, values in table.rows:
            image = _text(values.get(of["image"]))
            faults: list[str] = [] if image else ["it names no image"]
            labels = self._labels(values)
            boxes: tuple[Shape, ...] = ()
            try:
                boxes = tuple(self._boxes(values))
            except (ValueError, TypeError, KeyError, OverflowError):
                faults.append("its box is not written as one")
            if fault := label_fault(labels):
                faults.append(fault)
            yield Row(
                image=image,
                at=f"row {number}" if self.file.endswith((".parquet", ".json")) else f"line {number}",
                file=self.file,
                labels=labels,
                split=_text(values.get(of["split"])) if "split" in of else self.split,
                category=_text(values.get(of["category"])) if "category" in of else "",
                mask=_text(values.get(of["mask"])) if "mask" in of else "",
                boxes=boxes,
                faults=tuple(faults),
            )

    def _labels(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        if self.columns.objects:
            inside = _of_objects(values, self.columns.objects, "category", "categories")
            labels = tuple(dict.fromkeys(map(_text, inside))) if isinstance(inside, list) else ()
            return self._named(labels or (("normal",) if "label" not in self.columns.of else self._cell(values)))
        return self._named(self._cell(values))

    def _cell(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        value = values.get(self.columns.of["label"])
        if isinstance(value, list | tuple):
            return tuple(dict.fromkeys(map(_text, value)))
        text = _text(value)
        parts = text.split(self.separator) if self.separator else [text]
        return tuple(dict.fromkeys(part.strip() for part in parts))

    def _named(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        known = self.class_names
        return tuple(
            known[int(label)] if known and label.isdecimal() and int(label) < len(known) else label for label in labels
        )

    def _boxes(self, values: Mapping[str, Any]) -> Iterator[Shape]:
        for numbers in self._numbers(values):
            yield as_shape(numbers, self.columns.form)

    def _numbers(self, values: Mapping[str, Any]) -> Iterable[Sequence[float]]:
        if self.columns.edges:
            cells = [values.get(column) for column in self.columns.edges]
            return [] if all(cell in ("", None) for cell in cells) else [[float(_text(cell)) for cell in cells]]
        if self.columns.objects:
            return _lists(_of_objects(values, self.columns.objects, "bbox", "boxes"))
        return _lists(values.get(self.columns.of["box"])) if "box" in self.columns.of else []


def as_shape(numbers: Sequence[float], form: str) -> Shape:
    """A box as left, top, right, bottom. Raises ValueError for what is no box."""
    first, second, third, fourth = map(float, numbers)
    shape = {
        "xyxy": (first, second, third, fourth),
        "xywh": (first, second, first + third, second + fourth),
        "cxcywh": (first - third / 2, second - fourth / 2, first + third / 2, second + fourth / 2),
    }[form]
    if not all(map(math.isfinite, shape)) or shape[2] <= shape[0] or shape[3] <= shape[1]:
        raise ValueError(f"{numbers} is no box")
    return shape


def are_numbers(values: Iterable[Any]) -> bool:
    """Whether all values that are there are whole numbers from 0 on, and some are there."""
    texts = [_text(value) for value in values if value not in ("", None)]
    return bool(texts) and all(text.isdecimal() and len(text) < 6 for text in texts)


def label_values(table: ForeignTable, columns: Columns) -> Iterator[Any]:
    """Every label of a table, as it is written."""
    for _, values in table.rows:
        if columns.objects:
            inside = _of_objects(values, columns.objects, "category", "categories")
            yield from inside if isinstance(inside, list) else ()
        else:
            value = values.get(columns.of["label"])
            yield from value if isinstance(value, list) else (value,)


def _named(name: str, table: ForeignTable, file: str, key: str) -> str:
    for column in table.columns:
        if name == column:
            return column
    alike = [column for column in table.columns if fold(column) == fold(name)]
    if len(alike) == 1:
        return alike[0]
    near = get_close_matches(name, table.columns, n=1)
    meant = f"did you mean {key}={near[0]}? " if near else ""
    raise SourceError(f"{file} has no column {name!r}", f"{meant}It has: {', '.join(table.columns[:20])}")


def _of_images(table: ForeignTable, finds: Callable[[str], bool]) -> list[str]:
    """The columns of which most values are images that are there."""
    rows = [values for _, values in table.rows[:LOOKED_AT]]
    texts = {column: [text for row in rows if (text := _text(row.get(column)))] for column in table.columns}
    return [
        column for column, values in texts.items() if values and sum(map(finds, values)) > ENOUGH * max(len(rows), 1)
    ]


def _names_beside_numbers(table: ForeignTable, found: list[str]) -> list[str]:
    """The column of names, of two columns of labels of which the other numbers these; else both."""
    numeric = [column for column in found if are_numbers(row.get(column) for _, row in table.rows)]
    if len(numeric) != 1:
        return found
    (names,) = (column for column in found if column not in numeric)
    pairs = {(_text(row.get(numeric[0])), _text(row.get(names))) for _, row in table.rows}
    if len({number for number, _ in pairs}) != len(pairs):
        return found
    return [names]


def _edges(by_fold: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], str]:
    for form, choices in _EDGES.items():
        for names in choices:
            if all(len(by_fold.get(name, ())) == 1 for name in names):
                return tuple(by_fold[name][0] for name in names), form
    return (), ""


def _has_objects(table: ForeignTable, column: str) -> bool:
    first = next((row[column] for _, row in table.rows if row.get(column)), None)
    return isinstance(first, dict) and not {"bbox", "boxes"}.isdisjoint(first)


def _of_objects(values: Mapping[str, Any], column: str, *names: str) -> Any:
    """What the objects of a row hold under the first of these names that they have; None if there is nothing."""
    objects = values.get(column)
    return next((objects[name] for name in names if name in objects), None) if isinstance(objects, dict) else None


def _usual_form(column: str, objects: str) -> str:
    """How boxes are usually written in a column of that name: COCO and `datasets` call theirs bbox."""
    return "xywh" if objects or fold(column) in {"bbox", "bboxes"} else "xyxy"


def _form(reading: Reading, usual: str) -> str:
    form = text_option(reading, "boxes") or usual
    if form not in FORMS:
        raise SourceError(f"the option boxes cannot be {form!r}", f"one of {', '.join(FORMS)}")
    return form


def _lists(value: Any) -> list[Sequence[float]]:
    """Boxes of a cell: a list of four numbers, a list of such lists, either as JSON text, or four numbers as text."""
    if value in (None, "", []):
        return []
    if isinstance(value, str):
        text = value.strip()
        if text.startswith(("[", "(")):
            value = json.loads(text.replace("(", "[").replace(")", "]"))
        else:
            value = [[float(part) for part in box.replace(",", " ").split()] for box in text.split(";") if box.strip()]
    if not isinstance(value, list):
        raise ValueError("no box")
    return [] if not value else value if isinstance(value[0], list) else [value]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
