"""Text on a picture: any text, on as many lines as there is room for, in the one font that is always there.

The text is anybody's, a model's or a file's, so it may be endless, or hold what no font draws.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, lru_cache

from PIL import ImageFont

ROWS = 6
"""At most so many rows of text stand below the panels."""
_READ = 1000
"""So many characters of a text are looked at: a model may have gone on without end."""
_PLAIN = str.maketrans({"×": "x", "–": "-", "—": "-", "‑": "-", "−": "-", "→": "->", "≤": "<=", "≥": ">="})
"""The built-in font knows little more than ASCII."""
_TRIED = 17
"""Size at which it is tried whether the font has a character."""


def rows(lines: Sequence[str], size: int, width: int) -> list[str]:
    """The lines wrapped to `ROWS` rows. Each has one at least: a long one cannot push out those below it."""
    texts = [text for text in map(readable, lines[: 10 * ROWS]) if text]
    if len(texts) > ROWS:
        texts[ROWS - 1 :] = [f"… and {len(texts) - ROWS + 1} more"]
    found: list[str] = []
    spare = ROWS - len(texts)
    for text in texts:
        part = wrapped(text, size, width, 1 + spare)
        spare -= len(part) - 1
        found += part
    return found


def line(text: str, size: int, width: int) -> str:
    """The beginning of a text, as much as fits."""
    return "".join(wrapped(readable(text), size, width, 1))


def wrapped(text: str, size: int, width: int, most: int) -> list[str]:
    """At most `most` rows that fit `width` pixels, broken at spaces where there are any."""
    found: list[str] = []
    while text and len(found) < most:
        end = _fitting(text, size, width)
        if end < len(text) and len(found) == most - 1:
            found.append(text[: _fitting(text, size, width - font(size).getlength("…"))].rstrip() + "…")
            break
        if end < len(text):
            end = text.rfind(" ", 1, end + 1) if " " in text[1 : end + 1] else max(end, 1)
        found.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return found


def _fitting(text: str, size: int, width: float) -> int:
    """How many characters fit into so many pixels."""
    measured = font(size).getlength
    return max(0, bisect_right(range(len(text) + 1), width, key=lambda end: measured(text[:end])) - 1)


def readable(text: str) -> str:
    """The text in characters that the font has, on one line, with no control character left."""
    text = unicodedata.normalize("NFC", text[:_READ]).translate(_PLAIN)
    return " ".join("".join(map(_glyph, text)).split())[:_READ]


@lru_cache(maxsize=4096)
def _glyph(character: str) -> str:
    """The character; or its plain letters, as `e` for an accented one; or its code, as `\\u65e5`."""
    if character.isspace():
        return " "
    plain = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    for candidate in (character, plain):
        if candidate and all(map(_drawn, candidate)):
            return candidate
    return character.encode("unicode_escape").decode("ascii")


def _drawn(character: str) -> bool:
    """Whether the font has a glyph for it. A noncharacter shows what it draws when it has none."""
    shape, none = font(_TRIED).getmask, "\uffff"
    return character.isprintable() and bytes(shape(character)) != bytes(shape(none))


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font of that size."""
    found = ImageFont.load_default(size)
    assert isinstance(found, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return found
