"""Reads the texts and pages in the folder `templates`, and fills in their placeholders.

A text file holds sections, each under its name in square brackets on a line of its own; `$name` is a placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template

_HEAD = re.compile(r"^\[([a-z_]+)\]$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one file."""

    source: str
    """The whole file, for the hash in the name of a proposer or system that uses it."""
    sections: Mapping[str, str]
    """Name → text."""

    def fill(self, section: str, **values: object) -> str:
        """A section with every placeholder filled in. Raises KeyError for an unknown section or a missing value."""
        return Template(self.sections[section]).substitute(values)


_FOLDER = resources.files("acbench") / "templates"


def read(name: str) -> Texts:
    """The texts in `<name>.txt`."""
    source = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    _, *parts = _HEAD.split(source)
    return Texts(source, dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True)))


def html(name: str, **values: object) -> str:
    """The page `<name>.html` (Jinja) with these values; every text in them is escaped."""
    from jinja2 import Environment, StrictUndefined

    page = (_FOLDER / f"{name}.html").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(page)
    return template.render(values)
