"""Reads a label schema from YAML, strictly, and names the line of everything that is wrong with it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import cast, get_args

import yaml

from acbench.errors import SchemaError
from acbench.records import GOOD, Reading, label_set
from acbench.schema.model import Boundary, Category, Change, ChangeKind, DefectClass, PublishedClass, Schema
from acbench.schema.nodes import NodeReader, Problem, Spot, UnreadableYaml, compose
from acbench.storage.bundled import bundled_folder

MAX_BYTES = 4 << 20
"""The size of the largest file that is read as a schema."""

_KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)
_BOUNDARY = "boundary"
"""The kind of an entry of `changes` that tells classes apart, and departs from no label of the dataset."""
_HEAD = ("benchmark", "version", "source", "title", "licence", "attribution", "about")
_CATEGORY_TEXTS = ("name", "object", "normal", "guide")


def names() -> list[str]:
    """The benchmarks whose schemas are bundled, sorted."""
    folder = bundled_folder("label_schemas")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def source_text(name_or_path: str) -> tuple[str, str]:
    """The YAML of a bundled benchmark or of a file, and its name for messages. Raises SchemaError."""
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        return _file_text(path), str(path)
    if name_or_path not in names():
        raise SchemaError(
            f"there is no bundled benchmark {name_or_path!r}",
            f"one of {', '.join(names())}, or the path of your own schema.yaml",
        )
    text = bundled_folder("label_schemas").joinpath(f"{name_or_path}.yaml").read_text(encoding="utf-8")
    return text, f"{name_or_path}.yaml"


def load(name_or_path: str) -> Schema:
    """The schema of a bundled benchmark by name, or of a file by path. Raises SchemaError listing what is wrong."""
    text, title = source_text(name_or_path)
    schema, problems = parse(text)
    if schema is None or problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:10])
        raise SchemaError(
            f"{title} is not a usable schema:\n{shown}",
            f"acbench schema check {name_or_path}  lists everything",
        )
    return schema if name_or_path in names() else dataclasses.replace(schema, file=name_or_path)


def parse(text: str) -> tuple[Schema | None, list[Problem]]:
    """A schema from YAML text, and its problems by line; the schema is None if a part of it cannot be read."""
    try:
        top = compose(text)
    except UnreadableYaml as error:
        return None, [error.problem]
    reader = NodeReader()
    parts = reader.mapping(top, required=(*_HEAD, "categories"), optional=("reading",))
    if "categories" not in parts:
        return None, sorted(reader.problems)
    categories = {key: _category(reader, key, spot) for key, spot in reader.entries(parts["categories"]).items()}
    head = {key: reader.text(spot) for key, spot in parts.items() if key not in {"categories", "reading"}}
    reading = _reading(reader, parts["reading"]) if "reading" in parts else {}
    if reader.problems:
        return None, sorted(reader.problems)
    return Schema(**head, categories=categories, reading=reading, digest=_digest(head, categories, reading)), []


def _file_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SchemaError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "give a label schema")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError(f"cannot read the schema {path}: {error}", "check the path") from None


def _reading(reader: NodeReader, spot: Spot) -> dict[str, str | tuple[str, ...]]:
    """Options of the source: each has one text, or a list."""
    return {
        key: reader.texts(each) if isinstance(each.node, yaml.SequenceNode) else reader.text(each)
        for key, each in reader.entries(spot).items()
    }


def _digest(head: Mapping[str, str], categories: Mapping[str, Category], reading: Reading) -> str:
    """8 hex of everything that a schema says, in the order in which it says it."""
    contents = {key: dataclasses.asdict(category) for key, category in categories.items()}
    for content in contents.values():
        if not content["boundaries"]:
            del content["boundaries"]  # a schema without any keeps the digest that it had before there were any
    said = {**head, **({"reading": dict(reading)} if reading else {}), "categories": contents}
    encoded = json.dumps(said, ensure_ascii=False).encode()
    return hashlib.blake2b(encoded, digest_size=4).hexdigest()


def _category(reader: NodeReader, key: str, spot: Spot) -> Category:
    parts = reader.mapping(spot, required=(*_CATEGORY_TEXTS, "classes"), optional=("changes", "published"))
    classes = tuple(_defect_class(reader, item) for item in reader.items(parts.get("classes")))
    class_ids = {defect.id for defect in classes}
    changes = [_change(reader, item, class_ids) for item in reader.items(parts.get("changes"))]
    own = {defect.id: _published_as_it_is(defect) for defect in classes}
    published = tuple(own.values())
    if "published" in parts:
        published = tuple(_published_class(reader, item, own) for item in reader.items(parts["published"]))
    return Category(
        key=key,
        classes=classes,
        changes=tuple(change for change in changes if isinstance(change, Change)),
        published=published,
        boundaries=tuple(change for change in changes if isinstance(change, Boundary)),
        **{name: reader.text(parts.get(name)) for name in _CATEGORY_TEXTS},
    )


def _defect_class(reader: NodeReader, spot: Spot) -> DefectClass:
    parts = reader.mapping(spot, required=("id", "name", "definition", "not", "source"), optional=("aliases",))
    return DefectClass(
        id=reader.text(parts.get("id")),
        name=reader.text(parts.get("name")),
        definition=reader.text(parts.get("definition")),
        not_this=reader.text(parts.get("not")),
        aliases=reader.texts(parts.get("aliases")),
        source=reader.texts(parts.get("source")),
    )


def _change(reader: NodeReader, spot: Spot, class_ids: Collection[str]) -> Change | Boundary:
    parts = reader.mapping(spot, required=("kind", "reason"), optional=("source", "into", "image", "between"))
    kind, reason = reader.text(parts.get("kind")), reader.text(parts.get("reason"))
    if kind not in (*_KINDS, _BOUNDARY):
        reader.problem(parts.get("kind", spot), f"kind is {kind!r}, not one of {', '.join((*_KINDS, _BOUNDARY))}")
    targets = _targets(reader, parts.get("into"))
    if bool(targets) != (kind in {"merge", "rename", "correct"}):
        reader.problem(spot, f"`into` {'does not go with' if targets else 'is missing for'} kind {kind}")
    if ("image" in parts) != (kind == "correct"):
        reader.problem(spot, "`image` goes with kind correct, and only with it")
    if ("between" in parts) != (kind == _BOUNDARY):
        reader.problem(spot, f"`between` goes with kind {_BOUNDARY}, and only with it")
    if ("source" in parts) == (kind == _BOUNDARY):
        reader.problem(spot, "`source` is missing" if kind != _BOUNDARY else f"`source` does not go with kind {kind}")
    if kind == _BOUNDARY:
        return Boundary(classes=_between(reader, parts.get("between"), class_ids), reason=reason)
    return Change(
        kind=cast(ChangeKind, kind),
        source=reader.text(parts.get("source")),
        into=label_set(targets),
        image=reader.text(parts.get("image")),
        reason=reason,
    )


def _between(reader: NodeReader, between: Spot | None, class_ids: Collection[str]) -> tuple[str, ...]:
    """The classes that a boundary tells apart; `good` may be one."""
    if between is None:
        return ()
    classes = reader.texts(between)
    if len(set(classes)) < 2:
        reader.problem(between, "a boundary is between two classes or more")
    for class_id in set(classes) - {GOOD, *class_ids}:
        reader.problem(between, f"{class_id!r} is no class of this category")
    return classes


def _targets(reader: NodeReader, into: Spot | None) -> tuple[str, ...]:
    """The class ids that a label becomes: one text, or a list."""
    if into is None:
        return ()
    return reader.texts(into) if isinstance(into.node, yaml.SequenceNode) else (reader.text(into),)


def _published_class(reader: NodeReader, spot: Spot, own: Mapping[str, PublishedClass]) -> PublishedClass:
    """A class of `own` by its id alone, or a class with label sets of its own."""
    if isinstance(spot.node, yaml.ScalarNode):
        name = reader.text(spot)
        if name not in own:
            reader.problem(spot, f"{name!r} is no class of this category")
        return own.get(name, PublishedClass(id=name, name="", definition="", aliases=(), sets=(), reason=""))
    parts = reader.mapping(spot, required=("id", "name", "definition", "sets", "reason"), optional=("aliases",))
    return PublishedClass(
        id=reader.text(parts.get("id")),
        name=reader.text(parts.get("name")),
        definition=reader.text(parts.get("definition")),
        aliases=reader.texts(parts.get("aliases")),
        sets=tuple(label_set(reader.texts(item)) for item in reader.items(parts.get("sets"))),
        reason=reader.text(parts.get("reason")),
    )


def _published_as_it_is(defect: DefectClass) -> PublishedClass:
    return PublishedClass(
        id=defect.id,
        name=defect.name,
        definition=defect.definition,
        aliases=defect.aliases,
        sets=((defect.id,),),
        reason="",
    )
