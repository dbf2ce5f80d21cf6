"""What a schema that can be read may still have wrong, with the line it stands on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from acbench.records import GOOD
from acbench.schema.form import VERDICTS
from acbench.schema.model import NORMAL_LABELS, Category, Schema, fold
from acbench.schema.read import Problem, lines, parse

_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
_JOINS = frozenset("+,;")
"""What joins several names in a reviewer's answer, and so cannot be part of one."""
SHORT = 30
"""A definition with fewer characters tells an annotator nothing."""

KnownLabels = Mapping[str, Sequence[str]]
"""Category → every label string that the complete dataset holds; commas join several labels."""


def check(text: str, known: KnownLabels | None = None) -> list[Problem]:
    """Everything wrong with a schema, by line; empty if it is sound.

    With `known`, also whether it is total: each of the dataset's labels maps to a class or is a change with a reason.
    """
    schema, problems = parse(text)
    if schema is None:
        return problems
    line = lines(text)
    found = [
        Problem(line(where), where, message)
        for where, message in [*_benchmark(schema), *_all_categories(schema), *_totality(schema, known or {})]
    ]
    return sorted(set(found))


def _benchmark(schema: Schema) -> Iterator[tuple[str, str]]:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", schema.benchmark):
        yield "benchmark", f"{schema.benchmark!r} is not lower case letters, digits and underscores"
    if not schema.categories:
        yield "categories", "there are none"


def _all_categories(schema: Schema) -> Iterator[tuple[str, str]]:
    for key, category in schema.categories.items():
        where = f"categories.{key}"
        yield from _classes(category, where)
        yield from _changes(category, where)
        yield from _published(category, where)


def _classes(category: Category, where: str) -> Iterator[tuple[str, str]]:
    taken: dict[str, str] = dict.fromkeys(NORMAL_LABELS, "the reserved class of normal images")
    taken.update(dict.fromkeys(map(fold, VERDICTS), "a reserved verdict"))
    owner_of: dict[str, str] = {}
    if not category.classes:
        yield where, "has no classes"
    for number, one in enumerate(category.classes):
        spot = f"{where}.classes.{number}"
        if one.id == GOOD or not _ID.fullmatch(one.id):
            yield f"{spot}.id", f"{one.id!r} is reserved or not made of a-z, 0-9, - and _"
        for name in ("definition", "not_this"):
            if len(getattr(one, name)) < SHORT:
                yield f"{spot}.{name.removesuffix('_this')}", "too short to decide by"
        own: set[str] = set()
        for kind, value in [
            ("id", one.id),
            ("name", one.name),
            *(("aliases", alias) for alias in one.aliases),
        ]:
            folded = fold(value)
            if not folded or _JOINS & set(value):
                yield f"{spot}.{kind}", f"{value!r} has no letter or digit, or one of {' '.join(sorted(_JOINS))}"
            if folded in taken:
                yield f"{spot}.{kind}", f"{value!r} already names {taken[folded]}"
            if folded in own and kind == "aliases":
                yield f"{spot}.{kind}", f"{value!r} says nothing new"
            own.add(folded)
        taken.update(dict.fromkeys(own, f"class {one.id}"))
        if not one.source:
            yield f"{spot}.source", "no source label maps to this class"
        for label in one.source:
            if label in owner_of:
                yield f"{spot}.source", f"{label!r} maps to {owner_of[label]} already"
            owner_of[label] = one.id
            reasons = [each for each in category.changes if each.source == label and one.id in each.into]
            if fold(label) != fold(one.id) and not reasons:
                yield f"{spot}.source", f"{label!r} needs a merge or rename entry in `changes` that says why"


def _changes(category: Category, where: str) -> Iterator[tuple[str, str]]:
    sources = {label for one in category.classes for label in one.source}
    for number, change in enumerate(category.changes):
        spot = f"{where}.changes.{number}"
        for class_id in change.into:
            if class_id not in category.class_ids:
                yield f"{spot}.into", f"{class_id!r} is no class of this category"
        if change.kind in {"merge", "rename"} and not any(
            change.source in one.source and one.id in change.into for one in category.classes
        ):
            yield spot, f"no class lists {change.source!r} in its `source`"
        if change.kind == "mixed" and change.source in sources:
            yield spot, f"{change.source!r} is mixed and yet the source of a class"
        if change.kind == "exclude" and change.source not in sources:
            yield spot, f"{change.source!r} is the source of no class, so there is no label to keep"


def _published(category: Category, where: str) -> Iterator[tuple[str, str]]:
    taken: dict[str, str] = {}
    holder: dict[tuple[str, ...], str] = {}
    for number, one in enumerate(category.published):
        spot = f"{where}.published.{number}"
        for value in {fold(each) for each in (one.id, one.name, *one.aliases)}:
            if value in taken:
                yield spot, f"{value!r} already names {taken[value]} of the published classes"
            taken[value] = one.id
        if not one.sets:
            yield spot, "holds no label set"
        for each in one.sets:
            if not each:
                yield f"{spot}.sets", "an empty label set is no class"
            unknown = set(each) - set(category.class_ids)
            if unknown:
                yield f"{spot}.sets", f"{', '.join(sorted(unknown))}: no class of this category"
            if each in holder:
                yield f"{spot}.sets", f"{{{', '.join(each)}}} is in {holder[each]} already"
            holder[each] = one.id


def _totality(schema: Schema, known: KnownLabels) -> Iterator[tuple[str, str]]:
    for key, strings in known.items():
        category = schema.category(key)
        if category is None:
            yield "categories", f"the dataset's category {key!r} is missing"
            continue
        mapped = {label for one in category.classes for label in one.source}
        mapped |= {change.source for change in category.changes if change.kind == "mixed"}
        for label in {part.strip() for string in strings for part in string.split(",")} - mapped:
            yield f"categories.{key}", f"the dataset's label {label!r} maps to no class and is not excluded"
    for key in schema.categories if known else ():
        if key not in known:
            yield f"categories.{key}", "the dataset has no such category"
            continue
        real = {part.strip() for string in known[key] for part in string.split(",")}
        for number, one in enumerate(schema.categories[key].classes):
            for label in one.source:
                if label not in real:
                    yield f"categories.{key}.classes.{number}.source", f"the dataset has no label {label!r}"
