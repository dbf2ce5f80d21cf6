"""Text from outside, made safe to show: on one line, within bounds, without control characters."""

from __future__ import annotations

import unicodedata

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def tidy(text: str, most: int) -> str:
    """Text from a stranger as one line of at most `most` characters.

    Control, format (as those that turn the direction of writing) and unassigned characters and lone surrogates go.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * most]).split())
    return line if len(line) <= most and len(text) <= 4 * most else line[: most - 1].rstrip() + "…"


def printable(name: str) -> str:
    """A file name as it may be shown, stored and printed; equal to `name` if nothing had to be escaped.

    Letters of every script stay. Bytes that are not UTF-8, control characters, marks that turn the direction
    of writing and backslashes, which separate folders elsewhere, are escaped.
    """
    if name.isascii() and name.isprintable() and "\\" not in name:
        return name
    return "".join(_escaped(each) for each in name)


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character in _BIDI or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
        return ascii(character)[1:-1]
    return character
