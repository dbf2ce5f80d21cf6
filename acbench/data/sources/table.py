"""Reads a table that names images and their labels: CSV, JSON lines or Parquet, also `metadata.csv` of an ImageFolder.

Columns are found by their names, in any spelling: `image`, `label`, and if they are there `split`, `mask`, `box` and
`category`. The paths of images are relative to the table's folder, or to the root.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from acbench._util.plural import counted
from acbench.data.sources import _class_names
from acbench.data.sources._annotated import (
    COMMON,
    Annotated,
    Contents,
    TwoWays,
    Unclear,
    common,
    list_option,
    shortlist,
    text_option,
)
from acbench.data.sources._arrange import folded
from acbench.data.sources._columns import (
    ENOUGH,
    Columns,
    RowMaker,
    are_numbers,
    choose,
    label_values,
    missing,
)
from acbench.data.sources._files import Files, list_files
from acbench.data.sources._layout_options import splits_of
from acbench.data.sources._rows import (
    Row,
    Splits,
    finding_of,
)
from acbench.errors import SourceError
from acbench.records import Finding, Reading
from acbench.storage.files import FileRefused, FileTree
from acbench.storage.foreign_tables import EXTENSIONS, MAX_BYTES, ForeignTable, parse

METADATA = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})
"""What `datasets` calls the table of an ImageFolder, in every folder of images."""
HOME = "give a folder with images and a table of them: image,label[,split,mask,box,category]"
OPTIONS: Mapping[str, str] = {
    "table": "the file of the rows, from the dataset's folder on; several for several",
    "image": "the column of the paths of images",
    "label": "the column of labels",
    "split": "the column of splits",
    "mask": "the column of the paths of masks",
    "box": "the column of boxes",
    "boxes": "how a box is written: xyxy, xywh or cxcywh",
    "separator": "what separates several labels in a cell",
    "names": "the file of the names of class numbers",
    **COMMON,
    "category": "the column of what an image shows, or a name for all of them  [default: the folder's name]",
}


@dataclass
class _Read:
    """What was read of one table."""

    file: str
    table: ForeignTable
    columns: Columns
    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names_file: str = ""
    """The file of the names of class numbers."""


def read(tree: FileTree, reading: Reading) -> Contents:
    """What the tables of a folder say. Raises SourceError if there is none, or none that can be read."""
    files = list_files(tree)
    told = list_option(reading, "table")
    tables = [_told(tree, files, path, reading) for path in told] if told else _found(tree, files, reading)
    for each in tables:
        _add_rows(tree, files, each, reading)
    rows = [row for each in tables for row in each.rows]
    if not rows:
        raise SourceError(f"{tables[0].file} holds no row", "write one row an image: image,label")
    boxed = any(each.columns.boxed for each in tables)
    if any("category" in each.columns.of for each in tables):  # it named a column
        reading = {key: value for key, value in reading.items() if key != "category"}
    joined = common(
        files,
        reading,
        shortlist([each.file for each in tables]),
        used={*(each.file for each in tables), *(each.names_file for each in tables)},
        beside={files.find(row.mask, row.file.rpartition("/")[0]).path for row in rows if row.mask},
        instances=boxed,
    )
    labels = len({label for row in rows for label in row.labels if folded(label) not in joined.normal})
    names = shortlist([each.file for each in tables])
    marks = " and boxes" if boxed else " and masks" if any(row.mask for row in rows) else ""
    return Contents(
        rows=rows,
        joined=joined,
        says=f"a table of images with labels{marks}: {names}, {counted(len(rows), 'row')},"
        f" {counted(labels, 'class', 'classes')}",
        findings=[finding for each in tables for finding in each.findings],
        notes=[note for each in tables for note in each.notes],
        certainty=0.9 if all(each.file.rpartition("/")[2].lower() in METADATA for each in tables) else 0.85,
    )


def _told(tree: FileTree, files: Files, path: str, reading: Reading) -> _Read:
    """The table that a person has named. Raises SourceError if it cannot be read."""
    if path not in files.others:
        tables = [each for each in files.others if each.lower().endswith(EXTENSIONS)]
        raise SourceError(f"there is no table {path}", f"there are: {', '.join(tables[:10]) or 'none'}")
    table = _parsed(tree, path)
    base = path.rpartition("/")[0]
    columns = choose(table, path, reading, lambda name: bool(files.find(name, base).path))
    if (why := missing(columns, table, path)) is not None:
        raise why
    return _Read(path, table, columns)


def _found(tree: FileTree, files: Files, reading: Reading) -> list[_Read]:
    """The tables of a folder: those of its splits, or the only one. Raises SourceError if there is none, or several."""
    read: list[_Read] = []
    why_not: list[SourceError] = []
    for path in files.others:
        if path.count("/") > 1 or not path.lower().endswith(EXTENSIONS):
            continue
        try:
            each = _told(tree, files, path, reading)
        except SourceError as why:
            why_not.append(why)
            continue
        named = sum(bool(files.find(str(values.get(each.columns.of["image"]) or ""), path.rpartition("/")[0]).path)
                    for _, values in each.table.rows[:1000])  # fmt: skip
        if named >= ENOUGH * min(len(each.table.rows), 1000):
            read.append(each)
        else:
            why_not.append(SourceError(f"{path} names images that are not there, such as"
                                       f" {each.table.rows[0][1].get(each.columns.of['image'])!r}",
                                       "give the folder that holds the images too: --root"))  # fmt: skip
    unclear = [why for why in why_not if isinstance(why, Unclear)]
    if unclear and (not read or isinstance(unclear[0], TwoWays)):
        other = f"   or   --reading table={read[0].file}" if read else ""
        raise Unclear(unclear[0].message, f"{unclear[0].hint}{other}")
    if not read:
        if why_not:
            raise why_not[0]
        raise SourceError("there is no table of images: no CSV, JSON lines or Parquet file", HOME)
    tables = [each for each in read if each.file.rpartition("/")[2].lower() in METADATA] or read
    by_split = [each for each in tables if _split_of(each.file, splits_of(reading))]
    if len(tables) > 1 and len(by_split) != len(tables):
        several = " and ".join(each.file for each in tables[:3])
        raise Unclear(f"several tables name images: {several}", f"--reading table={tables[0].file}")
    return tables


def _parsed(tree: FileTree, path: str) -> ForeignTable:
    """The table in a file. Raises SourceError, also if its images are in it."""
    try:
        return parse(tree.read(path, MAX_BYTES), f".{path.rpartition('.')[2].lower()}")
    except FileRefused as why:
        raise SourceError(f"{path}: {why.message}", why.hint) from None


def _add_rows(tree: FileTree, files: Files, each: _Read, reading: Reading) -> None:
    """Make the rows of a table, and the findings about it as a whole."""
    table, columns = each.table, each.columns
    names, told_by = _names(tree, files, each, reading)
    maker = RowMaker(columns, each.file, reading, _split_of(each.file, splits_of(reading)), names)
    each.rows = list(maker.rows(table))
    if max((edge for row in each.rows for box in row.boxes for edge in box), default=2) <= 1:
        each.rows = [replace(row, box_unit="image") for row in each.rows]
    if about := columns.describe(table, each.file):
        each.findings.append(Finding(path=each.file, kind="columns", detail=about, hint=""))
    if told_by:
        each.findings.append(Finding(path=each.file, kind="class_names", detail=f"its labels are numbers: {told_by}"))
    elif not names and are_numbers(label_values(table, columns)):
        each.findings.append(_unnamed_numbers(each))
    if table.faults:
        lines = [f"line {line}: {why}" for line, why in table.faults]
        hint = "mend them: their images are not read"
        each.findings.append(finding_of(each.file, "unreadable_row", "cannot be read", lines, hint))


def _names(tree: FileTree, files: Files, each: _Read, reading: Reading) -> tuple[tuple[str, ...], str]:
    """The names of class numbers, and what tells them; empty if labels are names, or nothing does."""
    if told := text_option(reading, "names"):
        each.names_file = told
        return _class_names.read(tree, told), f"{told} names them"
    if not are_numbers(label_values(each.table, each.columns)):
        return (), ""
    column = each.columns.of.get("label", "")
    if known := each.table.class_names.get(column):
        return known, "the file itself names them"
    found = _class_names.find(files.others, ["", each.file.rpartition("/")[0]])
    if len(found) > 1:
        both = " and ".join(found[:2])
        raise Unclear(f"two files may name the classes: {both}", f"--reading names={found[0]}")
    if not found:
        return (), ""
    each.names_file = found[0]
    return _class_names.read(tree, found[0]), f"{found[0]} names them"


def _unnamed_numbers(each: _Read) -> Finding:
    hint = "--reading names=FILE with one name a line, and --reading normal=0 if 0 stands for normal images"
    detail = "its labels are numbers, and no file names them: the numbers are taken for names"
    each.notes.append(f"labels are numbers without names: {hint}")
    return Finding(path=each.file, kind="unnamed_classes", detail=detail, hint=hint)


def _split_of(path: str, splits: Splits) -> str:
    """The split that a table's name or folder tells: `train.csv`, `test/metadata.csv`; empty if neither does."""
    stem = path.rpartition("/")[2].rpartition(".")[0]
    return stem if folded(stem) in splits.every else splits.in_path(path)


SOURCE = Annotated(
    NAME="table",
    HOME=HOME,
    LAYOUT="a table with the columns image and label",
    OPTIONS=OPTIONS,
    read=read,
)
