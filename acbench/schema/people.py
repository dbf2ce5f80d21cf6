"""Writes a schema's texts for people: classes by their names, where a model reads their ids.

A text names a class by its id, which a model has to answer with. People choose among names.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from acbench.records import GOOD
from acbench.schema.model import Category

NORMAL = "Normal"
"""The name of the class `good`."""


def names(category: Category) -> dict[str, str]:
    """Class id → the name that people read, `good` first."""
    return {GOOD: NORMAL, **{defect.id: defect.name for defect in category.classes}}


def by_name(
    text: str,
    category: Category,
    mark: Callable[[str], str] = '"{}"'.format,
    plain: Callable[[str], str] = str,
) -> str:
    """A text with the class ids in it replaced by the marked names.

    An id counts as one in backticks, or where it is no plain word, such as `broken_large`. Without backticks, `cut` and
    `good` may be meant as words. `plain` is applied to the text between the names.
    """
    name_of = names(category)
    parts: list[str] = []
    end = 0
    for found in _IDS.finditer(text):
        class_id = found["quoted"] or found["bare"]
        if class_id not in name_of or (found["bare"] and class_id.isalpha()):
            continue
        parts += [plain(text[end : found.start()]), mark(name_of[class_id])]
        end = found.end()
    return "".join([*parts, plain(text[end:])])


_IDS = re.compile(r"`(?P<quoted>[\w-]+)`|(?<![\w-])(?P<bare>[\w-]*\w)(?![\w-])")
"""A word in backticks, or a whole word; ids are made of letters, digits, `-` and `_`."""
