"""Fits text onto a picture: any text, on as many rows as there is room for, in the font that comes with Pillow.

The text may be a model's or a stranger's, so it may be endless, or hold characters that no font draws.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, lru_cache

from PIL import Image, ImageDraw, ImageFont

MAX_ROWS = 6
"""How many rows of text stand below the panels of a picture."""
_MAX_CHARACTERS = 1000
"""How many characters of a text are looked at: a model's answer may have no end."""
_PLAIN = str.maketrans({"×": "x", "–": "-", "—": "-", "‑": "-", "−": "-", "→": "->", "≤": "<=", "≥": ">="})
"""Replacements of characters that the built-in font lacks; it has little more than ASCII."""
_PROBE_SIZE = 17
"""Size at which the font is asked whether it has a character."""


def wrap_lines(lines: Sequence[str], size: int, width: int) -> list[str]:
    """Lines of text as at most `MAX_ROWS` rows of `width` pixels.

    Every line has at least one row, so that a long line cannot push out those below it. Lines that do not fit are
    counted in the last row.
    """
    texts = [text for text in map(readable, lines[: 10 * MAX_ROWS]) if text]
    if len(texts) > MAX_ROWS:
        texts[MAX_ROWS - 1 :] = [f"… and {len(texts) - MAX_ROWS + 1} more"]
    rows: list[str] = []
    spare = MAX_ROWS - len(texts)
    for text in texts:
        wrapped = wrap(text, size, width, 1 + spare)
        spare -= len(wrapped) - 1
        rows += wrapped
    return rows


def first_row(text: str, size: int, width: int) -> str:
    """The beginning of a text, as much as fits into `width` pixels."""
    return "".join(wrap(readable(text), size, width, 1))


def wrap(text: str, size: int, width: int, max_rows: int) -> list[str]:
    """A text as at most `max_rows` rows of `width` pixels, broken at spaces if there are any."""
    rows: list[str] = []
    while text and len(rows) < max_rows:
        end = _fitting(text, size, width)
        if end < len(text) and len(rows) == max_rows - 1:
            rows.append(text[: _fitting(text, size, width - font(size).getlength("…"))].rstrip() + "…")
            break
        if end < len(text):
            end = text.rfind(" ", 1, end + 1) if " " in text[1 : end + 1] else max(end, 1)
        rows.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return rows


def readable(text: str) -> str:
    """The text on one line, in characters that the font has, without control characters."""
    text = unicodedata.normalize("NFC", text[:_MAX_CHARACTERS]).translate(_PLAIN)
    return " ".join("".join(map(_glyphs, text)).split())[:_MAX_CHARACTERS]


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font that comes with Pillow, at that size in pixels."""
    built_in = ImageFont.load_default(size)
    assert isinstance(built_in, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return built_in


@lru_cache(maxsize=256)
def drawn(text: str, size: int) -> tuple[Image.Image, tuple[int, int]]:
    """A row of text as a mask (mode L) through which to paste a colour, and its place beside the start of the baseline.

    Rows are kept: many pictures say the same, and to draw one takes long.
    """
    left, top, right, bottom = (round(edge) for edge in font(size).getbbox(text, anchor="ls"))
    mask = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
    ImageDraw.Draw(mask).text((-left, -top), text, 255, font(size), anchor="ls")
    return mask, (left, top)


def _fitting(text: str, size: int, width: float) -> int:
    """How many characters of a text fit into `width` pixels."""
    measured = font(size).getlength
    if measured(text) <= width:  # as most do, and each measuring takes long
        return len(text)
    return max(0, bisect_right(range(len(text) + 1), width, key=lambda end: measured(text[:end])) - 1)


@lru_cache(maxsize=4096)
def _glyphs(character: str) -> str:
    """The character; else its plain letters, such as `e` for an accented one; else its code, such as `\\u65e5`."""
    if character.isspace():
        return " "
    plain = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    for candidate in (character, plain):
        if candidate and all(map(_is_drawn, candidate)):
            return candidate
    return character.encode("unicode_escape").decode("ascii")


def _is_drawn(character: str) -> bool:
    """Whether the font has a glyph for a character. For a noncharacter it draws what it draws without a glyph."""
    glyph = font(_PROBE_SIZE).getmask
    return character.isprintable() and bytes(glyph(character)) != bytes(glyph("\uffff"))
