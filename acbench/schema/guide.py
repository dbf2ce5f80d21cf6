"""The page of instructions of a category's project in Label Studio (HTML): how to decide, and every class in full.

Label Studio takes `style` from every tag, and margins and bullets from all lists. So this is a table, which is one
without any style, and `form_style` makes it look better where the form is on the page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

from acbench.records import GOOD
from acbench.schema.form import MEANING, VERDICTS, keys
from acbench.schema.model import Category

_KEYS = (
    "The key beside a class chooses it, and several can be chosen if several kinds of defect are there. Normal, Unsure,"
    " Bad image and Bad mask go with nothing else.",
    "Ctrl+Enter submits. In the comment, Enter comes first: it ends the comment. Esc closes a warning.",
    "Ctrl + mouse wheel over a picture enlarges it. Shift + drag then moves it.",
    "What others propose stays folded until you ask for it.",
)


def instructions(category: Category) -> str:
    """The page."""
    key = keys(category)
    classes = [_class(GOOD, "Normal", category.normal, "", key)]
    classes += [_class(one.id, one.name, one.definition, one.not_this, key) for one in category.classes]
    classes += [_class(verdict, name, MEANING[verdict], "", key) for verdict, name in VERDICTS.items()]
    before, steps = _steps(category.guide)
    decide = [_row(f"{number}.", _text(step)) for number, step in enumerate(steps, start=1)]
    return "".join(
        [
            '<div class="acb-guide">',
            _section("What you see", _text(category.object)),
            _section("How to decide", _text(before), decide),
            _section("What there is to choose", "", classes),
            _section("Keys and mouse", "<br>".join(map(_text, _KEYS))),
            "</div>",
        ]
    )


def _section(title: str, text: str, rows: Sequence[str] = ()) -> str:
    table = f"<table><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    return f"<h3>{title}</h3>{f'<p>{text}</p>' if text else ''}{table}"


def _row(head: str, text: str) -> str:
    return f'<tr><td valign="top"><b>{head}</b></td><td>{text}</td></tr>'


def _class(alias: str, name: str, text: str, not_this: str, key: Mapping[str, str]) -> str:
    """Its name and its key at the left; what it is, and what it is not, at the right."""
    more = f"<br><i>{_text(not_this)}</i>" if not_this else ""
    return _row(f"{_text(name)}{f' [{key[alias]}]' if key[alias] else ''}", _text(text) + more)


def _text(text: str) -> str:
    """Nobody's markup gets through. Label Studio keeps quotes as they are, so they stay."""
    return html.escape(text, quote=False)


def _steps(guide: str) -> tuple[str, list[str]]:
    """What stands before the numbered questions of a guide, and the questions. Without two of them, all is before."""
    starts: list[re.Match[str]] = []
    at = 0
    while found := re.compile(rf"(?:^|(?<=[.?!:;]\s)){len(starts) + 1}\.\s").search(guide, at):
        starts.append(found)
        at = found.end()
    if len(starts) < 2:
        return guide, []
    ends = [each.start() for each in starts[1:]] + [len(guide)]
    asked = [guide[start.end() : end].strip() for start, end in zip(starts, ends, strict=True)]
    return guide[: starts[0].start()].strip(), asked
