"""Makes the page of instructions of a Label Studio project (HTML): how to decide, and every class in full.

Label Studio removes `style` from every tag, and margins and bullets from lists. So the page is made of tables, which
look right without any style; where the form is on the same page, `form_style` improves them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from acbench.records import GOOD
from acbench.schema.form import MASK, MEANING, keys, verdicts
from acbench.schema.model import Category
from acbench.schema.people import NORMAL, by_name

MARKED = (
    "Name what the marked places show: each kind of defect once. What lies outside them does not count, even if it is"
    " damage. If no place is marked, look everywhere."
)
"""What counts, in every category."""
_KEYS = (
    "The key beside a class chooses it, and several can be chosen if several kinds of defect are there. Normal, Unsure,"
    " Bad image and $bad_mask go with nothing else.",
    "Ctrl+Enter submits. In the comment, Enter comes first: it ends the comment. Ctrl+Z takes the last choice back, and"
    " Esc closes a warning.",
    "The arrows at the lower left go back to what you have decided, and on again. Ctrl+Enter keeps a change there; then"
    " the right arrow goes on.",
    "Ctrl + mouse wheel over a picture enlarges it. Shift + drag then moves it.",
    "What others propose stays folded until you ask for it.",
)

_NOT_FOR = "Anybody but {}, who decided these images before. What they answer here is not taken."


def instructions(category: Category, marks: str = MASK, *, not_for: Sequence[str] = ()) -> str:
    """The page of instructions of a category, as HTML. `marks`: what marks places, see `form.verdicts`.

    `not_for`: people who decided its images before.
    """
    names = verdicts(marks)
    key = keys(category)

    def text(of: str) -> str:
        return by_name(of, category, mark=lambda name: f"<b>{_text(name)}</b>", plain=_text)

    choices = [_choice(NORMAL, key[GOOD], text(category.normal))]
    choices += [
        _choice(defect.name, key[defect.id], text(defect.definition), text(defect.not_this))
        for defect in category.classes
    ]
    choices += [_choice(name, key[verdict], _text(MEANING[verdict])) for verdict, name in names.items()]
    introduction, steps = _steps(category.guide)
    decide = [_row(f"{number}.", text(step)) for number, step in enumerate(steps, start=1)]
    return "".join(
        [
            '<div class="acb-guide">',
            _section("Who decides here", _text(_NOT_FOR.format(" and ".join(not_for)))) if not_for else "",
            _section("What you see", text(category.object)) if category.object else "",
            _section("How to decide", "<br>".join(filter(None, (text(introduction), _text(MARKED)))), decide),
            _section("What there is to choose", "", choices),
            _section(
                "Keys and mouse", "<br>".join(_text(line.replace("$bad_mask", names["bad_mask"])) for line in _KEYS)
            ),
            "</div>",
        ]
    )


def _section(title: str, text: str, rows: Sequence[str] = ()) -> str:
    table = f"<table><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    return f"<h3>{title}</h3>{f'<p>{text}</p>' if text else ''}{table}"


def _row(head: str, text: str) -> str:
    return f'<tr><td valign="top"><b>{head}</b></td><td>{text}</td></tr>'


def _choice(name: str, key: str, meaning: str, not_this: str = "") -> str:
    """A row with name and key at the left, and what the choice means, and does not mean, at the right (HTML)."""
    distinction = f"<br><i>{not_this}</i>" if not_this else ""
    return _row(f"{_text(name)}{f' [{key}]' if key else ''}", meaning + distinction)


def _text(text: str) -> str:
    """Text with its markup escaped. Quotes are not escaped: Label Studio stores them as they are."""
    return html.escape(text, quote=False)


def _steps(guide: str) -> tuple[str, list[str]]:
    """The introduction of a guide, and its numbered questions; fewer than two numbers are part of the introduction."""
    numbers: list[re.Match[str]] = []
    position = 0
    while number := re.compile(rf"(?:^|(?<=[.?!:;]\s)){len(numbers) + 1}\.\s").search(guide, position):
        numbers.append(number)
        position = number.end()
    if len(numbers) < 2:
        return guide, []
    ends = [number.start() for number in numbers[1:]] + [len(guide)]
    questions = [guide[number.end() : end].strip() for number, end in zip(numbers, ends, strict=True)]
    return guide[: numbers[0].start()].strip(), questions
