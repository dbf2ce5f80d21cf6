"""Says what a category settles and why: where it departs from the dataset's labels, and where one class ends."""

from __future__ import annotations

from collections.abc import Callable, Container

from acbench.records import JOIN
from acbench.schema.model import Category, Change


def _as_code(text: str) -> str:
    return f"`{text}`"


def reasons(
    category: Category,
    images: Container[str] | None = None,
    *,
    text: Callable[[str], str] = str,
    code: Callable[[str], str] = _as_code,
) -> list[str]:
    """A line for each change and each boundary, in the schema's order: the schema's words through `text`, its names
    through `code`.

    With `images`, corrections of other images are left out.
    """
    changes = [
        f"{code(change.source)} {_words(change, code)}. {text(change.reason)}"
        for change in category.changes
        if images is None or not change.image or change.image in images
    ]
    return changes + [
        f"{' / '.join(map(code, boundary.classes))}: {text(boundary.reason)}" for boundary in category.boundaries
    ]


def _words(change: Change, code: Callable[[str], str]) -> str:
    """What becomes of a label of the dataset."""
    into = code(JOIN.join(change.into))
    return {
        "merge": f"is merged into {into}",
        "rename": f"is called {into}",
        "mixed": "names no class",
        "exclude": "is excluded",
        "correct": f"of {code(change.image)} becomes {into}",
    }[change.kind]
