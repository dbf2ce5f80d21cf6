"""Reads a label schema from YAML, strictly, and names the line of everything that is wrong with it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import yaml

from acbench.errors import SchemaError
from acbench.records import label_set
from acbench.schema.model import Category, Change, ChangeKind, DefectClass, PublishedClass, Schema
from acbench.storage.bundled import bundled_folder

MAX_BYTES = 4 << 20
"""A schema larger than this is not one."""

DEEPEST = 10
"""So many mappings and lists may lie in each other; a schema needs seven."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
_KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong with a schema file."""

    line: int
    """1-based; 0 if it concerns the whole file."""
    where: str
    """Such as `categories.bottle.classes.0`."""
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.where}: {self.message}"


def names() -> list[str]:
    """The benchmarks whose schemas are bundled."""
    folder = bundled_folder("label_schemas")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def source_text(name_or_path: str) -> tuple[str, str]:
    """The YAML of a bundled benchmark or of a file, and what to call it in messages."""
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        try:
            if path.stat().st_size > MAX_BYTES:
                raise SchemaError(f"{path} is larger than {MAX_BYTES >> 20} MiB", "give a label schema")
            return path.read_text(encoding="utf-8"), str(path)
        except (OSError, UnicodeDecodeError) as error:
            raise SchemaError(f"cannot read the schema {path}: {error}", "check the path") from None
    if name_or_path not in names():
        raise SchemaError(
            f"there is no bundled benchmark {name_or_path!r}",
            f"one of {', '.join(names())}, or the path of your own schema.yaml",
        )
    text = bundled_folder("label_schemas").joinpath(f"{name_or_path}.yaml").read_text(encoding="utf-8")
    return text, f"{name_or_path}.yaml"


def load(name_or_path: str) -> Schema:
    """A bundled benchmark's schema by name, or a schema file by path.

    Raises SchemaError listing what is wrong, by line.
    """
    text, title = source_text(name_or_path)
    schema, problems = parse(text)
    if schema is None or problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:10])
        raise SchemaError(
            f"{title} is not a usable schema:\n{shown}",
            f"acbench schema check {name_or_path}  lists everything",
        )
    return schema if name_or_path in names() else dataclasses.replace(schema, given=name_or_path)


def parse(text: str) -> tuple[Schema | None, list[Problem]]:
    """A schema from YAML text, and the problems found; the schema is None if it has no usable shape."""
    try:
        if refused := _refused(text):
            return None, [refused]
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 0
        what = f"{getattr(error, 'problem', error)}"
        # Some libyaml look ahead over so many brackets that they see the depth before we do.
        return None, [Problem(line, "file", "nested too deeply" if "nesting depth" in what else f"not YAML: {what}")]
    reader = _Reader()
    top = reader.mapping(
        _Spot(root, ""),
        required=("benchmark", "version", "source", "title", "licence", "attribution", "about", "categories"),
    )
    if not isinstance(top.get("categories"), _Spot):
        return None, sorted(reader.problems)
    categories = {key: reader.category(key, spot) for key, spot in reader.entries(top["categories"]).items()}
    head = {key: reader.text(spot) for key, spot in top.items() if key != "categories"}
    if reader.problems:
        return None, sorted(reader.problems)
    content = {**head, "categories": {key: dataclasses.asdict(one) for key, one in categories.items()}}
    encoded = json.dumps(content, ensure_ascii=False).encode()
    digest = hashlib.blake2b(encoded, digest_size=4).hexdigest()
    return Schema(**head, categories=categories, digest=digest), []


def _refused(text: str) -> Problem | None:
    """What a small file could do harm with: depth, which the C composer follows until the stack ends, and aliases."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST or isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark is not None else 0
            return Problem(line, "file", "nested too deeply" if depth > DEEPEST else "YAML aliases are not allowed")
    return None


def lines(text: str) -> Callable[[str], int]:
    """A lookup from a place such as `categories.bottle.classes.0` to its 1-based line in `text`."""
    table: dict[str, int] = {}

    def walk(node: Any, where: str) -> None:
        table[where] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                walk(value, f"{where}.{key.value}".lstrip("."))
                table[f"{where}.{key.value}".lstrip(".")] = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                walk(value, f"{where}.{number}")

    def find(where: str) -> int:
        while where and where not in table:  # `published` may be left out, and its entries be plain words
            where = where.rpartition(".")[0]
        return table.get(where, 0)

    walk(yaml.compose(text, Loader=_LOADER), "")
    return find


@dataclass(frozen=True, slots=True)
class _Spot:
    """A YAML node and where it stands."""

    node: Any
    where: str

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1 if self.node is not None else 0


class _Reader:
    """Turns YAML nodes into records; collects problems instead of stopping at the first.

    Scalars are taken as the text that was written: `no` is a word here, and `1` a version.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, spot: _Spot, message: str) -> None:
        self.problems.append(Problem(spot.line, spot.where or "file", message))

    def entries(self, spot: _Spot) -> dict[str, _Spot]:
        if not isinstance(spot.node, yaml.MappingNode):
            self.problem(spot, "expected a mapping")
            return {}
        found: dict[str, _Spot] = {}
        for key, value in spot.node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.problem(_Spot(key, spot.where), "a key has to be text")
                continue
            name = str(key.value)
            below = _Spot(value, f"{spot.where}.{name}".lstrip("."))
            if name in found:
                self.problem(below, "given twice")
            found[name] = below
        return found

    def mapping(self, spot: _Spot, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, _Spot]:
        found = self.entries(spot)
        for name in required:
            if name not in found:
                self.problem(spot, f"`{name}` is missing")
        for name in set(found) - {*required, *optional}:
            self.problem(found.pop(name), f"unknown key `{name}`")
        return found

    def items(self, spot: _Spot | None) -> list[_Spot]:
        if spot is None:
            return []
        if not isinstance(spot.node, yaml.SequenceNode):
            self.problem(spot, "expected a list")
            return []
        return [_Spot(node, f"{spot.where}.{number}") for number, node in enumerate(spot.node.value)]

    def text(self, spot: _Spot | None) -> str:
        if spot is None:
            return ""
        if not isinstance(spot.node, yaml.ScalarNode):
            self.problem(spot, "expected text")
            return ""
        value = " ".join(str(spot.node.value).split())
        if not value:
            self.problem(spot, "is empty")
        if _UNPRINTABLE.search(value):
            self.problem(spot, "holds a control character")
        return value

    def texts(self, spot: _Spot | None) -> tuple[str, ...]:
        return tuple(self.text(each) for each in self.items(spot))

    def category(self, key: str, spot: _Spot) -> Category:
        parts = self.mapping(
            spot, required=("name", "object", "normal", "guide", "classes"), optional=("changes", "published")
        )
        classes = tuple(self.defect_class(each) for each in self.items(parts.get("classes")))
        changes = tuple(self.change(each) for each in self.items(parts.get("changes")))
        plain = {one.id: _plainly(one) for one in classes}
        published = (
            tuple(self.published(each, plain) for each in self.items(parts["published"]))
            if "published" in parts
            else tuple(plain.values())
        )
        return Category(
            key=key,
            classes=classes,
            changes=changes,
            published=published,
            **{name: self.text(parts.get(name)) for name in ("name", "object", "normal", "guide")},
        )

    def defect_class(self, spot: _Spot) -> DefectClass:
        parts = self.mapping(spot, required=("id", "name", "definition", "not", "source"), optional=("aliases",))
        return DefectClass(
            id=self.text(parts.get("id")),
            name=self.text(parts.get("name")),
            definition=self.text(parts.get("definition")),
            not_this=self.text(parts.get("not")),
            aliases=self.texts(parts.get("aliases")),
            source=self.texts(parts.get("source")),
        )

    def change(self, spot: _Spot) -> Change:
        parts = self.mapping(spot, required=("kind", "source", "reason"), optional=("into", "image"))
        kind = self.text(parts.get("kind"))
        if kind not in _KINDS:
            self.problem(parts.get("kind", spot), f"kind is {kind!r}, not one of {', '.join(_KINDS)}")
        into = parts.get("into")
        plural = into is not None and isinstance(into.node, yaml.SequenceNode)
        targets = self.texts(into) if plural else ((self.text(into),) if into is not None else ())
        if bool(targets) != (kind in {"merge", "rename", "correct"}):
            self.problem(spot, f"`into` {'does not go with' if targets else 'is missing for'} kind {kind}")
        if ("image" in parts) != (kind == "correct"):
            self.problem(spot, "`image` goes with kind correct, and only with it")
        return Change(
            kind=cast(ChangeKind, kind),
            source=self.text(parts.get("source")),
            into=label_set(targets),
            image=self.text(parts.get("image")),
            reason=self.text(parts.get("reason")),
        )

    def published(self, spot: _Spot, plain: Mapping[str, PublishedClass]) -> PublishedClass:
        if isinstance(spot.node, yaml.ScalarNode):
            name = self.text(spot)
            if name not in plain:
                self.problem(spot, f"{name!r} is no class of this category")
            return plain.get(name, PublishedClass(id=name, name="", definition="", aliases=(), sets=(), reason=""))
        parts = self.mapping(spot, required=("id", "name", "definition", "sets", "reason"), optional=("aliases",))
        sets = tuple(label_set(self.texts(each)) for each in self.items(parts.get("sets")))
        return PublishedClass(
            id=self.text(parts.get("id")),
            name=self.text(parts.get("name")),
            definition=self.text(parts.get("definition")),
            aliases=self.texts(parts.get("aliases")),
            sets=sets,
            reason=self.text(parts.get("reason")),
        )


def _plainly(one: DefectClass) -> PublishedClass:
    return PublishedClass(
        id=one.id, name=one.name, definition=one.definition, aliases=one.aliases, sets=((one.id,),), reason=""
    )
