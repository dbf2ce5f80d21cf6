"""Says what a category settles and why: where it departs from the dataset's labels, and where one class ends."""

from __future__ import annotations

from collections.abc import Container

from acbench.records import JOIN
from acbench.schema.model import Category, Change


def reasons(category: Category, images: Container[str] | None = None) -> list[str]:
    """A line of Markdown for each change and each boundary, in the schema's order.

    With `images`, corrections of other images are left out.
    """
    changes = [
        f"`{change.source}` {_words(change)}. {change.reason}"
        for change in category.changes
        if images is None or not change.image or change.image in images
    ]
    return changes + [
        f"{' / '.join(f'`{class_id}`' for class_id in boundary.classes)}: {boundary.reason}"
        for boundary in category.boundaries
    ]


def _words(change: Change) -> str:
    """What becomes of a label of the dataset."""
    into = JOIN.join(change.into)
    return {
        "merge": f"is merged into `{into}`",
        "rename": f"is called `{into}`",
        "mixed": "names no class",
        "exclude": "is excluded",
        "correct": f"of `{change.image}` becomes `{into}`",
    }[change.kind]
