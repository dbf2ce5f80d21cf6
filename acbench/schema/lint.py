"""Finds what is wrong with a schema that can be read: unclear names, missing reasons, labels that map nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from acbench.records import GOOD
from acbench.schema.class_names import NORMAL_LABELS, fold, slug
from acbench.schema.form import VERDICTS
from acbench.schema.model import Category, Change, DefectClass, PublishedClass, Schema
from acbench.schema.nodes import Problem, line_lookup
from acbench.schema.read import parse

MIN_DEFINITION = 30
"""Characters of the shortest definition that tells an annotator enough."""

_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
_JOINS = frozenset("+,;")
"""Characters that join several names in a reviewer's answer, so that no name can contain one."""

_MAPPING = re.compile(
    r"\b(?:(?:sub)?folders?|director(?:y|ies)|data ?sets?|benchmarks?|ground truth|file ?names?|source labels?)\b", re.I
)
"""Talk of where images come from, which whoever looks at one does not see."""

KnownLabels = Mapping[str, Sequence[str]]
"""Category → every label string of the complete dataset; commas join several labels."""

_Fault = tuple[str, str]
"""A place in the schema, and what is wrong there."""


def check(text: str, known: KnownLabels | None = None, name: str = "") -> list[Problem]:
    """Everything wrong with a schema, by line; empty if it is sound.

    With `known` it is also checked that the schema is total: each of the dataset's labels maps to a class, or is a
    change with a reason. `name`: see `read.parse`.
    """
    schema, problems = parse(text, name)
    if schema is None:
        return problems
    line_of = line_lookup(text)
    written = {f"categories.{key}": f"categories.{each.folder or key}" for key, each in schema.categories.items()}
    faults = [*_benchmark(schema), *_categories(schema), *_totality(schema, known or {})]
    placed = [(_as_written(where, written), message) for where, message in faults]
    return sorted({Problem(line_of(where), where, message) for where, message in placed})


def _as_written(where: str, written: Mapping[str, str]) -> str:
    """A place in the file, where a category may have another name than its key."""
    head = ".".join(where.split(".")[:2])
    return written.get(head, head) + where[len(head) :]


def _benchmark(schema: Schema) -> Iterator[_Fault]:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", schema.benchmark):
        yield "benchmark", f"{schema.benchmark!r} is not lower case letters, digits and underscores"
    if not schema.categories:
        yield "categories", "there are none"


def _categories(schema: Schema) -> Iterator[_Fault]:
    for key, category in schema.categories.items():
        where = f"categories.{key}"
        yield from _classes(category, where)
        yield from _changes(category, where)
        yield from _published(category, where)
        yield from _readers(category, where)


def _classes(category: Category, where: str) -> Iterator[_Fault]:
    if not category.classes:
        yield where, "has no classes"
    owner_of_name: dict[str, str] = dict.fromkeys(NORMAL_LABELS, "the reserved class of normal images")
    owner_of_name.update(dict.fromkeys(map(fold, VERDICTS), "a reserved verdict"))
    owner_of_label: dict[str, str] = {}
    for number, defect in enumerate(category.classes):
        spot = f"{where}.classes.{number}"
        yield from _texts(defect, spot)
        yield from _names(defect, spot, owner_of_name)
        yield from _sources(defect, spot, owner_of_label, category.changes)


def _texts(defect: DefectClass, spot: str) -> Iterator[_Fault]:
    if defect.id == GOOD or not _ID.fullmatch(defect.id):
        yield f"{spot}.id", f"{defect.id!r} is reserved or not made of a-z, 0-9, - and _"
    for key, text in (("definition", defect.definition), ("not", defect.not_this)):
        if text and len(text) < MIN_DEFINITION:
            yield f"{spot}.{key}", "too short to decide by"


def _names(defect: DefectClass, spot: str, owner_of: dict[str, str]) -> Iterator[_Fault]:
    """Faults of a class's names; adds them, folded, to `owner_of`, which holds those of the classes before it."""
    own: set[str] = set()
    for key, name in [("id", defect.id), ("name", defect.name), *(("aliases", alias) for alias in defect.aliases)]:
        folded = fold(name)
        if not folded or _JOINS & set(name):
            yield f"{spot}.{key}", f"{name!r} has no letter or digit, or one of {' '.join(sorted(_JOINS))}"
        if folded in owner_of:
            yield f"{spot}.{key}", f"{name!r} already names {owner_of[folded]}"
        if folded in own and key == "aliases":
            yield f"{spot}.{key}", f"{name!r} says nothing new"
        own.add(folded)
    owner_of.update(dict.fromkeys(own, f"class {defect.id}"))


def _sources(defect: DefectClass, spot: str, owner_of: dict[str, str], changes: Sequence[Change]) -> Iterator[_Fault]:
    """Faults of a class's source labels; adds them to `owner_of`, which holds those of the classes before it."""
    if not defect.source:
        yield f"{spot}.source", "no source label maps to this class"
    for label in defect.source:
        if label in owner_of:
            yield f"{spot}.source", f"{label!r} maps to {owner_of[label]} already"
        owner_of[label] = defect.id
        explained = any(change.source == label and defect.id in change.into for change in changes)
        if fold(label) not in map(fold, defect.names) and slug(label) != defect.id and not explained:
            yield f"{spot}.source", f"{label!r} needs a merge or rename entry in `changes` that says why"


def _changes(category: Category, where: str) -> Iterator[_Fault]:
    sources = _source_labels(category)
    for number, change in enumerate(category.changes):
        spot = f"{where}.changes.{number}"
        for class_id in change.into:
            if class_id not in category.class_ids:
                yield f"{spot}.into", f"{class_id!r} is no class of this category"
        if change.kind in {"merge", "rename"} and not any(
            change.source in defect.source and defect.id in change.into for defect in category.classes
        ):
            yield spot, f"no class lists {change.source!r} in its `source`"
        if change.kind == "mixed" and change.source in sources:
            yield spot, f"{change.source!r} is mixed and yet the source of a class"
        if change.kind == "exclude" and change.source not in sources:
            yield spot, f"{change.source!r} is the source of no class, so there is no label to keep"


def _readers(category: Category, where: str) -> Iterator[_Fault]:
    """Faults of the texts that models and annotators read, who see a picture and nothing else.

    They do not speak of folders and source labels, and what stands in backticks is a class id.
    """
    texts = {name: getattr(category, name) for name in ("object", "normal", "guide")}
    for number, defect in enumerate(category.classes):
        texts |= {f"classes.{number}.definition": defect.definition, f"classes.{number}.not": defect.not_this}
    for number, published in enumerate(category.published):
        if published.id not in category.class_ids:
            texts[f"published.{number}.definition"] = published.definition
    named = {fold(name) for defect in category.classes for name in defect.names}
    answers = {*category.answers, *(published.id for published in category.published)}
    hidden = {change.source for change in category.changes if fold(change.source) not in named}
    for key, text in texts.items():
        quoted = [label for label in sorted(hidden) if re.search(_quoted(label), text)]
        if found := [*_MAPPING.findall(text), *quoted]:
            unseen = "which neither a model nor an annotator sees: say it in a `reason` of `changes`"
            yield f"{where}.{key}", f"talks of {found[0]!r}, {unseen}"
        for name in re.findall(r"`([^`]*)`", text):
            if name not in answers and name not in quoted:
                yield f"{where}.{key}", f"`{name}` is no class of this category; backticks are for class ids"


def _quoted(label: str) -> str:
    """A pattern for a label of the dataset in quotes; a plain word without quotes may mean anything."""
    return rf"""[`"'“]{re.escape(label)}[`"'”]""" + ("" if label.isalpha() else rf"|\b{re.escape(label)}\b")


def _published(category: Category, where: str) -> Iterator[_Fault]:
    owner_of_name: dict[str, str] = {}
    owner_of_set: dict[tuple[str, ...], str] = {}
    for number, published in enumerate(category.published):
        spot = f"{where}.published.{number}"
        for name in set(map(fold, published.names)):
            if name in owner_of_name:
                yield spot, f"{name!r} already names {owner_of_name[name]} of the published classes"
            owner_of_name[name] = published.id
        yield from _sets(published, spot, owner_of_set, category)


def _sets(
    published: PublishedClass, spot: str, owner_of: dict[tuple[str, ...], str], category: Category
) -> Iterator[_Fault]:
    """Faults of a published class's label sets; adds them to `owner_of`, which holds those of the classes before it."""
    if not published.sets:
        yield spot, "holds no label set"
    for labels in published.sets:
        if not labels:
            yield f"{spot}.sets", "an empty label set is no class"
        if unknown := sorted(set(labels) - set(category.class_ids)):
            yield f"{spot}.sets", f"{', '.join(unknown)}: no class of this category"
        if labels in owner_of:
            yield f"{spot}.sets", f"{{{', '.join(labels)}}} is in {owner_of[labels]} already"
        owner_of[labels] = published.id


def _totality(schema: Schema, known: KnownLabels) -> Iterator[_Fault]:
    """Labels of the dataset that map nowhere, and labels of the schema that the dataset does not have."""
    labels_of = {key: _split(strings) for key, strings in known.items()}
    for key, labels in labels_of.items():
        category = schema.category(key)
        if category is None:
            yield "categories", f"the dataset's category {key!r} is missing"
            continue
        mixed = {change.source for change in category.changes if change.kind == "mixed"}
        for label in labels - _source_labels(category) - mixed:
            yield f"categories.{key}", f"the dataset's label {label!r} maps to no class and is not excluded"
    for key, category in schema.categories.items() if known else ():
        if key not in known:
            yield f"categories.{key}", "the dataset has no such category"
            continue
        for number, defect in enumerate(category.classes):
            for label in defect.source:
                if label not in labels_of[key]:
                    yield f"categories.{key}.classes.{number}.source", f"the dataset has no label {label!r}"


def _split(strings: Sequence[str]) -> set[str]:
    """The single labels of a dataset's label strings."""
    return {label.strip() for string in strings for label in string.split(",")}


def _source_labels(category: Category) -> set[str]:
    """The dataset's labels that map to a class."""
    return {label for defect in category.classes for label in defect.source}
