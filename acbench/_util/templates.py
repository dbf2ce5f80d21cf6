"""Reads the texts and pages in the folder `templates`, and fills in their placeholders.

A text file holds sections, each under its name in square brackets on a line of its own; `$name` is a placeholder.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template

from acbench._util.text import plain

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


def source(file: str) -> str:
    """The text of one file, such as a script or a style sheet that a page holds."""
    return (_FOLDER / file).read_text(encoding="utf-8")


def html(name: str, **values: object) -> str:
    """The page `<name>.html` (Jinja) with these values; every text in them is escaped, and holds no control characters.

    What a template marks as `safe` stands as it is: that is for texts of ours only.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_without_controls)
    return environment.from_string(source(f"{name}.html")).render(values)


def _without_controls(value: object) -> object:
    return plain(value) if type(value) is str else value  # a subclass is markup that is escaped already


def embedded_json(value: object) -> str:
    """JSON that can stand in a `script` element: no text in it, whoever wrote it, ends the element or begins another.

    Texts lose their control characters, as those of `html` do. Raises ValueError for a number that JSON does not have.
    """
    text = json.dumps(_all_without_controls(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_INERT)


def _all_without_controls(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(_without_controls(key)): _all_without_controls(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_all_without_controls(inner) for inner in value]
    return _without_controls(value)


_INERT = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def content_hash(text: str) -> str:
    """How a Content-Security-Policy names an inline script or style sheet with this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
