"""Reads what a system answered, from a file or from rows in memory, and joins it to the truth by id, never by position.

Files are CSV, JSONL or parquet. A row names its item by `item_id`, or by `image` or `image_path`, the path relative to
the dataset's root (for a table as truth: `category` and `image`). The answer stands in the first of the columns
`labels`, `label`, `prediction`, `answer`, `raw` that the row has: a class id, a list of them, or text that
`answer_parsing` reads. Tables of Prediction records have `item_id`, `labels`, `raw` and `parse`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from acbench._util.text import tidy
from acbench.errors import TableError
from acbench.evaluation.answer_parsing import EMPTY, ERROR, MAX_LENGTH, MISSING, Outcome
from acbench.evaluation.truth import Target, Truth, hash_of, table_item_id
from acbench.records import JOIN
from acbench.storage.csv_files import ANSWERS, IMAGE, read_csv

MAX_BYTES = 256 << 20
"""Largest file of JSON lines, or largest parquet file."""
MAX_CELL = 131_072
"""Characters of the longest cell of a CSV file."""
MAX_SHOWN = 200
"""Characters of an answer that a score shows."""
MAX_NAMES = 8
"""Classes that an error lists."""

Row = Mapping[str, Any]
"""Column → value."""
LocatedRow = tuple[str, Row]
"""Where the row stands, for messages, and the row."""


class ParsedAnswer(NamedTuple):
    """The answer of a system about one item."""

    raw: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one system about the items of a truth."""

    by_item: Mapping[str, ParsedAnswer]
    """item_id → answer, of scored items only."""
    unscored: int
    """Answers about items that are known but not scored: pending, excluded, of training, of another category."""

    def outcome(self, item_id: str) -> Outcome:
        """What became of an item."""
        answer = self.by_item.get(item_id)
        return MISSING if answer is None else answer.outcome

    @property
    def failed(self) -> int:
        """How many name no class or say that the system failed. To abstain is no failure."""
        return sum(answer.outcome.status in ("unknown", "error") for answer in self.by_item.values())

    @property
    def hash(self) -> str:
        """16 hex digits of all answers about scored items, in whatever order they came."""
        return hash_of(
            f"{item_id}\t{answer.outcome.status}\t{JOIN.join(answer.outcome.labels)}\t{answer.raw!r}"
            for item_id, answer in sorted(self.by_item.items())
        )


def read(path: Path) -> Iterator[LocatedRow]:
    """Read the rows of a file. Raises TableError for a file that is of another kind or damaged, naming the line."""
    suffix = path.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        rows = read_csv(path, (), any_of=ANSWERS, max_cell=MAX_CELL)
        return ((f"{path}, line {line}", row) for line, row in rows)
    if not path.is_file():
        raise TableError(f"{path} is not there, or is no file", "check the path")
    if path.stat().st_size > MAX_BYTES:
        raise TableError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "give one row an item of the benchmark")
    if suffix in {".jsonl", ".ndjson"}:
        return _read_jsonl(path)
    if suffix in {".parquet", ".pq"}:
        return _read_parquet(path)
    raise TableError(f"{path} is neither .csv, .jsonl nor .parquet", "save the predictions as one of these")


def match(rows: Iterable[LocatedRow], truth: Truth) -> Answers:
    """Join rows to the truth and parse their answers.

    Raises TableError for an unknown item, a second row about an item, or a missing column. Also raises it if no row is
    an answer about a scored item: then the file was made or read wrongly, and a score would hide that.
    """
    targets = {target.item_id: target for target in truth.targets}
    by_image = {target.image: target for target in truth.targets}
    answers: dict[str, ParsedAnswer] = {}
    seen: dict[str, str] = {}
    parser = _RowParser(truth)
    for where, row in rows:
        name = _item_name(where, row, truth)
        if name not in truth.known:
            raise TableError(
                f"{where}: {tidy(name, MAX_SHOWN)} is no item of {truth.benchmark}",
                "an item is named by its `item_id`, or by its `image` relative to the dataset's root",
            )
        target = targets.get(name) or by_image.get(name)
        item_id = target.item_id if target else name
        if item_id in seen:
            raise TableError(
                f"{where}: {tidy(item_id, MAX_SHOWN)} has an answer already, {seen[item_id]}", "keep one of them"
            )
        seen[item_id] = where
        if target is not None:
            answers[item_id] = parser.parse(where, row, target)
    matched = Answers(answers, len(seen) - len(answers))
    _check_usable(matched, truth)
    return matched


def _check_usable(answers: Answers, truth: Truth) -> None:
    if not answers.by_item:
        unscored = answers.unscored
        what = f"none of the {unscored:,} answers is about a scored image" if unscored else "no answers"
        raise TableError(f"{truth.benchmark}: {what}", f"answer for images such as {truth.targets[0].image}")
    if any(answer.outcome.usable for answer in answers.by_item.values()):
        return
    answered = [target for target in truth.targets if target.item_id in answers.by_item]
    example = next((target for target in answered if answers.by_item[target.item_id].raw.strip()), answered[0])
    raw = answers.by_item[example.item_id].raw
    names = [JOIN.join(answer) for answer in truth.axis(example.category)]
    numbers = "; of a ClassLabel the name, features[…].int2str(number)" if raw.strip().isdigit() else ""
    raise TableError(
        f"{truth.benchmark}: none of the {len(answered):,} answers about scored images names a class;"
        f" {example.image} has {tidy(raw, 80)!r}",
        f"of {example.category}: {', '.join(names[:MAX_NAMES])}{', …' * (len(names) > MAX_NAMES)}{numbers}",
    )


def image_of(row: Row) -> str:
    """The path of a row's image; empty if it has none. A decoded image in that column is no path."""
    return next((row[name] for name in IMAGE if isinstance(row.get(name), str)), "")


def _item_name(where: str, row: Row, truth: Truth) -> str:
    item_id, image = row.get("item_id"), image_of(row)
    if isinstance(item_id, str) and item_id.strip():
        return item_id
    if image.strip():
        return table_item_id(str(row.get("category") or ""), image) if truth.view == "table" else image
    if {"item_id", *IMAGE} & row.keys():
        raise TableError(f"{where}: it does not say which item it is about", "fill in `item_id` or `image`")
    raise TableError(f"{where}: there is no column item_id or image", "name the item in one of them")


@dataclass(slots=True)
class _RowParser:
    """Parses the answers of rows; each text once for a category."""

    truth: Truth
    _known: dict[tuple[str, str], Outcome] = field(default_factory=dict)

    def parse(self, where: str, row: Row, target: Target) -> ParsedAnswer:
        column = next((name for name in ANSWERS if name in row), None)
        if column is None:
            raise TableError(f"{where}: there is no column {' or '.join(ANSWERS)}", "put the answer in one of them")
        answer = row[column]
        if column == "labels" and not isinstance(answer, str) and not answer and row.get("raw"):
            answer = row["raw"]
        # A table of Prediction records says what became of the question; the text tells nothing more in these cases.
        recorded = {"error": ERROR, "empty": EMPTY}.get(str(row.get("parse")))
        outcome = recorded or self._outcome(target.category, answer)
        return ParsedAnswer(_raw(answer, outcome), outcome)

    def _outcome(self, category: str, answer: object) -> Outcome:
        vocabulary = self.truth.vocabularies[category]
        if not isinstance(answer, str) or len(answer) > MAX_LENGTH:
            return vocabulary.parse(answer)
        if (category, answer) not in self._known:
            self._known[category, answer] = vocabulary.parse(answer)
        return self._known[category, answer]


def _raw(answer: object, outcome: Outcome) -> str:
    if isinstance(answer, str):
        return answer
    if outcome.status == "empty":
        return ""
    return JOIN.join(map(str, answer if isinstance(answer, Iterable) else (answer,)))


def _read_jsonl(path: Path) -> Iterator[LocatedRow]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise TableError(
                    f"{where}: not JSON: {tidy(str(error), MAX_SHOWN)}", "one JSON object a line"
                ) from None
            if not isinstance(row, dict):
                raise TableError(f"{where}: not a JSON object", "one JSON object a line")
            yield where, row


def _read_parquet(path: Path) -> Iterator[LocatedRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        columns = {"item_id", *IMAGE, "category", "parse", *ANSWERS} & set(file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(batch_size=4096, columns=sorted(columns)):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row
    except (pa.ArrowException, OSError) as error:
        raise TableError(
            f"{path} is no readable parquet file: {tidy(str(error), MAX_SHOWN)}", "write it again"
        ) from None
