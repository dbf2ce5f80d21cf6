"""Remembers where rows stand, in a few bytes for each: the texts of one table differ in the number at their end."""

from __future__ import annotations

from array import array


class Places:
    """Number → where a row stands, such as `a.csv, line 7`; empty for a number that was not given one."""

    def __init__(self) -> None:
        self._head = ""
        """What stands before the number of a line in all texts but `others`."""
        self._lines = array("q")
        """The number of the line; 0 if there is none."""
        self._others: dict[int, str] = {}

    def __setitem__(self, number: int, where: str) -> None:
        head, _, line = where.rpartition(" ")
        self._head = self._head or head
        if head != self._head or not (line.isascii() and line.isdecimal()) or line[0] == "0" or len(line) > 18:
            self._others[number], line = where, "0"
        if number >= len(self._lines):
            self._lines.frombytes(bytes(self._lines.itemsize * max(number + 1 - len(self._lines), number // 8)))
        self._lines[number] = int(line)

    def __getitem__(self, number: int) -> str:
        line = self._lines[number] if number < len(self._lines) else 0
        return f"{self._head} {line}" if line else self._others.get(number, "")
