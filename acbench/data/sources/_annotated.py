"""What the sources have in common that read tables or annotation files, which lie beside the images of any folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from acbench.data.sources._contract import FoundImage, Recognised
from acbench.data.sources._files import Files
from acbench.data.sources._layout_options import listed, normal_names, splits_of
from acbench.data.sources._own import OwnDataset
from acbench.data.sources._rows import Joined, Row
from acbench.data.sources._suggest import normal_candidates
from acbench.errors import AcbenchError, SourceError
from acbench.records import GOOD, Finding, Reading
from acbench.storage.files import FileTree

UNCLEAR = 0.45
"""Certainty of what only a person can tell how to read: more than that of images without classes."""
COMMON = {
    "category": "name of the category, where the dataset names none  [default: the folder's name]",
    "normal": "further labels of normal images; good, normal and ok are known",
    "train": "further names of splits for training, such as `val`; train, training are known",
    "test": "further names of splits for testing, such as `val`; test, testing are known",
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
class Annotated(OwnDataset):
    """A source of which `read` is all that differs."""

    NAME: str
    HOME: str
    LAYOUT: str
    OPTIONS: Mapping[str, str]
    read: Callable[[FileTree, Reading], Contents]
    """`read(tree, reading)`: what is there. Raises SourceError if there is nothing that it reads."""
    reading: Reading = field(default_factory=dict)
    SCHEME: str = ""
    """How URLs begin that name a dataset of another program: it is copied into the workspace, and read there."""

    def configured(self, reading: Reading) -> Annotated:
        """The source with these options."""
        return replace(self, reading=reading)

    def is_category(self, tree: FileTree, folder: str) -> bool:
        """Never: a folder is not a category by its name or place."""
        return False

    def categories(self, tree: FileTree) -> Sequence[str]:
        """The categories that rows name, sorted."""
        try:
            contents = self.read(tree, self.reading)
        except SourceError as why:
            raise SourceError(f"{tree.root}: {why.message}", why.hint) from None
        _READ[tree] = self, contents
        return sorted({row.category or contents.joined.category for row in contents.rows})

    def scan(self, tree: FileTree, categories: Sequence[str]) -> Iterator[FoundImage | Finding]:
        """Every image of these categories, and everything out of place."""
        reader, contents = _READ.pop(tree, (None, None))
        if reader is not self or contents is None:
            contents = self.read(tree, self.reading)
        yield from contents.findings
        for result in contents.joined.join(contents.rows):
            if not isinstance(result, FoundImage) or result.category in categories:
                yield result

    def recognise(self, tree: FileTree) -> Recognised | None:
        """What is in a root; None if this source would not read it."""
        if self.SCHEME:
            return self._named(tree) if str(tree.root).startswith(self.SCHEME) else None
        try:
            contents = self.read(tree, self.reading)
        except Unclear as why:
            says = f"{self.LAYOUT}; but {why.message}"
            return Recognised(source=self.NAME, reading=self.reading, says=says, certainty=UNCLEAR, notes=(why.hint,))
        except AcbenchError:
            return None
        category = contents.joined.category
        categories = tuple(sorted({row.category or category for row in contents.rows}))
        reading = {} if all(row.category for row in contents.rows) else {"category": category}
        classes = {label for row in contents.rows for label in row.labels or (GOOD,)}
        notes = list(contents.notes)
        if not any(contents.joined.is_normal((name,)) for name in classes):
            notes.append(normal_candidates(classes))
        return Recognised(
            source=self.NAME,
            reading={**reading, **contents.reading, **self.reading},
            says=contents.says,
            certainty=contents.certainty,
            categories=categories,
            notes=tuple(notes),
        )

    def _named(self, tree: FileTree) -> Recognised:
        """The dataset of another program that a URL names; what is in it is known once it was copied."""
        name = str(tree.root).removeprefix(self.SCHEME)
        says = f"{self.LAYOUT}: {name}; it is copied into the workspace when it is read"
        return Recognised(source=self.NAME, reading=self.reading, says=says, certainty=1.0)


_READ: WeakKeyDictionary[FileTree, tuple[Annotated, Contents]] = WeakKeyDictionary()
"""What `categories` has read of a tree, for the `scan` that follows: large files are parsed once."""


class Unclear(SourceError):
    """A person has to say how to read a dataset, and the hint says how."""


class TwoWays(Unclear):
    """Two columns would do."""


def shortlist(names: Sequence[str], most: int = 3) -> str:
    """Some names as text, the first of many."""
    return " and ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def common(files: Files, reading: Reading, by: str, *, used: Collection[str], beside: Collection[str] = (),
           instances: bool = True,
    about: str = "") -> Joined:  # fmt: skip
    """How rows are joined with files, with the options in COMMON."""
    return Joined(
        files=files,
        by=by,
        category=text_option(reading, "category") or files.root,
        splits=splits_of(reading),
        normal=normal_names(reading),
        instances=instances,
        beside=beside,
        used=used,
        about=about,
    )


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
    """An option that may have several values, a list or one text with commas; empty if it is not given."""
    return listed(reading.get(name, ()))
