"""The one rule by which an answer in words becomes a class. Never the nearest string, never a guess.

1. The text, folded (`schema.fold`: case, spaces and punctuation do not count), is a class's id, name or alias; those of
   the view come first, then those of the label sets' classes. An id always means its class; another name that two
   classes share names neither.
2. Else it is several such names, joined by `;` or ` + `: the label set of these. `good` stands alone.
3. An empty answer, or `unsure`, `abstain` or `abstained`, is an abstention.
4. Anything else names no class, and neither does anything longer than `MOST` characters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from acbench._util.text import tidy
from acbench.errors import TableError
from acbench.records import GOOD, is_contradictory, label_set
from acbench.schema import NORMAL_LABELS, Category, Schema, fold
from acbench.schema.views import ClassSet, View, answer_of, in_view
from acbench.storage.csv_files import names_in

MOST = 1_000
"""Characters of an answer that is read."""
SILENT = frozenset({"unsure", "abstain", "abstained"})
"""Words, folded, that say that there is no answer."""

Parse = Literal["ok", "unknown", "empty", "error"]
Names = dict[str, ClassSet | None]
"""Folded name → what it means; None if two classes have it."""


@dataclass(frozen=True, slots=True)
class AnswerVocabulary:
    """What can be said of one category."""

    axis: tuple[ClassSet, ...]
    """Every answer of one class, in the order of the schema, `good` first."""
    names: Names
    parts: Names
    """Names that may stand in a set."""
    sets: Mapping[ClassSet, ClassSet] | None
    """Label set → class of the view; None if any set is an answer."""

    def parse(self, said: object) -> tuple[Parse, ClassSet]:
        """What an answer means: a text, or an iterable of names."""
        if said is None or (isinstance(said, float) and math.isnan(said)):
            return "empty", ()
        if isinstance(said, str):
            return self._text(said)
        if isinstance(said, Iterable):
            names = [str(each) for each in said if each is not None]
            return self._text(names[0]) if len(names) == 1 else self._set(names) if names else ("empty", ())
        return self._text(str(said))

    def _text(self, said: str) -> tuple[Parse, ClassSet]:
        if len(said) > MOST:
            return "unknown", ()
        found = self.names.get(fold(said))
        if found is not None:
            return "ok", found
        if not said.strip() or fold(said) in SILENT:
            return "empty", ()
        parts = names_in(said)
        return self._set(parts) if len(parts) > 1 else ("unknown", ())

    def _set(self, names: Iterable[str]) -> tuple[Parse, ClassSet]:
        found = [self.parts.get(fold(name)) for name in names]
        labels = label_set(label for one in found if one for label in one)
        if None in found or is_contradictory(labels):
            return "unknown", ()
        answer = labels if self.sets is None else self.sets.get(labels)
        return ("ok", answer) if answer else ("unknown", ())


def of_schema(
    schema: Schema, view: View, aliases: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, AnswerVocabulary]:
    """The words of each category of a view, with a method's own names (`category` → `name` → class) added.

    Raises TableError for a name of one's own that means another class in the schema, or names none.
    """
    return {
        key: _with(_of_category(schema.categories[key], category, view), (aliases or {}).get(key, {}), key)
        for key, category in in_view(schema, view).categories.items()
    }


def of_classes(
    classes: Mapping[str, Iterable[str]], aliases: Mapping[str, Mapping[str, str]]
) -> dict[str, AnswerVocabulary]:
    """The words of a table: category → names of classes. Raises TableError if two of them fold to the same."""
    words = {}
    for key, names in classes.items():
        found: Names = dict.fromkeys(NORMAL_LABELS, (GOOD,))
        ordered = sorted(set(names) - {GOOD})
        for name in ordered:
            if not fold(name) or fold(name) in found:
                raise TableError(
                    f"{key}: the class {tidy(name, 80)!r} reads like another one, or like nothing",
                    "classes have to differ in letters or digits",
                )
            found[fold(name)] = (name,)
        axis = ((GOOD,), *((name,) for name in ordered))
        sets: dict[ClassSet, ClassSet] = {(name,): (name,) for (name,) in axis}
        words[key] = _with(AnswerVocabulary(axis, found, found, sets), aliases.get(key, {}), key)
    return words


def _of_category(own: Category, category: Category, view: View) -> AnswerVocabulary:
    names: Names = dict.fromkeys(NORMAL_LABELS, (GOOD,))
    for one in category.classes:
        _add(names, (one.id, one.name, *one.aliases), (one.id,))
    parts: Names = dict.fromkeys(NORMAL_LABELS, (GOOD,))
    for one in own.classes:
        _add(parts, (one.id, one.name, *one.aliases), (one.id,))
    sets: dict[ClassSet, ClassSet] = {(GOOD,): (GOOD,)}
    for published in own.published:
        for each in published.sets:
            sets[each] = (published.id,)
    others = {name: answer_of(labels, own, view) for name, labels in parts.items() if labels}
    if view == "sets":
        for published in own.published:
            if len(published.sets) == 1:
                found: Names = {}
                _add(found, (published.id, published.name, *published.aliases), published.sets[0])
                others |= found
    # A class's own id means that class, whatever another one's alias may be.
    ids: Names = {fold(one.id): (one.id,) for one in category.classes}
    axis = ((GOOD,), *((one.id,) for one in category.classes))
    return AnswerVocabulary(axis, {**others, **names, **ids}, parts, None if view == "sets" else sets)


def _add(names: Names, said: Iterable[str], meant: ClassSet) -> None:
    for name in map(fold, said):
        if name:
            names[name] = meant if names.get(name, meant) == meant else None


def _with(words: AnswerVocabulary, aliases: Mapping[str, str], category: str) -> AnswerVocabulary:
    added: Names = {}
    for name, said in aliases.items():
        status, meant = words.parse(said)
        if status != "ok":
            raise TableError(f"aliases of {category}: {tidy(said, 80)!r} is no class of it", "name a class id")
        known = added.get(fold(name)) or words.names.get(fold(name))
        if not fold(name) or (known is not None and known != meant):
            raise TableError(
                f"aliases of {category}: {tidy(name, 80)!r} means {' + '.join(known or ('nothing',))} already",
                "an alias adds a name; it cannot change what one means",
            )
        added[fold(name)] = meant
    return AnswerVocabulary(words.axis, {**words.names, **added}, {**words.parts, **added}, words.sets)
