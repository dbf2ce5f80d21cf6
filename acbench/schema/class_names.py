"""How names of classes and categories are compared, which names mean a normal image, and names that fit anywhere."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Container, Iterable

from acbench.records import GOOD

ALL = "all"
"""Stands for every category, in commands and in releases: no category has this name."""

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""A name that can be a folder, a configuration of `datasets`, and an argument of a command."""

NORMAL_LABELS = frozenset({"good", "normal"})
"""What datasets call a normal image, folded."""


def fold(text: str) -> str:
    """The form in which names are compared: lower case, letters and digits only."""
    return "".join(char for char in text.casefold() if char.isalnum())


def is_normal(label: str) -> bool:
    """Whether a dataset's label, or a name that somebody wrote, means a normal image."""
    return fold(label) in NORMAL_LABELS


def same_names(source_labels: Iterable[str], labels: Iterable[str]) -> bool:
    """Whether class ids are what the dataset's own labels call it, whatever case and separators they are written in."""
    named = {GOOD if is_normal(label) else fold(label) for label in source_labels}
    return named == {fold(label) for label in labels}


def slug(text: str) -> str:
    """A name made of a-z, 0-9 and `_`, as near to `text` as it can be: `Größe + Form (2)` becomes `grosse_form_2`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    words = re.findall(r"[a-z0-9]+", "".join(char for char in plain if not unicodedata.combining(char)))
    return "_".join(words) or "x" + hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def benchmark_name(text: str) -> str:
    """A slug that begins with a letter, as names of benchmarks do."""
    name = slug(text)
    return name if name[0].isalpha() else f"set_{name}"


def category_key(name: str, taken: Container[str] = ()) -> str:
    """The name of a category that fits anywhere: its own, if that does, else a slug that is not `taken`."""
    if _SAFE.fullmatch(name) and fold(name) != ALL and name not in taken:
        return name
    key = slug(name) if fold(name) != ALL else f"{ALL}_images"
    number = 2
    while key in taken:
        key, number = f"{slug(name)}_{number}", number + 1
    return key


def readable(name: str) -> str:
    """A name for people: `metal_nut` becomes `Metal nut`."""
    text = " ".join(re.sub(r"[_+,;]", " ", name).split()) or name
    return text[:1].upper() + text[1:]
