"""English words that depend on a number."""

from __future__ import annotations


def counted(number: int, singular: str, plural: str = "") -> str:
    """`1 image`, `2 images`. `plural`: for a word that takes more than an `s`."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def is_or_are(number: int) -> str:
    """The verb that goes with a number of things."""
    return "is" if number == 1 else "are"
