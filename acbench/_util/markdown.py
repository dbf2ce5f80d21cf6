"""Writes pieces of Markdown: tables, escaped text, and text that unfolds on a click."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_ESCAPES = {ord(mark): f"\\{mark}" for mark in "\\`*_{}[]()#+!|~$"} | {ord(mark): f"&#{ord(mark)};" for mark in "<>@&"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. Its cells are Markdown that stays within its cell: see `cell` and `escaped`."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(markdown: str) -> str:
    """Our own Markdown as one cell: on one line, and without what would end the cell or begin HTML."""
    return " ".join(markdown.split()).replace("|", "\\|").replace("<", "&lt;")


def escaped(text: str) -> str:
    """Anybody's text as plain text: no markup, no link, no HTML, no cell of its own."""
    return text.translate(_ESCAPES)


def folded(title: str, markdown: str) -> str:
    """Markdown that is shown on a click."""
    return f"<details><summary>{title}</summary>\n\n{markdown}\n\n</details>"
