"""Makes text from outside safe to show: on one line, within bounds, without control characters."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of characters that are none to show: controls, halves of a pair, and separators of lines."""


def tidy(text: str, most: int) -> str:
    """A text on one line of at most `most` characters.

    Control characters, format characters (such as those that turn the direction of writing), unassigned characters and
    lone surrogates are left out.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * most]).split())
    return line if len(line) <= most and len(text) <= 4 * most else line[: most - 1].rstrip() + "…"


def plain(text: str) -> str:
    """A text without control characters, marks that turn the direction of writing, and lone surrogates.

    Line breaks stay, and so do letters of every script with what joins them; a tab becomes a space.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_plain, text))


def printable(name: str) -> str:
    """A file name that may be shown and stored; equal to `name` if nothing has to be escaped.

    Letters of every script stay. Bytes that are not UTF-8, control characters, marks that turn the direction of writing
    and backslashes, which separate folders on other systems, are escaped.
    """
    if name.isascii() and name.isprintable() and "\\" not in name:
        return name
    return "".join(map(_escaped, name))


def json_text(value: Any) -> str:
    """JSON to be shown: what would steer a screen is escaped as JSON escapes it, so that the same value is read.

    Letters of every script stay.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return text if text.isascii() and "\x7f" not in text else "".join(map(_escaped_in_json, text))


def _escaped_in_json(character: str) -> str:
    if character != "\n" and (character in _BIDI or unicodedata.category(character) in _UNSAFE):
        return json.dumps(character)[1:-1] if ord(character) > 0x7F else f"\\u{ord(character):04x}"
    return character


def _plain(character: str) -> str:
    if character in "\t\n":
        return " " if character == "\t" else character
    return "" if character in _BIDI or unicodedata.category(character) in _UNSAFE else character


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character in _BIDI or unicodedata.category(character) in _UNSAFE:
        return ascii(character)[1:-1]
    return character
