"""The records of a label schema, and how a category maps the dataset's labels and reads names of classes."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from acbench.records import GOOD, Reading, label_set
from acbench.schema.class_names import NORMAL_LABELS, fold, is_normal
from acbench.schema.publisher import Publisher

ChangeKind = Literal["merge", "rename", "mixed", "exclude", "correct"]

_PAST_TENSE = {"merge": "merged", "rename": "renamed", "exclude": "excluded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectClass:
    """One kind of defect of one category."""

    id: str
    """Stable; tables hold it."""
    name: str
    """For people."""
    definition: str
    """What makes a defect this class; for annotators and models alike."""
    not_this: str
    """What it is confused with, and how to tell them apart."""
    aliases: tuple[str, ...]
    """Other names of the same class."""
    source: tuple[str, ...]
    """The dataset's labels that map to it."""
    negligible: bool = False
    """Whether it is harmless: an anomaly, and no defect that a product is stopped for."""

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that names the class: its id first."""
        return self.id, self.name, *self.aliases


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
class Boundary:
    """What was settled between classes that pass over into each other. The texts of the classes follow it."""

    classes: tuple[str, ...]
    """Class ids, `good` among them if it is about what is normal."""
    reason: str
    """What was settled, and on which images or on what else that rests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedClass:
    """One class of the published benchmark: a name for one or more label sets."""

    id: str
    name: str
    definition: str
    aliases: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]
    """The label sets that it holds."""
    reason: str
    """Why these sets are one class; empty if it is simply one defect class."""

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that names the class: its id first."""
        return self.id, self.name, *self.aliases


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedLabels:
    """The label set that a dataset's own labels of one image become."""

    labels: tuple[str, ...]
    """Class ids; empty if the dataset's labels name no class."""
    reason: str
    """Why the labels are not simply the classes of the same names; empty if they are."""
    excluded: bool = False
    """Whether the schema leaves such images out of the benchmark."""


@dataclass(frozen=True, kw_only=True)
class Category:
    """The classes of one object or texture, and how to tell them apart.

    Its lookups are prepared once, on first use: a run asks them several times for every image.
    """

    key: str
    """Its name in files, tables and commands: the dataset's own if that fits there, else one made from it."""
    name: str
    object: str
    """What the images show."""
    normal: str
    """What a normal image looks like, harmless variation included."""
    guide: str
    """The questions to ask, in order."""
    classes: tuple[DefectClass, ...]
    changes: tuple[Change, ...]
    published: tuple[PublishedClass, ...]
    boundaries: tuple[Boundary, ...] = ()
    folder: str = ""
    """What the dataset calls it, if that is not the key."""

    @cached_property
    def class_ids(self) -> tuple[str, ...]:
        """Ids of the defect classes in the schema's order, without `good`."""
        return tuple(defect.id for defect in self.classes)

    @property
    def answers(self) -> tuple[str, ...]:
        """Every class id that an image can have: `good`, then the defect classes in the schema's order."""
        return (GOOD, *self.class_ids)

    def map(self, source_labels: Iterable[str], image: str) -> MappedLabels:
        """The label set of an image from the dataset's own labels of it.

        Each label maps to one class, and the classes together are the label set. If one label is `mixed`, or unknown to
        the schema, the whole set stays open, because a part of the answer would look like all of it. `image` is the
        path relative to the dataset's root.
        """
        labels = tuple(source_labels)
        if not labels:
            return MappedLabels(labels=(), reason="the dataset gives no label")
        for correction in self._corrections.get(image, ()):
            if correction.source in labels:
                return MappedLabels(labels=correction.into, reason=f"corrected: {correction.reason}")
        if len(labels) == 1 and is_normal(labels[0]):
            return MappedLabels(labels=(GOOD,), reason="")
        return self._union(labels)

    def parse(self, text: str) -> str | None:
        """The id of the class that `text` names by id, name or alias; `good` for a normal image; else None.

        Case and punctuation do not count. The nearest name is never taken.
        """
        return self._class_by_name.get(fold(text))

    def present(self, class_id: str) -> tuple[str, ...]:
        """What the id of a class, maybe one that an earlier version of the schema had, means now; empty if the schema
        does not say. A `rename` or `merge` of that name in `changes` says so, and so does an alias."""
        if class_id in self.answers:
            return (class_id,)
        for change in self.changes:
            if (
                change.source == class_id
                and change.kind in ("rename", "merge")
                and set(change.into) <= set(self.answers)
            ):
                return change.into
        named = self.parse(class_id)
        return () if named is None else (named,)

    def published_class(self, labels: Iterable[str]) -> str | None:
        """The id of the published class that holds this label set; None if there is none."""
        return self._published_by_set.get(label_set(labels))

    def parse_published(self, text: str) -> str | None:
        """The id of the published class that `text` names by id, name or alias; `good` for a normal image.

        Case and punctuation do not count. None if it names no class, or more than one: nothing is guessed.
        """
        return self._published_by_name.get(fold(text))

    def _union(self, labels: Collection[str]) -> MappedLabels:
        """The classes of several labels of the dataset together."""
        class_ids: list[str] = []
        reasons: list[str] = []
        excluded = False
        for label in labels:
            written = self._as_written(label)
            change = self._change_by_label.get(written)
            if change is not None and change.kind == "mixed":
                return MappedLabels(labels=(), reason=f"`{label}` names no class: {change.reason}")
            if written not in self._class_by_label:
                return MappedLabels(labels=(), reason=f"`{label}` is not in the schema{self._near(label)}")
            class_ids.append(self._class_by_label[written])
            if change is not None:
                reasons.append(f"`{label}` {_PAST_TENSE[change.kind]}: {change.reason}")
                excluded = excluded or change.kind == "exclude"
        return MappedLabels(labels=label_set(class_ids), reason="; ".join(reasons), excluded=excluded)

    def _as_written(self, label: str) -> str:
        """A label of the dataset as the schema writes it; itself if the schema does not have it.

        Case and separators do not count, unless the schema itself tells two labels apart by them.
        """
        if label in self._class_by_label or label in self._change_by_label:
            return label
        alike = self._spellings.get(fold(label), ())
        return alike[0] if len(alike) == 1 else label

    def _near(self, label: str) -> str:
        """What an unknown label may have been meant to be, as the end of a sentence; usually empty."""
        near = difflib.get_close_matches(fold(label), self._spellings, n=1, cutoff=0.75)
        return f"; did you mean `{self._spellings[near[0]][0]}`?" if near else ""

    @cached_property
    def _spellings(self) -> Mapping[str, tuple[str, ...]]:
        """Folded label of the dataset → how the schema writes it."""
        spellings: dict[str, tuple[str, ...]] = {}
        for label in dict.fromkeys((*self._class_by_label, *self._change_by_label)):
            spellings[fold(label)] = (*spellings.get(fold(label), ()), label)
        return spellings

    @cached_property
    def _class_by_name(self) -> Mapping[str, str]:
        """Folded name → class id. Where two classes share a name, the first one has it."""
        by_name = dict.fromkeys(NORMAL_LABELS, GOOD)
        for defect in self.classes:
            for name in defect.names:
                by_name.setdefault(fold(name), defect.id)
        return by_name

    @cached_property
    def _class_by_label(self) -> Mapping[str, str]:
        """The dataset's label → class id. Where two classes list a label, the first one has it."""
        by_label: dict[str, str] = {}
        for defect in self.classes:
            for label in defect.source:
                by_label.setdefault(label, defect.id)
        return by_label

    @cached_property
    def _change_by_label(self) -> Mapping[str, Change]:
        """The dataset's label → the first change of it, corrections of single images aside."""
        by_label: dict[str, Change] = {}
        for change in self.changes:
            if change.kind != "correct":
                by_label.setdefault(change.source, change)
        return by_label

    @cached_property
    def _corrections(self) -> Mapping[str, tuple[Change, ...]]:
        """Path of an image → the corrections of its labels."""
        by_image: dict[str, tuple[Change, ...]] = {}
        for change in self.changes:
            if change.kind == "correct":
                by_image[change.image] = (*by_image.get(change.image, ()), change)
        return by_image

    @cached_property
    def _published_by_set(self) -> Mapping[tuple[str, ...], str]:
        """Label set → id of the first published class that holds it."""
        by_set: dict[tuple[str, ...], str] = {}
        for published in self.published:
            for labels in published.sets:
                by_set.setdefault(labels, published.id)
        return by_set

    @cached_property
    def _published_by_name(self) -> Mapping[str, str | None]:
        """Folded name → id of the published class; None where two classes share the name."""
        by_name: dict[str, str | None] = {}
        for published in self.published:
            for name in set(map(fold, published.names)):
                by_name[name] = None if name in by_name else published.id
        return {**by_name, **dict.fromkeys(NORMAL_LABELS, GOOD)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One label schema: the categories of a benchmark, and where its dataset comes from."""

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
    reading: Reading = field(default_factory=dict)
    """Options of the source: how the dataset lies on disk. Usually empty."""
    file: str = field(default="", compare=False)
    """The path of its file, if it is not a bundled one."""
    command: str = field(default="", compare=False)
    """How the command named it, with the project if it named one, quoted for a shell."""
    publisher: Publisher = field(default_factory=Publisher, compare=False)
    todo: tuple[str, ...] = field(default=(), compare=False)
    """Places of the file whose text is still to be written."""
    drafts: tuple[str, ...] = field(default=(), compare=False)
    """Places of the file whose text a model has drafted, and no person has taken over yet."""

    @property
    def argument(self) -> str:
        """How a command names the schema, and the project if it is not the usual one, quoted for a shell."""
        return self.command or shlex.quote(self.file or self.benchmark)

    def category(self, key: str) -> Category | None:
        """The category of that key, or None."""
        return self.categories.get(key)

    def key_of(self, name: str) -> str:
        """The key of the category that the dataset, or a person, calls so; case and separators do not count.

        The name itself if the schema has no such category.
        """
        by_folder = [key for key, category in self.categories.items() if category.folder == name]
        if by_folder or name in self.categories:
            return by_folder[0] if by_folder else name
        return self._key_by_folder.get(fold(name), name)

    @property
    def _key_by_folder(self) -> Mapping[str, str]:
        keys: dict[str, str] = {}
        for key, category in self.categories.items():
            keys.setdefault(fold(category.folder or key), key)
        return keys
