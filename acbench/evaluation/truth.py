"""Which items are scored, and what is true of each."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from acbench._util.text import tidy
from acbench.errors import AcbenchError, TableError
from acbench.evaluation.answer_parsing import AnswerVocabulary, schema_vocabularies, table_vocabularies
from acbench.records import GOOD, JOIN, Label, category_of
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


class Target(NamedTuple):
    """One item that is scored."""

    item_id: str
    image: str
    """Path relative to the dataset's root."""
    category: str
    wanted: ClassSet
    """The right answer."""


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
    targets: tuple[Target, ...]
    """By item_id."""
    vocabularies: Mapping[str, AnswerVocabulary]
    """By category."""
    left_out: Mapping[str, int]
    """Why items of the split are not scored → how many they are."""
    known: frozenset[str]
    """Ids and images of all items that answers may be about, scored or not."""
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
        return sorted({target.category for target in self.targets})

    def axis(self, category: str) -> tuple[ClassSet, ...]:
        """Every answer of one class in a category, in the order of the schema."""
        return self.vocabularies[category].axis

    @property
    def hashes(self) -> dict[str, str]:
        """16 hex digits each: which items are scored, what is true of them, and what can be answered."""
        axes = [f"{category}\t{vocabulary.axis}" for category, vocabulary in sorted(self.vocabularies.items())]
        return {
            "labels": hash_of(f"{target.item_id}\t{JOIN.join(target.wanted)}" for target in self.targets),
            "split": hash_of(target.item_id for target in self.targets),
            "schema": hash_of([self.schema, self.view, *axes]),
        }

    def without(self, item_ids: Collection[str], why: str) -> Truth:
        """Leave items out and count them. Raises AcbenchError if none is left."""
        targets = tuple(target for target in self.targets if target.item_id not in item_ids)
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
    targets: dict[str, Target] = {}
    left_out: Counter[str] = Counter()
    known: set[str] = set()
    answers: dict[tuple[str, ClassSet], ClassSet | None] = {}
    for label in labels:
        if label.item_id in known:
            raise AcbenchError(f"{label.item_id} ({label.image}) has two labels", "keep one of them")
        known |= {label.item_id, label.image}
        key = schema.key_of(category_of(label.item_id, label.image, schema.categories))
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
        targets[label.item_id] = Target(label.item_id, label.image, key, wanted)
    if not targets:
        raise NothingToScore(
            f"no item of {schema.benchmark} has an accepted label", f"acbench relabel {schema.argument}"
        )
    return Truth(
        benchmark=schema.benchmark,
        view=view,
        targets=tuple(target for _, target in sorted(targets.items())),
        vocabularies=schema_vocabularies(schema, view, options.aliases),
        left_out=dict(sorted(left_out.items())),
        known=frozenset(known),
        schema=f"{schema.benchmark} {schema.version} {schema.digest}",
        chosen=tuple(sorted(categories)),
        negligible={
            key: frozenset(each.id for each in category.classes if each.negligible)
            for key, category in in_view(schema, view).categories.items()
        },
    )


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
    targets: dict[str, Target] = {}
    classes: dict[str, set[str]] = {}
    for row in rows:
        if row.item_id in targets:
            raise TableError(f"{row.where}: {tidy(row.item_id, 200)} has a row already", "keep one of them")
        label = GOOD if is_normal(row.label) else row.label.strip()
        classes.setdefault(row.category, set()).add(label)
        image = others.images.get(row.item_id, row.item_id)
        targets[row.item_id] = Target(row.item_id, image, row.category, (label,))
    vocabularies = table_vocabularies(classes, options.aliases)
    answers = ((category, answer) for category, own in sorted(vocabularies.items()) for answer in own.axis)
    return Truth(
        benchmark=name,
        view="table",
        targets=tuple(
            target for _, target in sorted(targets.items()) if not categories or target.category in categories
        ),
        vocabularies=vocabularies,
        left_out=dict(sorted(Counter(others.why_not.values()).items())),
        known=frozenset(targets).union(others.why_not, others.images, others.images.values()),
        schema=hash_of(f"{category}\t{JOIN.join(answer)}" for category, answer in answers),
        chosen=tuple(sorted(categories)),
    )


def table_item_id(category: str, image: str) -> str:
    """How an item of a table is known: `category/image`, with the category once."""
    return image if not category or image.startswith(f"{category}/") else f"{category}/{image}"


def hash_of(lines: Iterable[str]) -> str:
    """Hash lines of text to 16 hex digits."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")).hexdigest()[:16]


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
