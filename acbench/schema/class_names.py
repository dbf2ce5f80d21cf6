"""How names of classes are compared, and which names mean a normal image."""

from __future__ import annotations

NORMAL_LABELS = frozenset({"good", "normal"})
"""What datasets call a normal image, folded."""


def fold(text: str) -> str:
    """The form in which names are compared: lower case, letters and digits only."""
    return "".join(char for char in text.casefold() if char.isalnum())


def is_normal(label: str) -> bool:
    """Whether a dataset's label, or a name that somebody wrote, means a normal image."""
    return fold(label) in NORMAL_LABELS
