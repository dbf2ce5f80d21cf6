"""What a label schema says, as frozen records, and the two questions asked of it: map this, parse this."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from acbench.records import GOOD, label_set

ChangeKind = Literal["merge", "rename", "mixed", "exclude", "correct"]

NORMAL_LABELS = frozenset({"good", "normal"})
"""What datasets call a normal image, folded."""


def fold(text: str) -> str:
    """The form in which names are compared: lower case, letters and digits only."""
    return "".join(char for char in text.casefold() if char.isalnum())


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectClass:
    """One kind of defect of one category."""

    id: str
    """Stable; what tables hold."""
    name: str
    """What people read."""
    definition: str
    """What makes a defect this class; for annotators and models alike."""
    not_this: str
    """What it is confused with, and the tell."""
    aliases: tuple[str, ...]
    """Other names of the same class."""
    source: tuple[str, ...]
    """The dataset's labels that map to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One departure from the dataset's own labels, with its reason."""

    kind: ChangeKind
    source: str
    """The dataset's label."""
    into: tuple[str, ...]
    """Class ids; empty for `mixed` and `exclude`."""
    image: str
    """Path relative to the dataset's root, for `correct`; else empty."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedClass:
    """One class of the published benchmark: a named group of our label sets."""

    id: str
    name: str
    definition: str
    aliases: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What a dataset's own labels become."""

    labels: tuple[str, ...]
    """Class ids; empty if they name no class."""
    reason: str
    """Why not simply the class of that name; empty if it is just that."""
    excluded: bool = False
    """True if the schema leaves such items out of the benchmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """The classes of one object or texture, and how to tell them apart."""

    key: str
    """The dataset's folder name."""
    name: str
    object: str
    """What the picture shows."""
    normal: str
    """What a normal image looks like, harmless variation included."""
    guide: str
    """The questions to ask, in order."""
    classes: tuple[DefectClass, ...]
    changes: tuple[Change, ...]
    published: tuple[PublishedClass, ...]

    @property
    def class_ids(self) -> tuple[str, ...]:
        """Ids of the defect classes in the schema's order, without `good`."""
        return tuple(one.id for one in self.classes)

    def parse(self, text: str) -> str | None:
        """The class id that `text` names: an id, name or alias, case and punctuation folded. Never the nearest."""
        wanted = fold(text)
        if wanted in NORMAL_LABELS:
            return GOOD
        for one in self.classes:
            if wanted in {fold(each) for each in (one.id, one.name, *one.aliases)}:
                return one.id
        return None

    def map(self, source_labels: Iterable[str], image: str) -> Mapped:
        """What the dataset's labels of one image become.

        Every label maps on its own and the union is the label set. A `mixed` label, or one that the schema does not
        know, leaves the whole set open: a part of the answer would look like all of it.
        """
        labels = tuple(source_labels)
        if not labels:
            return Mapped(labels=(), reason="the dataset gives no label")
        for fix in self.changes:
            if fix.kind == "correct" and fix.image == image and fix.source in labels:
                return Mapped(labels=fix.into, reason=f"corrected: {fix.reason}")
        found: list[str] = []
        reasons: list[str] = []
        excluded = False
        for label in labels:
            if fold(label) in NORMAL_LABELS and len(labels) == 1:
                return Mapped(labels=(GOOD,), reason="")
            change = self._change(label)
            if change is not None and change.kind == "mixed":
                return Mapped(labels=(), reason=f"`{label}` names no class: {change.reason}")
            owner = next((one.id for one in self.classes if label in one.source), None)
            if owner is None:
                return Mapped(labels=(), reason=f"`{label}` is not in the schema")
            found.append(owner)
            if change is not None:
                reasons.append(f"`{label}` {_DONE[change.kind]}: {change.reason}")
                excluded = excluded or change.kind == "exclude"
        return Mapped(labels=label_set(found), reason="; ".join(reasons), excluded=excluded)

    def published_class(self, labels: Iterable[str]) -> str | None:
        """The class of the published benchmark that holds this label set; None if it has no place there."""
        wanted = label_set(labels)
        return next((one.id for one in self.published if wanted in one.sets), None)

    def parse_published(self, text: str) -> str | None:
        """The class of the published benchmark that `text` names by id, name or alias, folded; `good` for a normal
        image.

        None if it names no class, or more than one: nothing is guessed.
        """
        wanted = fold(text)
        if wanted in NORMAL_LABELS:
            return GOOD
        named = [one.id for one in self.published if wanted in map(fold, (one.id, one.name, *one.aliases))]
        return named[0] if len(named) == 1 else None

    def _change(self, label: str) -> Change | None:
        return next((each for each in self.changes if each.source == label and each.kind != "correct"), None)


_DONE = {"merge": "merged", "rename": "renamed", "exclude": "excluded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A whole label schema."""

    benchmark: str
    version: str
    source: str
    """Name of the source that reads the dataset."""
    title: str
    licence: str
    """SPDX id, of labels made from this dataset."""
    attribution: str
    about: str
    categories: Mapping[str, Category]
    digest: str
    """8 hex of the content: two schemas with the same digest say the same."""
    given: str = field(default="", compare=False)
    """The path of its file, if it is one of the user's own."""

    @property
    def argument(self) -> str:
        """What a command to type next has to name: the bundled benchmark, or the file."""
        return shlex.quote(self.given or self.benchmark)

    def category(self, key: str) -> Category | None:
        """The category of that folder name, or None."""
        return self.categories.get(key)
