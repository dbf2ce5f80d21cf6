"""Writes a first label schema for people to fill in: what the data says, and a TODO wherever only a person can know."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from acbench.records import Reading
from acbench.schema.nodes import DRAFT, TODO

_HEAD = """\
# Made by `acbench schema init` from {root}:
# {says}.
# Each {todo} is a text for the people and models who label, or for those who use the labels. Write it, or take its
# line away; nobody needs it before `acbench publish`. `acbench schema check {file}` counts them.
"""
_OWNER = """\
attribution: {todo} who made the images
image_licence: {todo} its SPDX id, such as CC-BY-4.0, or LicenseRef-proprietary
share_images: {todo} yes or no, whether the images may be passed on
# licence: that of the labels, if it is not that of the images
# home: where the images are to be had
# citation: how to cite them
# contact: where to report a wrong label
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClass:
    """A class of a new schema."""

    id: str
    name: str
    source: Sequence[str]
    """The dataset's labels that mean it."""
    aliases: Sequence[str] = ()
    images: int = 0
    definition: str = ""
    """What a model has drafted; empty without a draft."""
    not_this: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCategory:
    """A category of a new schema."""

    folder: str
    """What the dataset calls it."""
    name: str
    classes: Sequence[NewClass]
    object: str = ""
    """What a model has drafted, as the next two; empty without a draft."""
    normal: str = ""
    guide: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchema:
    """What a new schema says."""

    benchmark: str
    title: str
    source: str
    reading: Reading
    says: str
    """What was recognised, in one line."""
    root: str
    categories: Sequence[NewCategory]
    licence: str = ""
    """SPDX id of the licence of the images, if their source knows it; else the schema has to say whose they are."""


def schema_text(new: NewSchema, file: str) -> str:
    """The YAML of a new schema that will lie at the path `file`."""
    lines = [_HEAD.format(root=_one_line(new.root), says=_one_line(new.says), todo=TODO, file=file)]
    lines += [f"benchmark: {inline(new.benchmark)}\n", f"source: {inline(new.source)}\n"]
    if new.reading:
        lines += ["reading:\n", *_reading(new.reading)]
    lines += [f"title: {inline(new.title)}\n", _owner(new), "categories:\n"]
    for category in new.categories:
        lines += _category(category)
    return "".join(lines)


def _owner(new: NewSchema) -> str:
    return f"licence: {new.licence}\n" if new.licence else _OWNER.format(todo=TODO)


def _reading(reading: Reading) -> Iterator[str]:
    for key, value in reading.items():
        yield f"  {inline(key)}: {inline(value)}\n"


def _category(category: NewCategory) -> Iterator[str]:
    yield f"\n  {inline(category.folder)}:\n    name: {inline(category.name)}\n"
    yield _text(4, "object", category.object, "what the pictures show")
    yield _text(4, "normal", category.normal, "what a normal one looks like, harmless variation included")
    if category.guide:
        yield _text(4, "guide", category.guide, "")
    yield "    classes:\n"
    for each in category.classes:
        yield f"      - id: {inline(each.id)}\n        name: {inline(each.name)}\n"
        yield _text(8, "definition", each.definition, f"what makes a defect this class ({each.images:,} images)")
        if each.not_this:
            yield _text(8, "not", each.not_this, "")
        if each.aliases:
            yield f"        aliases: {inline(each.aliases)}\n"
        yield f"        source: {inline(each.source)}\n"


def _text(indent: int, key: str, draft: str, todo: str) -> str:
    """A text that a model has drafted, or that is still to be written."""
    head = f"{' ' * indent}{key}: "
    if not draft:
        return f"{head}{TODO} {todo}\n"
    lines = textwrap.wrap(f"{DRAFT} {draft}", 100, break_long_words=False, break_on_hyphens=False)
    return head + ">\n" + textwrap.indent("\n".join(lines), " " * (indent + 2)) + "\n"


def inline(value: str | Sequence[str] | Mapping[str, str]) -> str:
    """A text, or a list or mapping of texts, on one line, with quotes where YAML needs them."""
    plain = value if isinstance(value, str | Mapping) else list(value)
    text = str(yaml.safe_dump(plain, allow_unicode=True, width=math.inf, default_flow_style=True, sort_keys=False))
    return text.partition("\n")[0]


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else "?" for char in text).split()).rstrip(".")
