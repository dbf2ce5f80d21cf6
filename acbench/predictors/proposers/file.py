"""Anybody's answers, from a CSV file: `file:PATH`.

Columns: `item_id`, or `image` or `image_path` (path relative to the dataset's root), and one of

- `labels`: our class ids or names, or the dataset's labels, joined by `;` or ` + `;
- `label`, `prediction`, `answer` or `raw`: free text that names one class of the published benchmark or of ours, by id,
  name or alias, or several, joined so.

An answer that names nothing known becomes a row with its text as the reason; an empty one abstains.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from acbench._util.console import Progress
from acbench._util.text import tidy
from acbench.errors import AcbenchError, TableError
from acbench.predictors.base import Proposer, Setup
from acbench.predictors.proposers.table import class_sets
from acbench.records import GOOD, Item, Proposal, label_set
from acbench.schema import Category, Schema
from acbench.storage.csv_files import ANSWERS, IMAGE, names_in, read_csv
from acbench.storage.digests import digest

SHOWN = 200
"""Characters of an unknown answer that are repeated."""


@dataclass(frozen=True)
class File:
    """See the module."""

    schema: Schema
    path: Path
    content: str
    """Digest of the file."""

    @cached_property
    def name(self) -> str:
        return f"file:{self.path.stem}@{digest(self.content, self.schema.digest, length=8)}"

    def propose(self, items: Sequence[Item], progress: Progress) -> Iterable[Proposal]:
        """One proposal for each item with a row. Raises TableError for a second row, or if none is about any item."""
        by_id, by_image = {item.item_id: item for item in items}, {item.image: item for item in items}
        seen: dict[str, int] = {}
        rows = read_csv(self.path, (), any_of=ANSWERS)
        for done, (line, row) in enumerate(rows, start=1):
            progress(done, len(rows))
            item = by_id.get(row.get("item_id", "")) or by_image.get(
                next((row[name] for name in IMAGE if name in row), "")
            )
            if item is None:
                continue  # a part of the dataset does not hold every image that the table speaks of
            if item.item_id in seen:
                raise TableError(
                    f"{self.path}, line {line}: {item.image} has a row already, line {seen[item.item_id]}", "keep one"
                )
            seen[item.item_id] = line
            yield self._one(item, row)
        if rows and not seen:
            raise TableError(
                f"{self.path}: none of its {len(rows):,} rows is about an image of this dataset",
                "columns `item_id` or `image`, the path relative to the dataset's root",
            )

    def _one(self, item: Item, row: dict[str, str]) -> Proposal:
        category = self.schema.category(item.category)
        said = next((text for name in ANSWERS if (text := row.get(name, "").strip())), "")
        labels: tuple[str, ...] = ()
        if category is not None and said:
            labels = _labels(said, category) if row.get("labels", "").strip() else _answer(said, category)
        reason = "" if labels else f"unknown answer: {tidy(said, SHOWN)}" if said else "no answer"
        return Proposal(
            item_id=item.item_id,
            proposer=self.name,
            labels=labels,
            rationale=f"{self.path.stem} says {tidy(said, SHOWN)}" if said else "",
            status="ok" if labels else "error" if said else "abstained",
            reason=reason,
            saw=("image",),
            schema_version=self.schema.version,
        )


def _labels(said: str, category: Category) -> tuple[str, ...]:
    """The label set that the names mean; empty if one of them is unknown."""
    found = [class_sets(category, name) for name in names_in(said)]
    return label_set(label for one in found for label in one[0]) if all(found) else ()


def _answer(said: str, category: Category) -> tuple[str, ...]:
    """The label set of one named class: of the published benchmark, of several sets the smallest; else of ours. Or the
    set of several."""
    name = category.parse_published(said)
    if name == GOOD:
        return (GOOD,)
    if name is not None:
        return class_sets(category, name)[0]
    own = category.parse(said)
    if own:
        return (own,)
    return _labels(said, category) if len(names_in(said)) > 1 else ()


def build(setup: Setup, argument: str = "") -> Proposer:
    """The answers in the file `argument`. Raises AcbenchError if there is none."""
    path = Path(argument)
    if not argument or not path.is_file():
        raise AcbenchError(f"there is no file {argument!r}", "--with file:ANSWERS.csv")
    with path.open("rb") as file:
        return File(setup.schema, path, hashlib.file_digest(file, "sha256").hexdigest())
