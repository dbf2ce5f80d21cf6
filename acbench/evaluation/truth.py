"""Which items are scored, and what is true of each."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from acbench._util.text import tidy
from acbench.errors import AcbenchError, TableError
from acbench.evaluation.answer_parsing import AnswerVocabulary, schema_vocabularies, table_vocabularies
from acbench.evaluation.places import Places
from acbench.evaluation.targets import NamedItems, TargetMaker, Targets
from acbench.records import GOOD, JOIN, MADE_ID, Label, category_of
from acbench.schema import Category, Schema, is_normal
from acbench.schema.views import ClassSet, View, answer_of, in_view
from acbench.storage.answer_columns import IMAGE, known_columns
from acbench.storage.csv_files import csv_rows, read_csv

Aliases = Mapping[str, Mapping[str, str]]
"""Category → a method's own name → class."""
NO_ALIASES: Aliases = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthOptions:
    """Which view of the labels is scored, and how answers may name classes."""

    view: View = "published"
    categories: Collection[str] = ()
    """Empty for all."""
    aliases: Aliases = field(default_factory=lambda: NO_ALIASES)


class NothingToScore(AcbenchError):
    """No item of the split that is scored has an accepted label."""


class Part(NamedTuple):
    """How much of a benchmark is scored."""

    items: int
    of: int
    """Items of the whole benchmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The items that are scored with their right answers, and how answers about them are parsed."""

    benchmark: str
    view: str
    """`published`, `sets`, or `table`: the classes of somebody's own table."""
    targets: Targets
    vocabularies: Mapping[str, AnswerVocabulary]
    """By category."""
    left_out: Mapping[str, int]
    """Why items of the split are not scored → how many they are."""
    schema: str
    """Version and digest of the label schema; for a table, a hash of its classes."""
    chosen: tuple[str, ...] = ()
    """The categories that were chosen; empty for all."""
    part: Part | None = None
    """None if all of the benchmark is scored, or if its size is unknown."""
    description: str = ""
    """Where the truth comes from, for people."""
    negligible: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Category → the classes that the schema says are harmless."""
    note: str = ""
    """What is to be said of how it was read, or empty."""

    @property
    def categories(self) -> list[str]:
        """The categories that have an item, sorted."""
        return sorted({self.targets.kinds[code][0] for code in np.unique(self.targets.kind)})

    def axis(self, category: str) -> tuple[ClassSet, ...]:
        """Every answer of one class in a category, in the order of the schema."""
        return self.vocabularies[category].axis

    @property
    def hashes(self) -> dict[str, str]:
        """16 hex digits each: which items are scored, what is true of them, and what can be answered."""
        axes = [f"{category}\t{vocabulary.axis}" for category, vocabulary in sorted(self.vocabularies.items())]
        return {
            "labels": hash_of(map("{}\t{}".format, self.targets.ids, map(JOIN.join, self.targets.wanted))),
            "split": hash_of(self.targets.ids),
            "schema": hash_of([self.schema, self.view, *axes]),
        }

    def without(self, item_ids: Collection[str], why: str) -> Truth:
        """Leave items out and count them. Raises AcbenchError if none is left."""
        kept = np.full(len(self.targets), True)
        kept[[place for each in item_ids if (place := self.targets.place(each)) is not None]] = False
        targets = self.targets.chosen(kept)
        if not targets:
            raise AcbenchError(f"no item is left to be scored: all are {why}", "score images that it has not seen")
        left_out = Counter(self.left_out)
        left_out.update({why: len(self.targets) - len(targets)})
        return dataclasses.replace(self, targets=targets, left_out=+left_out)


def truth_of_labels(
    labels: Iterable[Label],
    schema: Schema,
    options: TruthOptions | None = None,
    *,
    scored: Callable[[Label], bool] = lambda label: True,
) -> Truth:
    """Make the truth from accepted labels. `scored`: whether a label's item is in the split that is scored.

    Raises AcbenchError for two labels of one item, for a label that the schema does not know, or for an unknown
    category; NothingToScore if no label is left.
    """
    options = options or TruthOptions()
    view, categories = options.view, options.categories
    check_categories(categories, schema.categories)
    maker = TargetMaker()
    left_out: Counter[str] = Counter()
    answers: dict[tuple[str, ClassSet], ClassSet | None] = {}
    keys = _Keys(schema)
    with _refusing(lambda: _refuse_two_labels(maker.items)):
        for label in labels:
            number = maker.items.add(label.item_id, label.image)
            key = keys.of(label)
            if not scored(label) or (categories and key not in categories):
                continue
            if label.status != "accepted":
                left_out[label.status] += 1
                continue
            if (key, label.labels) not in answers:
                category = _checked_category(label, schema.category(key), schema)
                answers[key, label.labels] = answer_of(label.labels, category, view)
            wanted = answers[key, label.labels]
            if wanted is None:
                left_out[f"outside the {view} view"] += 1
                continue
            maker.add(number, key, wanted)
    if not maker:
        raise NothingToScore(
            f"no item of {schema.benchmark} has an accepted label", f"acbench relabel {schema.argument}"
        )
    return Truth(
        benchmark=schema.benchmark,
        view=view,
        targets=maker.made(),
        vocabularies=schema_vocabularies(schema, view, options.aliases),
        left_out=dict(sorted(left_out.items())),
        schema=f"{schema.benchmark} {schema.version} {schema.digest}",
        chosen=tuple(sorted(categories)),
        negligible={
            key: frozenset(each.id for each in category.classes if each.negligible)
            for key, category in in_view(schema, view).categories.items()
        },
    )


class _Keys:
    """Finds the category of labels, once for all labels of which it is the same."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._known: dict[tuple[str, str], str] = {}

    def of(self, label: Label) -> str:
        made = MADE_ID.fullmatch(label.item_id)
        kind = made[1] if made else "", label.image.partition("/")[0]
        if kind not in self._known:
            self._known[kind] = self._schema.key_of(category_of(label.item_id, label.image, self._schema.categories))
        return self._known[kind]


@contextmanager
def _refusing(check: Callable[[], None]) -> Iterator[None]:
    """Check rows that have been read; a fault in them goes before one that ends the reading."""
    try:
        yield
    except AcbenchError:
        check()
        raise
    check()


def _refuse_two_labels(items: NamedItems) -> None:
    number = items.first_repeated(among_images=True)
    if number is not None:
        raise AcbenchError(f"{items.ids[number]} ({items.images[number]}) has two labels", "keep one of them")


def _checked_category(label: Label, category: Category | None, schema: Schema) -> Category:
    """Return the category of a label that the schema knows. Raises AcbenchError for one that it does not."""
    unknown = sorted(set(label.labels) - {GOOD, *(category.class_ids if category else ())})
    if category is not None and label.labels and not unknown:
        return category
    key = schema.key_of(category_of(label.item_id, label.image, schema.categories))
    what = f"category {key!r}" if category is None else f"label {', '.join(unknown) or '(none)'!r} of {key}"
    raise AcbenchError(
        f"{label.image} ({label.item_id}): the schema {schema.benchmark} {schema.version} has no {what}",
        "score with the schema that the labels were made with",
    )


class TruthRow(NamedTuple):
    """One row of a table of true classes."""

    where: str
    """Where the row stands, for messages."""
    item_id: str
    category: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherItems:
    """What else answers may name, besides the items that are scored."""

    why_not: Mapping[str, str] = field(default_factory=dict)
    """item_id → why the item is not scored."""
    images: Mapping[str, str] = field(default_factory=dict)
    """item_id → path of its image, where that differs from the id."""


def truth_of_table(path: Path, options: TruthOptions) -> Truth:
    """Make the truth from a CSV table with `category`, `image` (or `image_path`) and `label`, a class or `good`; names
    of columns count in any case.

    Items are known as `category/image`, with the category once. Raises TableError for an empty cell or a second row
    about an image, naming the line; or for an alias that cannot be.
    """
    truth = truth_of_rows(path.name, _table_rows(path), options)
    if not truth.vocabularies:
        raise TableError(f"{path} has no rows", "one row an image: category,image,label")
    check_categories(options.categories, truth.vocabularies)
    check_aliases(options.aliases, truth)
    return truth


def _table_rows(path: Path) -> Iterator[TruthRow]:
    columns: tuple[str, ...] = ()
    for line, row in csv_rows(path, ()):
        columns = columns or _truth_columns(path, row)
        if empty := [name for name in columns if not row[name].strip()]:
            raise TableError(f"{path}, line {line}: `{empty[0]}` is empty", "every image needs its class, or `good`")
        category, image, label = (row[name] for name in columns)
        yield TruthRow(f"{path}, line {line}", table_item_id(category, image), category, label)


def _truth_columns(path: Path, names: Collection[str]) -> tuple[str, str, str]:
    """The columns of category, image and label as a table spells them. Raises TableError if it lacks one."""
    known = known_columns(names)
    image = next((name for name in IMAGE if name in known), IMAGE[0])
    if missing := [name for name in ("category", "label", image) if name not in known]:
        has = ", ".join(names)[:300] or "none"
        raise TableError(f"{path} has no column {', '.join(missing)}; it has {has}", "name it in the first line")
    return known["category"], known[image], known["label"]


def truth_of_rows(
    name: str,
    rows: Iterable[TruthRow],
    options: TruthOptions,
    others: OtherItems | None = None,
) -> Truth:
    """Make the truth from rows of a table. Raises TableError for a second row about an item."""
    others, categories = others or OtherItems(), options.categories
    maker = TargetMaker()
    where = Places()
    classes: dict[str, set[str]] = {}
    with _refusing(lambda: _refuse_second_row(maker.items, where)):
        for row in rows:
            label = GOOD if is_normal(row.label) else row.label.strip()
            classes.setdefault(row.category, set()).add(label)
            number = maker.items.add(row.item_id, others.images.get(row.item_id, row.item_id))
            where[number] = row.where
            if not categories or row.category in categories:
                maker.add(number, row.category, (label,))
    for item_id in {**others.why_not, **others.images}:
        maker.items.add(item_id, others.images.get(item_id, item_id))
    vocabularies = table_vocabularies(classes, options.aliases)
    answers = ((category, answer) for category, own in sorted(vocabularies.items()) for answer in own.axis)
    return Truth(
        benchmark=name,
        view="table",
        targets=maker.made(),
        vocabularies=vocabularies,
        left_out=dict(sorted(Counter(others.why_not.values()).items())),
        schema=hash_of(f"{category}\t{JOIN.join(answer)}" for category, answer in answers),
        chosen=tuple(sorted(categories)),
    )


def _refuse_second_row(items: NamedItems, where: Places) -> None:
    number = items.first_repeated(among_images=False)
    if number is not None:
        raise TableError(f"{where[number]}: {tidy(items.ids[number], 200)} has a row already", "keep one of them")


def table_item_id(category: str, image: str) -> str:
    """How an item of a table is known: `category/image`, with the category once."""
    return image if not category or image.startswith(f"{category}/") else f"{category}/{image}"


def hash_of(lines: Iterable[str]) -> str:
    """Hash lines of text to 16 hex digits."""
    hasher = hashlib.sha256()
    lines = iter(lines)
    while part := list(islice(lines, 10_000)):
        hasher.update("\n".join([*part, ""]).encode("utf-8", "backslashreplace"))
    return hasher.hexdigest()[:16]


def read_aliases(path: Path) -> dict[str, dict[str, str]]:
    """Read a method's own names: CSV with `category`, `name` and `class`. Raises TableError for a repeated name."""
    aliases: dict[str, dict[str, str]] = {}
    for line, row in read_csv(path, ("category", "name", "class")):
        names = aliases.setdefault(row["category"], {})
        if row["name"] in names:
            raise TableError(f"{path}, line {line}: {tidy(row['name'], 80)!r} is there already", "keep one of them")
        names[row["name"]] = row["class"]
    return aliases


def check_aliases(aliases: Aliases, truth: Truth) -> None:
    """Raises TableError for names of an unknown category."""
    if unknown := sorted(aliases.keys() - truth.vocabularies.keys()):
        known = ", ".join(sorted(truth.vocabularies))
        raise TableError(f"aliases: no category {tidy(unknown[0], 80)!r}", f"one of {known}")


def check_categories(chosen: Iterable[str], known: Collection[str]) -> None:
    """Raises AcbenchError for a category that is not known."""
    if unknown := sorted(set(chosen) - set(known)):
        raise AcbenchError(f"there is no category {unknown[0]!r}", f"one of {', '.join(sorted(known))}")
