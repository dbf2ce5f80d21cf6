"""Text on a picture: whatever it holds, it is readable and has an end."""

from __future__ import annotations

import pytest
from PIL import Image

from acbench.data.evidence import picture
from acbench.data.text import MAX_ROWS, font, readable, wrap, wrap_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("source says: crack", "source says: crack"),
        ("900 × 900 — a → b", "900 x 900 - a -> b"),
        ("café, naïve, m²", "cafe, naive, m2"),
        ("cafe\u0301", "cafe"),
        ("日本", r"\u65e5\u672c"),
        ("😀", r"\U0001f600"),
        ("tab\tand\r\nnewline ", "tab and newline"),
        ("\x00\x1b[31m\x7f", r"\x00\x1b[31m\x7f"),
        ("gpj\u202e.exe", r"gpj\u202e.exe"),
        ("name\udc80", r"name\udc80"),
    ],
)
def test_text_is_shown_in_characters_that_the_font_has(text: str, shown: str) -> None:
    assert readable(text) == shown
    image = Image.new("RGB", (120, 100))
    assert picture(image, None, None, title=text, lines=[text]).size == (
        picture(image, None, None, title=shown, lines=[shown]).size
    )


@pytest.mark.parametrize("text", ["word " * 10**6, "x" * 10**6, "日" * 10**6, "\n" * 10**6])
def test_text_without_end_is_cut(text: str) -> None:
    rows = wrap_lines([text, "last"], 17, 1000)
    assert len(rows) <= MAX_ROWS
    assert rows[-1] == "last"
    assert all(font(17).getlength(row) <= 1000 for row in rows)


def test_no_line_pushes_out_another() -> None:
    rows = wrap_lines(["first " * 500, "second " * 500, "", "third"], 17, 800)
    assert len(rows) == MAX_ROWS
    assert rows[0].startswith("first") and rows[-2].startswith("second") and rows[-1] == "third"
    assert wrap_lines([str(n) for n in range(9)], 17, 800) == ["0", "1", "2", "3", "4", "… and 4 more"]


def test_text_wraps_at_spaces_and_loses_nothing() -> None:
    text = "four of the five most similar defects are called otherwise " * 3
    rows = wrap(text.strip(), 17, 400, 99)
    assert len(rows) > 2
    assert " ".join(rows) == text.strip()
    assert "".join(wrap("x" * 300, 17, 400, 99)) == "x" * 300
    assert wrap("abc", 17, 1, 99) == ["a", "b", "c"]
