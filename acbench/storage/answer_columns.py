"""Says which column of somebody's table holds the answers: one rule for scores and for answers that join as a witness.

A table of answers often holds the truth beside them. So a column that is called like an answer (`prediction`) goes
before one that may be either (`label`); two that are called like answers are refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import NamedTuple

from acbench.errors import TableError

IMAGE = ("image", "image_path")
"""Columns that may hold an image's path, relative to the dataset's root. Our releases have the second."""
PREDICTIONS = (
    *("prediction", "predictions", "predicted", "predicted label", "predicted class", "pred", "pred label"),
    *("answer", "answers", "response", "output", "raw"),
)
"""What a column of answers is called."""
LABELS = ("labels", "label")
"""What a column of answers, or one of the truth, is called. The first goes before the second."""
CONFIDENCE = ("confidence", "probability")
"""What a column is called that says how sure each answer is, from 0 to 1."""
COST = ("cost", "dollars", "cost usd")
"""What a column is called that says what each answer cost, in dollars."""
OTHERS = (
    *("item_id", *IMAGE, "category", "split", "status", "parse", "system", "sha256"),
    *(*CONFIDENCE, *COST),
)
"""What other columns are called that are read."""

_SPACE = re.compile(r"[\s_\-]+")


class AnswerColumn(NamedTuple):
    """The column that is read."""

    name: str
    """As the table spells it."""
    beside: tuple[str, ...] = ()
    """Columns that might have been meant, and are not read."""

    def __str__(self) -> str:
        others = ", ".join(f"`{name}`" for name in self.beside)
        return f"column `{self.name}`" + (f", not {others}" if others else "")

    @property
    def may_be_truth(self) -> bool:
        """Whether a column of that name might as well hold the truth."""
        return folded(self.name) in LABELS


def folded(name: str) -> str:
    """A column's name without case, and with one space for any spaces, `_` and `-`."""
    return _SPACE.sub(" ", name.strip()).casefold()


def known_columns(names: Iterable[str]) -> dict[str, str]:
    """The column that each of our names stands for: `item_id` → `Item ID`. Raises TableError for two of one name."""
    ours = {folded(name): name for name in (*OTHERS, *LABELS, *PREDICTIONS)}
    known: dict[str, str] = {}
    for name in names:
        our = ours.get(folded(name))
        if our is not None:
            if our in known:
                raise TableError(f"the columns {known[our]!r} and {name!r} have one name", "rename one of them")
            known[our] = name
    return known


def answer_column(
    columns: Collection[str], where: str, wanted: str | None = None, *, can_name: bool = True
) -> AnswerColumn:
    """The column of answers of a table with these columns. `wanted`: the one that somebody named, if they can.

    Raises TableError, naming `where`, if there is none, or two that are called like answers.
    """
    if wanted is not None:
        return _named(columns, where, wanted)
    called = {folded(name): name for name in columns}
    if {"labels", "raw", "parse"} <= called.keys():  # Prediction records: `raw` is what `labels` were read from
        return AnswerColumn(called["labels"])
    labels = [called[name] for name in LABELS if name in called]
    predictions = [called[name] for name in PREDICTIONS if name in called]
    if len(predictions) > 1:
        raise TableError(
            f"{where}: {' and '.join(f'`{name}`' for name in predictions)} may both hold the answers",
            f"say which: --column {predictions[0]}, or leave the other out" if can_name else "leave the other out",
        )
    if not predictions and not labels:
        raise TableError(
            f"{where}: there is no column {', '.join(PREDICTIONS[:1] + LABELS)} or answer; it has"
            f" {', '.join(columns)[:300] or 'none'}",
            f"call the column of the answers `prediction`{', or name it: --column NAME' if can_name else ''}",
        )
    first, *others = [*predictions, *labels]
    return AnswerColumn(first, tuple(others))


def _named(columns: Collection[str], where: str, wanted: str) -> AnswerColumn:
    exact = [name for name in columns if name == wanted] or [name for name in columns if folded(name) == folded(wanted)]
    if len(exact) == 1:
        return AnswerColumn(exact[0])
    by_fold = {folded(name): name for name in columns}
    close = get_close_matches(folded(wanted), by_fold, n=1)
    meant = f"did you mean {by_fold[close[0]]!r}?" if close else f"it has {', '.join(columns)[:300] or 'none'}"
    raise TableError(f"{where}: there is no column {wanted!r}", meant)
