"""Reads the numbers that stand beside an answer in somebody's table: how sure it is, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, SupportsFloat

from acbench._util.text import tidy
from acbench.errors import TableError
from acbench.storage.answer_columns import CONFIDENCE, COST


class Numbers(NamedTuple):
    """The columns of these numbers, as the table spells them; empty for one that it lacks."""

    confidence: str = ""
    cost: str = ""

    @classmethod
    def of(cls, known: Mapping[str, str], where: str) -> Numbers:
        """Find them. `known`: our name → the table's. Raises TableError, naming `where`, for two of one kind."""
        return cls(*(_only(names, known, where) for names in (CONFIDENCE, COST)))

    def read(self, where: str, row: Mapping[str, Any]) -> tuple[float | None, float | None]:
        """Confidence and dollars of a row; None for an empty cell. Raises TableError for what is no such number."""
        sure, dollars = _number(where, row, self.confidence), _number(where, row, self.cost)
        if sure is not None and not 0 <= sure <= 1:
            raise TableError(
                f"{where}: `{self.confidence}` is {sure:g}, which may be a percentage or a score of another kind",
                "give a confidence from 0 to 1, or call the column something else",
            )
        if dollars is not None and dollars < 0:
            raise TableError(f"{where}: `{self.cost}` is {dollars:g}", "a cost is in dollars, and not below 0")
        return sure, dollars


def _only(names: tuple[str, ...], known: Mapping[str, str], where: str) -> str:
    found = [known[name] for name in names if name in known]
    if len(found) > 1:
        raise TableError(
            f"{where}: {' and '.join(f'`{name}`' for name in found)} may both be the {names[0]}",
            "leave one of them out",
        )
    return found[0] if found else ""


def _number(where: str, row: Mapping[str, Any], column: str) -> float | None:
    value = row.get(column) if column else None
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | SupportsFloat):
            raise ValueError
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        raise TableError(
            f"{where}: `{column}` is {tidy(str(value), 80)!r}, and no number", "such as 0.75; an empty cell for unknown"
        ) from None
    if math.isinf(number):
        raise TableError(f"{where}: `{column}` is {number:g}", "give a number, or leave the cell empty")
    return None if math.isnan(number) else number
