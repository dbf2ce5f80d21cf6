"""The proposer `file:PATH`: anybody's answers, from a CSV file.

Columns: `item_id`, or `image` or `image_path` (path relative to the dataset's root), and one that holds the answer, by
the rule of `acbench.storage.answer_columns`:

- `labels`: class ids or names of the schema, or labels of the dataset, joined by `;` or ` + `;
- any other, such as `prediction`: free text that names one class by id, name or alias, of the published benchmark or of
  the schema, or several classes, joined in the same way. A column `label` beside it may be the truth, and is not read.

With a column `sha256`, of the image file, a row whose hash is another one than the item's is an error of its item: the
row is about another image. An answer that names no known class becomes a row with the status `error` and the answer as
its reason; an empty answer abstains.

Three columns more say whose answers they are, and `acbench export proposals` writes them: `model`, the model and
version that answered; `family`, its family; and `saw`, the evidence that it used, joined by `;`. With these, answers of
a proposer that come home as a file are not taken for another witness than that proposer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from acbench._util.console import Progress
from acbench._util.text import tidy
from acbench.data.item_names import ItemNames
from acbench.errors import AcbenchError, TableError
from acbench.predictors.base import Proposer, Setup
from acbench.predictors.proposers.table import class_sets
from acbench.records import GOOD, PEOPLE, Item, Proposal, label_set
from acbench.schema import Category, Schema
from acbench.storage.answer_columns import IMAGE, answer_column, folded
from acbench.storage.csv_files import names_in, read_csv
from acbench.storage.digests import digest

MAX_REPEATED = 200
"""Characters of an answer that a proposal repeats."""


@dataclass(frozen=True)
class File:
    """The proposer `file:PATH`."""

    schema: Schema
    path: Path
    content: str
    """SHA-256 of the file."""

    @cached_property
    def name(self) -> str:
        return f"file:{self.path.stem}@{digest(self.content, self.schema.digest, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each item with a row.

        Raises TableError if an item has two rows, if no row is about an item, or if there is none.
        """
        by_name = {item.item_id: item for item in items} | {item.image: item for item in items}
        names = ItemNames(by_name)
        lines: dict[str, int] = {}
        rows = read_csv(self.path, ())
        if not rows:
            raise TableError(f"{self.path} has no rows", "one row an image, under a line with the columns' names")
        column = answer_column(rows[0].cells, str(self.path), can_name=False)
        for done, (line, row) in enumerate(rows, start=1):
            progress(done, len(rows))
            said = row.get("item_id", "") or next((row[name] for name in IMAGE if name in row), "")
            item = by_name.get(names.find(f"{self.path}, line {line}", said, row.get("category", "")) or "")
            if item is None:
                continue  # the file may have more images than the part of the dataset at hand
            if item.item_id in lines:
                raise TableError(
                    f"{self.path}, line {line}: {item.image} has a row already, line {lines[item.item_id]}", "keep one"
                )
            lines[item.item_id] = line
            yield self._proposal(line, item, row, column.name)
        if rows and not lines:
            raise TableError(
                f"{self.path}: none of its {len(rows):,} rows is about an image of this dataset",
                "columns `item_id` or `image`, the path relative to the dataset's root",
            )

    def _proposal(self, line: int, item: Item, row: dict[str, str], column: str) -> Proposal:
        if (sha256 := row.get("sha256", "").strip().lower()) and sha256 != item.sha256:
            return Proposal(
                item_id=item.item_id,
                proposer=self.name,
                labels=(),
                status="error",
                reason=f"the row is about another image: its sha256 is not that of {item.image}",
                saw=("image",),
                schema_version=self.schema.version,
            )
        category = self.schema.category(item.category)
        answer = row[column].strip()
        labels: tuple[str, ...] = ()
        if category is not None and answer:
            is_set = folded(column) == "labels"
            labels = _labels(answer, category) if is_set else _labels_of_text(answer, category)
        shown = tidy(answer, MAX_REPEATED)
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=labels,
            rationale=f"{self.path.stem} says {shown}" if answer else "",
            status="ok" if labels else "error" if answer else "abstained",
            reason="" if labels else f"unknown answer: {shown}" if answer else "no answer",
            saw=self._evidence(line, row),
            schema_version=self.schema.version,
            model=tidy(row.get("model", ""), MAX_REPEATED),
            family=tidy(row.get("family", ""), MAX_REPEATED).lower(),
        )

    def _evidence(self, line: int, row: dict[str, str]) -> tuple[str, ...]:
        """What the answer rests on. Raises TableError if a file says that people made it."""
        saw = tuple(names_in(row.get("saw", ""))) or ("image",)
        if PEOPLE in saw:
            raise TableError(
                f"{self.path}, line {line}: what people decided is no proposal",
                "acbench review take BENCHMARK FILE --reviewer NAME takes it in, or leave `people` out of `saw`",
            )
        return saw


def _labels(text: str, category: Category) -> tuple[str, ...]:
    """The label set of joined names; empty if one of them is unknown."""
    names = names_in(text)
    if names and set(names) <= set(category.answers):  # a class of the published view may have the id of another set
        return label_set(names)
    sets_of_names = [class_sets(category, name) for name in names]
    return label_set(label for sets in sets_of_names for label in sets[0]) if all(sets_of_names) else ()


def _labels_of_text(text: str, category: Category) -> tuple[str, ...]:
    """The label set that free text names; empty if it names no known class.

    A class of the published benchmark comes before one of the schema; if it groups several label sets, the smallest
    one counts.
    """
    name = category.parse_published(text)
    if name == GOOD:
        return (GOOD,)
    if name is not None:
        return class_sets(category, name)[0]
    if class_id := category.parse(text):
        return (class_id,)
    return _labels(text, category) if len(names_in(text)) > 1 else ()


def build(setup: Setup, argument: str = "") -> Proposer:
    """The answers in the file `argument`. Raises AcbenchError if there is no such file."""
    path = Path(argument)
    if not argument or not path.is_file():
        raise AcbenchError(f"there is no file {argument!r}", "--with file:ANSWERS.csv")
    with path.open("rb") as file:
        return File(setup.schema, path, hashlib.file_digest(file, "sha256").hexdigest())
