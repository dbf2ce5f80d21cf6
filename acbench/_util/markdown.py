"""Writes pieces of Markdown: tables, escaped text, and text that unfolds on a click."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from acbench._util.text import plain

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9/._~%?=&+:,;@-]*)?")
_NO_CODE = frozenset("`|<&\\")
"""Marks that code cannot hold in every place, or shows otherwise."""
_ESCAPES = {ord(mark): f"\\{mark}" for mark in "\\`*_{}[]()#+!|~$"} | {ord(mark): f"&#{ord(mark)};" for mark in "<>@&"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. Its cells are Markdown that stays within its cell: see `cell` and `escaped`."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(markdown: str) -> str:
    """Our own Markdown as one cell: on one line, and without what would end the cell or begin HTML."""
    line = " ".join(markdown.split()).replace("<", "&lt;")
    return re.sub(r"(\\.)|\|", lambda found: found[1] or "\\|", line)


def escaped(text: str) -> str:
    """Anybody's text as plain text on one line: no markup, no HTML, no cell of its own, no control characters."""
    return plain(text).replace("\n", " ").translate(_ESCAPES)


def code(text: str) -> str:
    """Anybody's text as code, or as plain text if code cannot hold it."""
    holds = text and text == " ".join(plain(text).split()) and not _NO_CODE & set(text)
    return f"`{text}`" if holds else escaped(text)


def linked(text: str) -> str:
    """Anybody's text as plain text; an address of the web stays one, which pages make a link of."""
    return text if _ADDRESS.fullmatch(text) else escaped(text)


def folded(title: str, markdown: str) -> str:
    """Markdown that is shown on a click. `title`: anybody's text."""
    return f"<details><summary>{html.escape(plain(title))}</summary>\n\n{markdown}\n\n</details>"
