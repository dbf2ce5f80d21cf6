"""Joins what a system answered to the truth by id, never by position, and parses it.

A row names its item by `item_id`, or by `image` or `image_path`, a path that `item_names` finds. `answer_columns` says
which column holds the answer: a class id, a list of them, a mapping from class to probability, or text that
`answer_parsing` reads; and which columns hold how sure an answer is and what it cost (`answer_numbers`). Tables of
Prediction records have `item_id`, `labels`, `raw` and `parse`. `answer_files` reads rows from files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from acbench._util.text import tidy
from acbench.data.item_names import ItemNames
from acbench.errors import TableError
from acbench.evaluation.answer_files import LocatedRow, Row
from acbench.evaluation.answer_numbers import Numbers
from acbench.evaluation.answer_parsing import EMPTY, ERROR, MAX_LENGTH, Outcome
from acbench.evaluation.answer_table import AnswerTable, ParsedAnswer
from acbench.evaluation.places import Places
from acbench.evaluation.truth import Truth, hash_of
from acbench.records import JOIN
from acbench.storage.answer_columns import (
    IMAGE,
    AnswerColumn,
    answer_column,
    folded,
    known_columns,
)

MAX_SHOWN = 200
"""Characters of an answer that a score shows."""
MAX_NAMES = 8
"""Classes that an error lists."""
TOO_RIGHT, ENOUGH = 0.99, 20
"""A column that may be the truth, and is right more often than this about so many images or more, is said to be so."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one system about the items of a truth."""

    by_item: Mapping[str, ParsedAnswer]
    """item_id → answer, of scored items only."""
    unscored: int
    """Answers about items that are known but not scored: pending, excluded, of training, of another category."""
    column: str = ""
    """Which column they were read from, for people; empty if they came without columns."""
    note: str = ""
    """What is suspicious about that column, or empty."""

    def table(self, truth: Truth) -> AnswerTable:
        """The answers about the items of a truth."""
        if isinstance(self.by_item, AnswerTable) and self.by_item.targets is truth.targets:
            return self.by_item
        placed = ((truth.targets.place(item_id), answer) for item_id, answer in self.by_item.items())
        return AnswerTable(truth.targets, ((place, answer) for place, answer in placed if place is not None))

    @property
    def failed(self) -> int:
        """How many name no class or say that the system failed. To abstain is no failure."""
        if isinstance(self.by_item, AnswerTable):
            return len(self.by_item.having("unknown", "error"))
        return sum(answer.outcome.status in ("unknown", "error") for answer in self.by_item.values())

    def missing(self, truth: Truth) -> int:
        """How many scored items have no answer."""
        return len(truth.targets) - len(self.by_item)

    def hash(self, truth: Truth) -> str:
        """16 hex digits of all answers about scored items, in whatever order they came."""
        table = self.table(truth)
        said = [f"{outcome.status}\t{JOIN.join(outcome.labels)}" for outcome in table.outcomes]
        ids = truth.targets.ids
        return hash_of(
            f"{item_id}\t{said[code]}\t{table.raw(place)!r}"
            for place, (item_id, code) in enumerate(zip(ids, table.outcome.data, strict=True))
            if code
        )


def match(rows: Iterable[LocatedRow], truth: Truth, column: str | None = None) -> Answers:
    """Join rows to the truth and parse their answers. `column`: the column of answers, if somebody named it.

    Raises TableError for an unknown item, a second row about an item, or a missing column. Also raises it if no row is
    an answer about a scored item: then the file was made or read wrongly, and a score would hide that.
    """
    targets = truth.targets
    answers = AnswerTable(targets)
    unscored = 0
    seen = Places()
    reader, parser = _RowReader(column), _RowParser(truth)
    names = ItemNames(targets.items)
    for where, row in rows:
        columns = reader.columns(where, row)
        said, category = columns.item(where, row)
        name = said
        found = targets.find(name)
        if found is None:
            name = names.find(where, said, category) or ""
            found = targets.find(name)
        if found is None:
            raise _no_item(where, said, truth, names)
        slot, place = found
        if known := seen[slot]:
            item_id = name if place < 0 else targets[place].item_id
            raise TableError(f"{where}: {tidy(item_id, MAX_SHOWN)} has an answer already, {known}", "keep one of them")
        seen[slot] = where
        if place < 0:
            unscored += 1
        else:
            answers.add(place, parser.parse(where, row, columns, targets.category(place)))
    matched = Answers(answers, unscored, reader.described, _suspicion(reader, answers))
    _check_usable(answers, unscored, truth)
    return matched


def _no_item(where: str, said: str, truth: Truth, names: ItemNames) -> TableError:
    """The error of a row that is about no item, with the items that may have been meant."""
    hint = "an item is named by its `item_id`, or by its `image` relative to the dataset's root"
    if meant := names.ending(said):
        others = f" and {len(meant) - 2:,} more" if len(meant) > 2 else ""
        hint = f"it may be {' or '.join(meant[:2])}{others}; {hint}, or inside a `category` that a column names"
    return TableError(f"{where}: {tidy(said, MAX_SHOWN)} is no item of {truth.benchmark}", hint)


def _suspicion(reader: _RowReader, answers: AnswerTable) -> str:
    """What to say of a column that may be the truth, if it is right about nearly all images."""
    if reader.answer is None or not reader.answer.may_be_truth or len(answers) < ENOUGH:
        return ""
    right = int(np.count_nonzero(answers.right))
    if right <= TOO_RIGHT * len(answers):
        return ""
    others = f"; not read: {', '.join(f'`{name}`' for name in reader.unread[:MAX_NAMES])}" if reader.unread else ""
    return (
        f"column `{reader.answer.name}` equals the truth of {right:,} of {len(answers):,} images: it may be the truth"
        f" itself, and no answers{others}. --column NAME names another"
    )


def _check_usable(answers: AnswerTable, unscored: int, truth: Truth) -> None:
    answered = answers.answered.tolist()
    if not answered:
        what = f"none of the {unscored:,} answers is about a scored image" if unscored else "no answers"
        raise TableError(f"{truth.benchmark}: {what}", f"answer for images such as {truth.targets[0].image}")
    if len(answers.having("ok")):
        return
    place = next((place for place in answered if answers.raw(place).strip()), answered[0])
    example, raw = truth.targets[place], answers.raw(place)
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


class _Columns(NamedTuple):
    """What the columns of a row are called."""

    known: Mapping[str, str]
    """Our name → the table's."""
    answer: str
    numbers: Numbers
    item_id: str
    images: Sequence[str]
    category: str
    raw: str
    parse: str
    holds_sets: bool
    """Whether a list in the column of answers is a set of classes."""
    holds_records: bool
    """Whether a text in it is one, too: that of a Prediction record."""

    @classmethod
    def of(cls, known: Mapping[str, str], answer: str, where: str) -> _Columns:
        """Find them. Raises TableError, naming `where`, for two columns that may be one number."""
        item_id, category, raw, parse, *images = (
            known.get(ours, ours) for ours in ("item_id", "category", "raw", "parse", *IMAGE)
        )
        sets = folded(answer) == "labels"
        numbers = Numbers.of(known, where)
        return cls(known, answer, numbers, item_id, images, category, raw, parse, sets, sets and "parse" in known)

    def item(self, where: str, row: Row) -> tuple[str, str]:
        """How a row names its item, and its category if it names one. Raises TableError if it names no item."""
        item_id = row.get(self.item_id)
        if isinstance(item_id, str) and item_id.strip():
            return item_id, ""
        image = next((path for name in self.images if isinstance(path := row.get(name), str)), "")
        if image.strip():
            return image, str(row.get(self.category) or "").strip()
        if {"item_id", *IMAGE} & self.known.keys():
            raise TableError(f"{where}: it does not say which item it is about", "fill in `item_id` or `image`")
        raise TableError(f"{where}: there is no column item_id or image", "name the item in one of them")


@dataclass(slots=True)
class _RowReader:
    """Knows the columns of rows; the first row decides which one holds the answers."""

    wanted: str | None
    answer: AnswerColumn | None = None
    unread: tuple[str, ...] = ()
    """Columns of the first row that nothing is known of."""
    _columns: dict[tuple[str, ...], _Columns] = field(default_factory=dict)

    @property
    def described(self) -> str:
        """Which columns are read, and which are not, for people."""
        if self.answer is None:
            return ""
        numbers = next((columns.numbers for columns in self._columns.values()), Numbers())
        parts = [str(self.answer), *(f"{what} `{name}`" for what, name in numbers._asdict().items() if name)]
        unread = ", ".join(f"`{name}`" for name in self.unread[:MAX_NAMES]) + ", …" * (len(self.unread) > MAX_NAMES)
        return "; ".join([", ".join(parts), *([f"not read: {unread}"] if unread else [])])

    def columns(self, where: str, row: Row) -> _Columns:
        """What the columns of a row are called. Raises TableError if it lacks the answer's."""
        key = tuple(row)
        if key not in self._columns:
            known = known_columns(key)
            if self.answer is None:
                self.answer = answer_column(key, where, self.wanted)
                used = {*known.values(), self.answer.name, *self.answer.beside}
                self.unread = tuple(name for name in key if name and name not in used)
            elif self.answer.name not in row:
                raise TableError(
                    f"{where}: there is no `{self.answer.name}`, which earlier rows have",
                    "give every row one; an empty one is an abstention",
                )
            self._columns[key] = _Columns.of(known, self.answer.name, where)
        return self._columns[key]


@dataclass(slots=True)
class _RowParser:
    """Parses the answers of rows; each text once for a category."""

    truth: Truth
    _known: dict[tuple[str, str], Outcome] = field(default_factory=dict)

    def parse(self, where: str, row: Row, columns: _Columns, category: str) -> ParsedAnswer:
        answer = row[columns.answer]
        if isinstance(answer, (bytes, bytearray, memoryview)):
            raise TableError(f"{where}: the answer is bytes, and not text", "decode it first")
        # What Prediction records could not read is read once more, since words may name a class. A list holds sets.
        if (columns.holds_records if isinstance(answer, str) else columns.holds_sets) and not answer:
            answer = row.get(columns.raw) or answer
        # A table of Prediction records says what became of the question; the text tells nothing more in these cases.
        recorded = {"error": ERROR, "empty": EMPTY}.get(str(row.get(columns.parse)))
        outcome = recorded or self._outcome(category, answer)
        likely = isinstance(answer, Mapping) and not recorded
        probabilities = self.truth.vocabularies[category].probabilities(answer) if likely else None
        sure, dollars = columns.numbers.read(where, row)
        return ParsedAnswer(_raw(answer, outcome), outcome, probabilities or None, sure, dollars)

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
    if isinstance(answer, Mapping):
        return json.dumps(answer, ensure_ascii=False, default=str)
    if outcome.status == "empty":
        return ""
    return JOIN.join(map(str, answer if isinstance(answer, Iterable) else (answer,)))
