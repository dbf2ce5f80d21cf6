"""What is true of each item that is scored, and which items these are."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from acbench._util.text import tidy
from acbench.errors import AcbenchError, TableError
from acbench.evaluation.answer_parsing import AnswerVocabulary, of_classes, of_schema
from acbench.records import GOOD, Label, category_of
from acbench.schema import Category, Schema, is_normal
from acbench.schema.views import ClassSet, View, answer_of
from acbench.storage.csv_files import IMAGE, read_csv

Aliases = Mapping[str, Mapping[str, str]]
"""Category → a method's own name → class."""
NONE: Aliases = {}


class Target(NamedTuple):
    """One item that is scored."""

    item_id: str
    image: str
    """Path relative to the dataset's root."""
    category: str
    wanted: ClassSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Everything that is scored, and how answers about it are read."""

    benchmark: str
    view: str
    """`published`, `sets`, or `table`: the classes of somebody's own table."""
    targets: tuple[Target, ...]
    """By item_id."""
    words: Mapping[str, AnswerVocabulary]
    """By category."""
    left_out: Mapping[str, int]
    """Why an item of the split is not scored → how many such there are."""
    known: frozenset[str]
    """Ids and images of all items that may be spoken of, scored or not."""
    schema: str
    """Version and digest of the label schema; of a table, a hash of its classes."""
    only: tuple[str, ...] = ()
    """Categories that the truth was narrowed to; all if empty."""
    part: tuple[int, int] | None = None
    """How many items of the benchmark it is about, and how many it would be; None if that is the same, or unknown."""

    @property
    def categories(self) -> list[str]:
        """Those with an item, sorted."""
        return sorted({target.category for target in self.targets})

    def axis(self, category: str) -> tuple[ClassSet, ...]:
        """Every answer of one class that there is in a category, in the order of the schema."""
        return self.words[category].axis

    @property
    def hashes(self) -> dict[str, str]:
        """16 hex each, of which items are scored, of what is true of them, and of what can be answered."""
        axes = [f"{key}\t{words.axis}" for key, words in sorted(self.words.items())]
        return {
            "labels": hashed([f"{each.item_id}\t{' + '.join(each.wanted)}" for each in self.targets]),
            "split": hashed([each.item_id for each in self.targets]),
            "schema": hashed([self.schema, self.view, *axes]),
        }

    def without(self, item_ids: Collection[str], why: str) -> Truth:
        """The same without some items, which are counted as left out. Raises AcbenchError if none is left."""
        there = [target for target in self.targets if target.item_id in item_ids]
        kept = tuple(target for target in self.targets if target.item_id not in item_ids)
        if not kept:
            raise AcbenchError(f"no item is left to be scored: all are {why}", "score images that it has not seen")
        left_out = Counter(self.left_out) + Counter({why: len(there)})
        return dataclasses.replace(self, targets=kept, left_out=left_out)


def of_labels(
    labels: Iterable[Label],
    schema: Schema,
    *,
    view: View = "published",
    scored: Callable[[Label], bool] = lambda label: True,
    categories: Collection[str] = (),
    aliases: Aliases = NONE,
    hint: str = "",
) -> Truth:
    """The truth that accepted labels tell. `scored`: whether a label's item is in the split that is scored.
    `hint`: what to do where nothing is left to score, if labelling more is not it.

    Raises AcbenchError for two labels of one item, one that the schema does not know, or if nothing is left.
    """
    check_categories(categories, schema.categories)
    targets: dict[str, Target] = {}
    left_out: Counter[str] = Counter()
    known: set[str] = set()
    meant: dict[tuple[str, ClassSet], ClassSet | None] = {}
    for label in labels:
        if label.item_id in known:
            raise AcbenchError(f"{label.item_id} ({label.image}) has two labels", "keep one of them")
        known |= {label.item_id, label.image}
        key = category_of(label.image)
        if not scored(label) or (categories and key not in categories):
            continue
        if label.status != "accepted":
            left_out[label.status] += 1
            continue
        if (key, label.labels) not in meant:
            meant[key, label.labels] = answer_of(label.labels, _checked(label, schema.category(key), schema), view)
        wanted = meant[key, label.labels]
        if wanted is None:
            left_out[f"outside the {view} view"] += 1
            continue
        targets[label.item_id] = Target(label.item_id, label.image, key, wanted)
    if not targets:
        what = f"no item of {schema.benchmark} has an accepted label"
        raise AcbenchError(what, hint or f"acbench relabel {schema.argument}")
    return Truth(
        benchmark=schema.benchmark,
        view=view,
        targets=tuple(target for _, target in sorted(targets.items())),
        words=of_schema(schema, view, aliases),
        left_out=dict(sorted(left_out.items())),
        known=frozenset(known),
        schema=f"{schema.benchmark} {schema.version} {schema.digest}",
        only=tuple(sorted(categories)),
    )


def _checked(label: Label, category: Category | None, schema: Schema) -> Category:
    """The category of a label that the schema knows. Raises AcbenchError for one that it does not."""
    unknown = sorted(set(label.labels) - {GOOD, *(category.class_ids if category else ())})
    if category is not None and label.labels and not unknown:
        return category
    place = category_of(label.image)
    what = f"category {place!r}" if category is None else f"label {', '.join(unknown) or '(none)'!r} of {place}"
    raise AcbenchError(
        f"{label.image} ({label.item_id}): the schema {schema.benchmark} {schema.version} has no {what}",
        "score with the schema that the labels were made with",
    )


def of_table(path: Path, *, categories: Collection[str] = (), aliases: Aliases = NONE) -> Truth:
    """The truth in anybody's CSV table: `category`, `image` (or `image_path`), `label`, the class or `good`.

    An image without a category before it in its path gets it: items are known as `category/image`. Raises TableError
    for an empty cell or a second row about an image, naming the line.
    """
    rows = []
    for line, row in read_csv(path, ("category", "label"), any_of=IMAGE):
        image = next(name for name in IMAGE if name in row)
        if empty := [name for name in ("category", image, "label") if not row[name].strip()]:
            raise TableError(f"{path}, line {line}: `{empty[0]}` is empty", "every image needs its class, or `good`")
        key = key_of(row["category"], row[image])
        rows.append((f"{path}, line {line}", key, row["category"], row["label"]))
    if not rows:
        raise TableError(f"{path} has no rows", "one row an image: category,image,label")
    check_categories(categories, {row[2] for row in rows})
    return of_rows(path.name, rows, categories=categories, aliases=aliases)


def of_rows(
    name: str,
    rows: Iterable[tuple[str, str, str, str]],
    *,
    categories: Collection[str] = (),
    aliases: Aliases = NONE,
    others: Mapping[str, str] = {},
    images: Mapping[str, str] = {},
) -> Truth:
    """The same from rows of (where, id, category, class). Raises TableError for a second row about an item.

    `others`: id → why it is not scored, of items that may be spoken of all the same. `images`: id → path of the image,
    where it has another one; of these too it may be spoken.
    """
    targets: dict[str, Target] = {}
    classes: dict[str, set[str]] = {}
    for where, key, category, label in rows:
        if key in targets:
            raise TableError(f"{where}: {tidy(key, 200)} has a row already", "keep one of them")
        label = GOOD if is_normal(label) else label.strip()
        classes.setdefault(category, set()).add(label)
        targets[key] = Target(key, images.get(key, key), category, (label,))
    words = of_classes(classes, aliases)
    chosen = {key: each for key, each in targets.items() if not categories or each.category in categories}
    return Truth(
        benchmark=name,
        view="table",
        targets=tuple(target for _, target in sorted(chosen.items())),
        words=words,
        left_out=dict(sorted(Counter(others.values()).items())),
        known=frozenset(targets) | frozenset(others) | frozenset(images) | frozenset(images.values()),
        schema=hashed(f"{key}\t{' + '.join(name)}" for key, one in sorted(words.items()) for name in one.axis),
        only=tuple(sorted(categories)),
    )


def key_of(category: str, image: str) -> str:
    """How a table's item is known: `category/image`, with the category once."""
    return image if not category or image.startswith(f"{category}/") else f"{category}/{image}"


def hashed(lines: Iterable[str]) -> str:
    """16 hex of some lines."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def read_aliases(path: Path) -> dict[str, dict[str, str]]:
    """A method's own names: CSV with `category`, `name` and `class`. Raises TableError for a name given twice."""
    found: dict[str, dict[str, str]] = {}
    for line, row in read_csv(path, ("category", "name", "class")):
        names = found.setdefault(row["category"], {})
        if row["name"] in names:
            raise TableError(f"{path}, line {line}: {tidy(row['name'], 80)!r} is there already", "keep one of them")
        names[row["name"]] = row["class"]
    return found


def check_aliases(aliases: Aliases, truth: Truth) -> None:
    """Raises TableError for names of a category that is not there."""
    if unknown := sorted(set(aliases) - set(truth.words)):
        raise TableError(f"aliases: no category {tidy(unknown[0], 80)!r}", f"one of {', '.join(sorted(truth.words))}")


def check_categories(given: Collection[str], there: Collection[str]) -> None:
    """Raises AcbenchError for a category that is not there."""
    if unknown := sorted(set(given) - set(there)):
        raise AcbenchError(f"there is no category {unknown[0]!r}", f"one of {', '.join(sorted(there))}")
