"""What a system answered, from a file or from rows in memory, joined to the truth by id: never by position.

CSV, JSONL or parquet. An item is named by `item_id`, or by `image` or `image_path`, its path relative to the dataset's
root (of a table: `category` and `image`). The answer stands in the first of the columns `labels`, `label`,
`prediction`, `answer`, `raw` that the file has: a class id, a list of them, or the raw text (`scoring.vocabulary`
reads it). Our own tables of Prediction records have `item_id`, `labels`, `raw`, and `parse`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from acbench._util.text import tidy
from acbench.errors import TableError
from acbench.evaluation.answer_parsing import MOST, Parse
from acbench.evaluation.truth import Target, Truth, hashed, key_of
from acbench.records import JOIN
from acbench.schema.views import ClassSet
from acbench.storage.csv_files import ANSWERS, IMAGE, read_csv

MAX_BYTES = 256 << 20
"""Of a file of JSON lines or a parquet file."""
MAX_CELL = 131_072
"""Characters of a cell of a CSV file; a longer one is refused, whatever it says."""
SHOWN = 200
"""Characters of an answer that are kept."""
MOST_NAMES = 8
"""Classes that an error names."""

Row = tuple[str, Mapping[str, Any]]
"""Where it stands, and its values by column."""


class ParsedAnswer(NamedTuple):
    """What a system answered about one item: `records.Prediction`, as far as it is scored."""

    raw: str
    labels: ClassSet
    """Empty if it could not be parsed."""
    parse: Parse


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one system about the items of a truth."""

    by_item: Mapping[str, ParsedAnswer]
    """Of scored items alone; an item without one is missing."""
    unscored: int
    """Answers about items that are known but not scored: pending, excluded, of training, of another category."""

    @property
    def failed(self) -> int:
        """How many name no class, or say that the system failed. To abstain is no failure."""
        return sum(one.parse in ("unknown", "error") for one in self.by_item.values())

    @property
    def hash(self) -> str:
        """16 hex of every answer about a scored item, whatever their order."""
        rows = sorted(self.by_item.items())
        return hashed([f"{key}\t{one.parse}\t{' + '.join(one.labels)}\t{one.raw!r}" for key, one in rows])


def read(path: Path) -> Iterator[Row]:
    """The rows of a file. Raises TableError for a wrong kind of file, or one that cannot be read, naming the line."""
    suffix = path.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        rows = read_csv(path, (), any_of=ANSWERS, max_cell=MAX_CELL)
        return ((f"{path}, line {line}", row) for line, row in rows)
    if not path.is_file():
        raise TableError(f"{path} is not there, or is no file", "check the path")
    if path.stat().st_size > MAX_BYTES:
        raise TableError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "give one row an item of the benchmark")
    if suffix in {".jsonl", ".ndjson"}:
        return _jsonl(path)
    if suffix in {".parquet", ".pq"}:
        return _parquet(path)
    raise TableError(f"{path} is neither .csv, .jsonl nor .parquet", "save the predictions as one of these")


def match(rows: Iterable[Row], truth: Truth) -> Answers:
    """Rows joined to the truth and read. Raises TableError for an unknown item, a second row, a missing column, or if
    not one row is an answer about a scored item: then they were made or read wrongly, and a score would hide it."""
    targets = {target.item_id: target for target in truth.targets}
    by_image = {target.image: target for target in truth.targets}
    found: dict[str, ParsedAnswer] = {}
    seen: dict[str, str] = {}
    reader = _Reader(truth)
    for where, row in rows:
        key = _key(where, row, truth)
        if key not in truth.known:
            raise TableError(
                f"{where}: {tidy(key, SHOWN)} is no item of {truth.benchmark}",
                "an item is named by its `item_id`, or by its `image` relative to the dataset's root",
            )
        target = targets.get(key) or by_image.get(key)
        key = target.item_id if target else key
        if key in seen:
            raise TableError(f"{where}: {tidy(key, SHOWN)} has an answer already, {seen[key]}", "keep one of them")
        seen[key] = where
        if target is not None:
            found[key] = reader.read(where, row, target)
    answers = Answers(found, len(seen) - len(found))
    _check_usable(answers, truth)
    return answers


def _check_usable(answers: Answers, truth: Truth) -> None:
    if not answers.by_item:
        there = (
            f"none of the {answers.unscored:,} answers is about a scored image" if answers.unscored else "no answers"
        )
        raise TableError(f"{truth.benchmark}: {there}", f"answer for images such as {truth.targets[0].image}")
    if any(one.parse == "ok" for one in answers.by_item.values()):
        return
    heard = [(target, answers.by_item[target.item_id]) for target in truth.targets if target.item_id in answers.by_item]
    target, said = next((each for each in heard if each[1].raw.strip()), heard[0])
    names = [JOIN.join(answer) for answer in truth.words[target.category].axis]
    number = "; of a ClassLabel the name, features[…].int2str(number)" if said.raw.strip().isdigit() else ""
    raise TableError(
        f"{truth.benchmark}: none of the {len(heard):,} answers about scored images names a class;"
        f" {target.image} has {tidy(said.raw, 80)!r}",
        f"of {target.category}: {', '.join(names[:MOST_NAMES])}{', …' * (len(names) > MOST_NAMES)}{number}",
    )


def image_of(row: Mapping[str, Any]) -> str:
    """The path of a row's image; empty if it has none. A picture is no path."""
    return next((row[name] for name in IMAGE if isinstance(row.get(name), str)), "")


def _key(where: str, row: Mapping[str, Any], truth: Truth) -> str:
    name, image = row.get("item_id"), image_of(row)
    if isinstance(name, str) and name.strip():
        return name
    if image.strip():
        return key_of(str(row.get("category") or ""), image) if truth.view == "table" else image
    if {"item_id", *IMAGE} & row.keys():
        raise TableError(f"{where}: it does not say which item it is about", "fill in `item_id` or `image`")
    raise TableError(f"{where}: there is no column item_id or image", "name the item in one of them")


@dataclass(slots=True)
class _Reader:
    """Reads answers; each text is parsed once a category."""

    truth: Truth
    _known: dict[tuple[str, str], tuple[Parse, ClassSet]] = field(default_factory=dict)

    def read(self, where: str, row: Mapping[str, Any], target: Target) -> ParsedAnswer:
        column = next((name for name in ANSWERS if name in row), None)
        if column is None:
            raise TableError(f"{where}: there is no column {' or '.join(ANSWERS)}", "put the answer in one of them")
        said = row[column]
        if column == "labels" and not isinstance(said, str) and not said and row.get("raw"):
            said = row["raw"]
        # What bundled systems answered was read when it came; of these two, the text beside them tells nothing more.
        told = row.get("parse")
        status, labels = (told, ()) if told in ("error", "empty") else self._parse(target.category, said)
        raw = said if isinstance(said, str) else "" if status == "empty" else JOIN.join(map(str, _listed(said)))
        return ParsedAnswer(raw, labels, status)

    def _parse(self, category: str, said: object) -> tuple[Parse, ClassSet]:
        if not isinstance(said, str) or len(said) > MOST:
            return self.truth.words[category].parse(said)
        if (category, said) not in self._known:
            self._known[category, said] = self.truth.words[category].parse(said)
        return self._known[category, said]


def _listed(said: Any) -> Iterable[object]:
    return said if isinstance(said, Iterable) else (said,)


def _jsonl(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise TableError(f"{where}: not JSON: {tidy(str(error), SHOWN)}", "one JSON object a line") from None
            if not isinstance(row, dict):
                raise TableError(f"{where}: not a JSON object", "one JSON object a line")
            yield where, row


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = {"item_id", *IMAGE, "category", "parse", *ANSWERS} & set(file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(batch_size=4096, columns=sorted(names)):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{path} is no readable parquet file: {tidy(str(error), SHOWN)}", "write it again") from None
