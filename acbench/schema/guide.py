"""The page of instructions of a category's project in Label Studio (HTML): how to decide, and every class in full.

Label Studio takes margins and bullets from all tags, so what has to look like something says so itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping

from acbench.records import GOOD
from acbench.schema.form import MEANING, VERDICTS, keys
from acbench.schema.model import Category

_KEYS = (
    "The key beside a class chooses it, and several can be chosen if several kinds of defect are there. Normal, Unsure,"
    " Bad image and Bad mask go with nothing else.",
    "Ctrl+Enter submits. In the comment, Enter comes first: it ends the comment.",
    "Ctrl + mouse wheel over a picture enlarges it. Shift + drag then moves it.",
    "What others propose stays folded until you ask for it.",
)
_ITEM = "margin: 0 0 .5em"
_FADED = "opacity: .75"
_KEY = "border: 1px solid; border-radius: 3px; padding: 0 .35em; font-size: .8em; opacity: .75"


def instructions(category: Category) -> str:
    """The page. Texts of a schema are escaped: nobody's markup gets through."""
    key = keys(category)
    classes = [_class(GOOD, "Normal", category.normal, "", key)]
    classes += [_class(one.id, one.name, one.definition, one.not_this, key) for one in category.classes]
    classes += [_class(verdict, name, MEANING[verdict], "", key) for verdict, name in VERDICTS.items()]
    before, steps = _steps(category.guide)
    decide = _paragraph(before) + (_list("ol", "decimal", map(html.escape, steps)) if steps else "")
    return "\n".join(
        [
            _titled("What you see", _paragraph(category.object)),
            _titled("How to decide", decide),
            _titled("What there is to choose", _list("ul", "none", classes)),
            _titled("Keys and mouse", _list("ul", "disc", _KEYS)),
        ]
    )


def _class(alias: str, name: str, text: str, not_this: str, key: Mapping[str, str]) -> str:
    """The name stands out, with its key; what it is not stands back."""
    shown = f' <span style="{_KEY}">{html.escape(key[alias])}</span>' if key[alias] else ""
    more = f'<br/><span style="{_FADED}">{html.escape(not_this)}</span>' if not_this else ""
    return f'<b style="font-size: 1.1em">{html.escape(name)}</b>{shown}<br/>{html.escape(text)}{more}'


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
    return guide[: starts[0].start()].strip(), [
        guide[each.end() : end].strip() for each, end in zip(starts, ends, strict=True)
    ]


def _titled(title: str, content: str) -> str:
    return f'<p style="margin: 0 0 .3em; font-size: 1.15em"><b>{title}</b></p>\n{content}'


def _paragraph(text: str) -> str:
    return f'<p style="margin: 0 0 1em">{html.escape(text)}</p>' if text else ""


def _list(tag: str, bullet: str, items: Iterable[str]) -> str:
    rows = "\n".join(f'<li style="{_ITEM}">{each}</li>' for each in items)
    indent = "1.6em" if bullet != "none" else "0"
    return f'<{tag} style="list-style: {bullet}; margin: 0 0 1em; padding-left: {indent}">\n{rows}\n</{tag}>'
