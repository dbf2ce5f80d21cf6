"""What the sources have in common that read tables or annotation files, which lie beside the images of any folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from acbench.data.sources._contract import FoundImage, Recognised
from acbench.data.sources._rows import Joined, Row
from acbench.errors import AcbenchError, SourceError
from acbench.records import Finding, Reading
from acbench.storage.files import FileTree

PRODUCT = "product"
"""The category of images of which nothing says what they show."""
MAX_NAME = 40
"""Characters of a category's name that is made of a folder's."""
COMMON = {
    "product": f"the category of images of which the dataset tells none; `{PRODUCT}` if this is left out",
    "normal": "the labels of normal images; the usual ones (good, normal, ok, …) if this is left out",
}
"""Options that all of these sources have, with one line of help each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a folder's tables or annotation files say."""

    rows: Sequence[Row]
    joined: Joined
    says: str
    """What was recognised, in one line."""
    findings: Sequence[Finding] = ()
    reading: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Options that would read it in this way for ever, also when files are added."""
    notes: Sequence[str] = ()
    certainty: float = 0.85


@dataclass(frozen=True, kw_only=True)
class Annotated:
    """A source of which `read` is all that differs."""

    NAME: str
    TITLE: str
    HOME: str
    LAYOUT: str
    OPTIONS: Mapping[str, str]
    read: Callable[[FileTree, Reading], Contents]
    """`read(tree, reading)`: what is there. Raises SourceError if there is nothing that it reads."""
    reading: Reading = field(default_factory=dict)

    LICENCE: ClassVar[str] = "LicenseRef-unknown"
    ATTRIBUTION: ClassVar[str] = "Not stated."
    BENCHMARK: ClassVar[str] = "YOUR_SCHEMA.yaml"
    EXTRAS: ClassVar[frozenset[str]] = frozenset()
    IMAGE_COUNTS: ClassVar[Mapping[str, int]] = {}

    def configured(self, reading: Reading) -> Annotated:
        """The source with these options."""
        return replace(self, reading=reading)

    def is_category(self, tree: FileTree, folder: str) -> bool:
        """Never: a folder is not a category by its name or place."""
        return False

    def categories(self, tree: FileTree) -> Sequence[str]:
        """The categories that rows name, sorted."""
        contents = self.read(tree, self.reading)
        return sorted({row.category or contents.joined.category for row in contents.rows})

    def scan(self, tree: FileTree, categories: Sequence[str]) -> Iterator[FoundImage | Finding]:
        """Every image of these categories, and everything out of place."""
        contents = self.read(tree, self.reading)
        yield from contents.findings
        for result in contents.joined.join(contents.rows):
            if not isinstance(result, FoundImage) or result.category in categories:
                yield result

    def known_labels(self) -> Mapping[str, tuple[str, ...]]:
        """Nothing: only its label schema says which labels a dataset of your own has."""
        return {}

    def recognise(self, tree: FileTree) -> Recognised | None:
        """What is in a root; None if this source would not read it."""
        try:
            contents = self.read(tree, self.reading)
        except AcbenchError:
            return None
        named = {**_product(tree, contents), **self.reading}.get("product", PRODUCT)
        categories = tuple(sorted({row.category or str(named) for row in contents.rows}))
        return Recognised(
            source=self.NAME,
            reading={**_product(tree, contents), **contents.reading, **self.reading},
            says=contents.says,
            certainty=contents.certainty,
            categories=categories,
            notes=tuple(contents.notes),
        )


def shortlist(names: Sequence[str], most: int = 3) -> str:
    """Some names as text, the first of many."""
    return " and ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _product(tree: FileTree, contents: Contents) -> Mapping[str, str]:
    """The option that names the category after the folder, where rows do not name it: a root may be moved later."""
    if all(row.category for row in contents.rows):
        return {}
    folder = str(tree.root).rstrip("/").rpartition("/")[2]
    name = re.sub("[^a-z0-9]+", "_", folder.lower()).strip("_")[:MAX_NAME]
    return {"product": name} if name and name not in {"all", "good"} else {}


def text_option(reading: Reading, name: str) -> str:
    """An option that has one value; empty if it is not given. Raises SourceError for several."""
    value = reading.get(name, "")
    if isinstance(value, str):
        return value
    if len(value) > 1:
        raise SourceError(
            f"the option {name} has one value, not {len(value)}: {', '.join(value)}", f"{name}={value[0]}"
        )
    return value[0] if value else ""


def list_option(reading: Reading, name: str) -> tuple[str, ...]:
    """An option that may have several values; empty if it is not given."""
    value = reading.get(name, ())
    return (value,) if isinstance(value, str) and value else tuple(value)
