"""Reads a label schema from YAML, strictly, and names the line of everything that is wrong with it."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import os
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import yaml

from acbench.errors import SchemaError
from acbench.records import GOOD, Reading, label_set
from acbench.schema import publisher, short_forms
from acbench.schema.class_names import benchmark_name, category_key, readable, slug
from acbench.schema.model import Boundary, Category, Change, ChangeKind, DefectClass, PublishedClass, Schema
from acbench.schema.nodes import NodeReader, Problem, Spot, UnreadableYaml, compose
from acbench.storage.bundled import bundled_folder
from acbench.storage.project import Project, known_schemas

MAX_BYTES = 4 << 20
"""The size of the largest file that is read as a schema."""

_KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)
_BOUNDARY = "boundary"
"""The kind of an entry of `changes` that tells classes apart, and departs from no label of the dataset."""
HEAD = ("benchmark", "version", "source", "title", "licence", "attribution", "about")
"""What a schema says of the benchmark as a whole."""
_CLASS_KEYS = ("id", "name", "definition", "not", "source", "aliases", "negligible")
_CATEGORY_TEXTS = ("name", "object", "normal", "guide")


def names() -> list[str]:
    """The benchmarks whose schemas are bundled, sorted."""
    folder = bundled_folder("label_schemas")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaText:
    """The YAML of a schema, and what it is called."""

    text: str
    title: str
    """Its name for messages: that of the file."""
    stem: str
    """What the benchmark is called if the text does not say it."""
    file: str
    """The path of the file; empty if it is bundled."""


def source_text(name_or_path: str, project: Path | None = None) -> SchemaText:
    """The YAML of a bundled benchmark, of a file, or of a benchmark that a project knows. Raises SchemaError.

    `project`: its folder; None for the one that ACBENCH_PROJECT names, or else the current folder.
    """
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        return SchemaText(text=_file_text(path), title=str(path), stem=path.stem, file=name_or_path)
    if name_or_path in names():
        bundled = bundled_folder("label_schemas").joinpath(f"{name_or_path}.yaml")
        text = bundled.read_text(encoding="utf-8")
        return SchemaText(text=text, title=f"{name_or_path}.yaml", stem=name_or_path, file="")
    known = known_schemas(Project(project.resolve() if project else _usual_project()))
    if name_or_path not in known:
        every = [*names(), *sorted(known)]
        near = difflib.get_close_matches(name_or_path, every, n=1)
        raise SchemaError(
            f"there is no bundled benchmark {name_or_path!r}, and this project knows none of that name",
            f"{f'did you mean {near[0]}? ' if near else ''}one of {', '.join(every)}, or the path of your own"
            " schema.yaml",
        )
    path = known[name_or_path]
    path = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return SchemaText(text=_file_text(path), title=str(path), stem=path.stem, file=str(path))


def _usual_project() -> Path:
    """The folder that commands work in which name none."""
    return Path(os.environ.get("ACBENCH_PROJECT") or ".").resolve()


def argument(name_or_path: str, project: Path | None = None) -> str:
    """How a command names a schema and, if another than the usual one is meant, the project; quoted for a shell."""
    elsewhere = project is not None and project.resolve() != _usual_project()
    return shlex.quote(name_or_path) + (f" --project {shlex.quote(str(project))}" if elsewhere else "")


def load(name_or_path: str, project: Path | None = None) -> Schema:
    """The schema of a benchmark by name, or of a file by path: see `source_text`. Raises SchemaError listing what is
    wrong."""
    found = source_text(name_or_path, project)
    schema, problems = parse(found.text, found.stem)
    if schema is None or problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:10])
        raise SchemaError(
            f"{found.title} is not a usable schema:\n{shown}",
            f"acbench schema check {argument(name_or_path, project)}  lists everything",
        )
    return dataclasses.replace(schema, file=found.file, command=argument(name_or_path, project))


def parse(text: str, name: str = "") -> tuple[Schema | None, list[Problem]]:
    """A schema from YAML text, and its problems by line; the schema is None if a part of it cannot be read.

    `name`: what the benchmark is called if the text does not say it, such as the name of the file.
    """
    try:
        top = compose(text)
    except UnreadableYaml as error:
        return None, [error.problem]
    reader = NodeReader()
    shape = short_forms.misplaced_classes(top)
    if shape:
        return None, [Problem(top.line, "file", shape)]
    parts = reader.mapping(top, required=("categories",), optional=(*HEAD, "reading", *publisher.KEYS))
    head = _head(reader, parts, name)
    said = publisher.read(reader, parts, head)
    if "categories" not in parts:
        return None, sorted(reader.problems)
    categories = _categories(reader, parts["categories"])
    reading = _reading(reader, parts["reading"]) if "reading" in parts else {}
    if reader.problems:
        return None, sorted(reader.problems)
    schema = Schema(
        **head,
        categories=categories,
        reading=reading,
        digest=_digest(head, categories, reading),
        publisher=said,
        todo=tuple(reader.todo),
        drafts=tuple(reader.drafts),
    )
    return schema, []


def _head(reader: NodeReader, parts: Mapping[str, Spot], name: str) -> dict[str, str]:
    """What a schema says of the benchmark as a whole, with a value for everything that it leaves out."""
    said = {key: text for key, spot in parts.items() if key in HEAD and (text := reader.text(spot))}
    benchmark = said.get("benchmark") or benchmark_name(name or "unnamed")
    title = said.get("title") or readable(benchmark)
    defaults = {
        "benchmark": benchmark,
        "version": "1",
        "source": "folders",
        "title": title,
        "licence": "",
        "attribution": "",
        "about": f"Anomaly classification on {title}.",
    }
    return said | {key: value for key, value in defaults.items() if key not in said}


def _categories(reader: NodeReader, spot: Spot) -> dict[str, Category]:
    """Key → category. A name that does not fit in files, tables and commands is replaced by one that does."""
    categories: dict[str, Category] = {}
    for name, entry in short_forms.named(reader, spot).items():
        key = category_key(name, categories)
        categories[key] = _category(reader, name, key, entry)
    return categories


def _file_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SchemaError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "give a label schema")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError(f"cannot read the schema {path}: {error}", "give its path in place of its name") from None


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
        for added in ("boundaries", "folder"):  # a schema without any keeps the digest that it had before
            if not content[added]:
                del content[added]
        for each in content["classes"]:
            if not each["negligible"]:
                del each["negligible"]
    said = {**head, **({"reading": dict(reading)} if reading else {}), "categories": contents}
    encoded = json.dumps(said, ensure_ascii=False).encode()
    return hashlib.blake2b(encoded, digest_size=4).hexdigest()


def _category(reader: NodeReader, name: str, key: str, spot: Spot) -> Category:
    if short_forms.is_list(spot):  # nothing but the names of its classes
        parts = {"classes": spot}
    else:
        parts = reader.mapping(spot, required=("classes",), optional=(*_CATEGORY_TEXTS, "changes", "published"))
    classes = tuple(short_forms.classes(reader, parts.get("classes"), _defect_class))
    class_ids = {defect.id for defect in classes}
    changes = [_change(reader, item, class_ids) for item in reader.items(parts.get("changes"))]
    own = {defect.id: _published_as_it_is(defect) for defect in classes}
    published = tuple(own.values())
    if "published" in parts:
        published = tuple(_published_class(reader, item, own) for item in reader.items(parts["published"]))
    texts = {text: reader.text(parts.get(text)) for text in _CATEGORY_TEXTS}
    return Category(
        key=key,
        folder="" if key == name else name,
        classes=classes,
        changes=tuple(change for change in changes if isinstance(change, Change)),
        published=published,
        boundaries=tuple(change for change in changes if isinstance(change, Boundary)),
        **{**texts, "name": texts["name"] or readable(name)},
    )


def _defect_class(reader: NodeReader, spot: Spot) -> DefectClass:
    parts = reader.mapping(spot, required=(), optional=_CLASS_KEYS)
    if "id" not in parts and "name" not in parts:
        reader.problem(spot, "`id` is missing")
    name = reader.text(parts.get("name")) or reader.text(parts.get("id"))
    class_id = reader.text(parts.get("id")) or slug(name)
    return DefectClass(
        id=class_id,
        name=name if "name" in parts else readable(name),
        definition=reader.text(parts.get("definition")),
        not_this=reader.text(parts.get("not")),
        aliases=reader.texts(parts.get("aliases")),
        source=reader.texts(parts["source"]) if "source" in parts else (class_id if "id" in parts else name,),
        negligible=bool(publisher.yes_or_no(reader, parts.get("negligible"))),
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
