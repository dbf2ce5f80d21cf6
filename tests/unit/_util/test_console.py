"""Rows as columns of text, on screens of any width."""

from __future__ import annotations

import re

import pytest

from acbench._util.console import table

HEAD = ("category", "n", *(f"figure{number}" for number in range(12)))
ROWS = [HEAD, ("bottle", "83", *map(str, range(12))), ("screw", "160", *map(str, range(12, 24)))]


@pytest.mark.parametrize("width", [60, 61, 75, 110, 111, 160])
def test_a_screen_that_is_too_narrow_breaks_no_word(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = table(ROWS)
    assert max(map(len, text.splitlines())) <= width
    blocks = [[re.split(" {2,}", line.strip()) for line in block.splitlines()] for block in text.split("\n\n")]
    assert len(blocks) > 1 or width == 160
    assert all([line[0] for line in block] == ["category", "bottle", "screw"] for block in blocks)
    for row, words in enumerate(ROWS):
        assert [word for block in blocks for word in block[row][1:]] == list(words[1:])


def test_a_long_word_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    path = "a" * 100
    lines = table([("file", "state"), (path, "fresh")]).splitlines()
    assert "".join(line.split()[0] for line in lines[1:]) == path
    assert lines[1].split()[1] == "fresh"


def test_without_a_screen_a_row_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert [len(line) for line in table([("a", "b" * 300), ("c", "d")]).splitlines()] == [110, 6]
    assert table([]) == ""
