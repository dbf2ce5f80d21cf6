"""Texts with places to fill in, in files beside this one.

A file holds sections, each under its name in square brackets on a line of its own; `$name` is a place to fill in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

_HEAD = re.compile(r"^\[([a-z_]+)\]$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Texts:
    """One file of texts."""

    source: str
    """The whole file: to be hashed into the name of whoever uses it."""
    sections: Mapping[str, str]

    def fill(self, section: str, **values: object) -> str:
        """A section with every place filled in. Raises KeyError if there is no such section or a value is missing."""
        return Template(self.sections[section]).substitute(values)


_FOLDER = resources.files("acbench") / "templates"


def read(name: str) -> Texts:
    """The texts in `<name>.txt`."""
    source = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    _, *parts = _HEAD.split(source)
    return Texts(source, dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True)))


def html(name: str, **values: Any) -> str:
    """The page `<name>.html` (Jinja) with these values; every text in them is escaped."""
    from jinja2 import Environment, StrictUndefined

    page = (_FOLDER / f"{name}.html").read_text(encoding="utf-8")
    found = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(page)
    return found.render(values)
