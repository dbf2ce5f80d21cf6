"""Turns the text of an answer into classes by one strict rule: never the nearest string, never a guess.

1. The text is a name of a class: its id, name or alias. Names are folded first (`schema.fold`): case, spaces and
   punctuation do not count. Names of the view come before names of the label sets' classes. An id always means its own
   class; any other name that two classes share means neither.
2. Otherwise it is several such names joined by `;` or ` + `: the label set of these classes. `good` stands alone.
3. An empty text, `unsure`, `abstain` or `abstained` is an abstention. So are the words that tables have for an empty
   cell, such as `nan` and `None`, unless a class is called so.
4. A mapping from class to probability is the class with the largest one; if two have it, or none has any, it is an
   abstention.
5. Anything else names no class. Neither does a text longer than MAX_LENGTH characters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, SupportsFloat

from acbench._util.text import tidy
from acbench.errors import TableError
from acbench.records import GOOD, JOIN, is_contradictory, label_set
from acbench.schema import NORMAL_LABELS, Category, Schema, fold
from acbench.schema.views import ClassSet, View, answer_of, in_view
from acbench.storage.csv_files import names_in

MAX_LENGTH = 1_000
"""Characters of the longest answer that is parsed."""
ABSTENTIONS = frozenset({"unsure", "abstain", "abstained", "nan", "none", "null", "na", "nat"})
"""Folded words for "no answer"; the latter are what is left of an empty cell of pandas, Python or JSON."""
MAX_CLASSES = 1_000
"""Classes that an answer may give probabilities of."""

Status = Literal["ok", "unknown", "empty", "error", "missing"]
Meanings = dict[str, ClassSet | None]
"""Folded name → the classes it means; None if two classes share the name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question: an answer, or why there is none."""

    status: Status
    """`ok`; `unknown` names no class; `empty` is an abstention; `error` is a failure of the system; `missing` has no
    row."""
    labels: ClassSet = ()
    """Empty unless the status is `ok`."""

    @property
    def usable(self) -> bool:
        """Whether there is an answer."""
        return self.status == "ok"


UNKNOWN, EMPTY, ERROR, MISSING = Outcome("unknown"), Outcome("empty"), Outcome("error"), Outcome("missing")


@dataclass(frozen=True, slots=True)
class AnswerVocabulary:
    """The answers of one category and their names."""

    axis: tuple[ClassSet, ...]
    """Every answer of one class in the order of the schema, `good` first: the axis of a confusion matrix."""
    names: Meanings
    """Names that are an answer on their own."""
    parts: Meanings
    """Names that may be part of a label set."""
    sets: Mapping[ClassSet, ClassSet] | None
    """Label set → class of the view; None if every label set is an answer."""

    def parse(self, answer: object) -> Outcome:
        """Parse a text, an iterable of names, or a mapping from name to probability."""
        if answer is None or (isinstance(answer, float) and math.isnan(answer)):
            return EMPTY
        if isinstance(answer, Mapping):
            return self._parse_probabilities(answer)
        if isinstance(answer, Iterable) and not isinstance(answer, str):
            names = [str(name) for name in answer if name is not None]
            return self._parse_text(names[0]) if len(names) == 1 else self._parse_set(names) if names else EMPTY
        return self._parse_text(str(answer))

    def _parse_text(self, text: str) -> Outcome:
        if len(text) > MAX_LENGTH:
            return UNKNOWN
        labels = self.names.get(fold(text))
        if labels is not None:
            return Outcome("ok", labels)
        if not text.strip() or fold(text) in ABSTENTIONS:
            return EMPTY
        parts = names_in(text)
        return self._parse_set(parts) if len(parts) > 1 else UNKNOWN

    def probabilities(self, answer: object) -> dict[ClassSet, float]:
        """Class → probability, of an answer that gives them; empty for any other, and if one of them cannot be read.

        A class that is named twice has the sum.
        """
        likely: dict[ClassSet, float] = {}
        if not isinstance(answer, Mapping) or len(answer) > MAX_CLASSES:
            return {}
        for name, share in answer.items():
            if share is None:  # a column of structs has every field in every row
                continue
            meaning = self._parse_text(str(name))
            if isinstance(share, bool | str) or not isinstance(share, SupportsFloat) or not meaning.usable:
                return {}
            if not 0 <= float(share) <= 1:
                return {}
            likely[meaning.labels] = likely.get(meaning.labels, 0.0) + float(share)
        return likely

    def _parse_probabilities(self, shares: Mapping[object, object]) -> Outcome:
        likely = self.probabilities(shares)
        if not likely:
            return UNKNOWN if any(share is not None for share in shares.values()) else EMPTY
        largest = max(likely.values())
        best = [labels for labels, share in likely.items() if share == largest]
        return Outcome("ok", best[0]) if largest > 0 and len(best) == 1 else EMPTY

    def _parse_set(self, names: Iterable[str]) -> Outcome:
        meanings = [self.parts.get(fold(name)) for name in names]
        labels = label_set(label for meaning in meanings if meaning for label in meaning)
        if None in meanings or is_contradictory(labels):
            return UNKNOWN
        answer = labels if self.sets is None else self.sets.get(labels)
        return Outcome("ok", answer) if answer else UNKNOWN

    def with_aliases(self, aliases: Mapping[str, str], category: str) -> AnswerVocabulary:
        """Add other names of classes. Raises TableError for a name that means another class already."""
        added: Meanings = {}
        for name, class_name in aliases.items():
            meaning = self.parse(class_name)
            if not meaning.usable:
                raise TableError(
                    f"aliases of {category}: {tidy(class_name, 80)!r} is no class of it", "name a class id"
                )
            known = added.get(fold(name)) or self.names.get(fold(name))
            if not fold(name) or (known is not None and known != meaning.labels):
                raise TableError(
                    f"aliases of {category}: {tidy(name, 80)!r} means {JOIN.join(known or ('nothing',))} already",
                    "an alias adds a name; it cannot change what one means",
                )
            added[fold(name)] = meaning.labels
        return AnswerVocabulary(self.axis, {**self.names, **added}, {**self.parts, **added}, self.sets)


def schema_vocabularies(
    schema: Schema, view: View, aliases: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, AnswerVocabulary]:
    """Build the vocabulary of each category of a view.

    `aliases`: category → a method's own name → class. Raises TableError for an alias that means another class in the
    schema, or that names no class of it.
    """
    return {
        key: _category_vocabulary(schema.categories[key], category, view).with_aliases(
            (aliases or {}).get(key, {}), key
        )
        for key, category in in_view(schema, view).categories.items()
    }


def table_vocabularies(
    classes: Mapping[str, Iterable[str]], aliases: Mapping[str, Mapping[str, str]]
) -> dict[str, AnswerVocabulary]:
    """Build the vocabularies of a table: category → names of classes.

    Raises TableError if the names of two classes fold to the same.
    """
    vocabularies = {}
    for key, names in classes.items():
        meanings: Meanings = dict.fromkeys(NORMAL_LABELS, (GOOD,))
        ordered = sorted(set(names) - {GOOD})
        for name in ordered:
            if not fold(name) or fold(name) in meanings:
                raise TableError(
                    f"{key}: the class {tidy(name, 80)!r} reads like another one, or like nothing",
                    "classes have to differ in letters or digits",
                )
            meanings[fold(name)] = (name,)
        axis = ((GOOD,), *((name,) for name in ordered))
        sets: dict[ClassSet, ClassSet] = {answer: answer for answer in axis}
        vocabulary = AnswerVocabulary(axis, meanings, meanings, sets)
        vocabularies[key] = vocabulary.with_aliases(aliases.get(key, {}), key)
    return vocabularies


def _category_vocabulary(own: Category, viewed: Category, view: View) -> AnswerVocabulary:
    """Build the vocabulary of a category; `viewed` has the classes of the view instead of its own."""
    names: Meanings = dict.fromkeys(NORMAL_LABELS, (GOOD,))
    for defect in viewed.classes:
        _add(names, defect.names, (defect.id,))
    parts: Meanings = dict.fromkeys(NORMAL_LABELS, (GOOD,))
    for defect in own.classes:
        _add(parts, defect.names, (defect.id,))
    others = {name: answer_of(labels, own, view) for name, labels in parts.items() if labels}
    if view == "sets":
        others |= _names_of_published_sets(own)
    # A class's own id means that class, whatever another one's alias may be.
    ids: Meanings = {fold(defect.id): (defect.id,) for defect in viewed.classes}
    axis = ((GOOD,), *((defect.id,) for defect in viewed.classes))
    return AnswerVocabulary(axis, {**others, **names, **ids}, parts, None if view == "sets" else _published_sets(own))


def _names_of_published_sets(category: Category) -> Meanings:
    """Names of published classes that stand for exactly one label set."""
    names: Meanings = {}
    for published in category.published:
        if len(published.sets) == 1:
            own: Meanings = {}
            _add(own, published.names, published.sets[0])
            names |= own
    return names


def _published_sets(category: Category) -> dict[ClassSet, ClassSet]:
    sets: dict[ClassSet, ClassSet] = {(GOOD,): (GOOD,)}
    for published in category.published:
        sets |= dict.fromkeys(published.sets, (published.id,))
    return sets


def _add(meanings: Meanings, names: Iterable[str], labels: ClassSet) -> None:
    for name in map(fold, names):
        if name:
            meanings[name] = labels if meanings.get(name, labels) == labels else None
