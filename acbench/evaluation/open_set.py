"""Counts answers that name no class of their category, and says which of them are a class of another category.

An answer in words counts as it stands. Of a JSON object with `labels`, as multimodal LLMs answer, these count.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from acbench._util.text import tidy
from acbench.evaluation.answer_parsing import MAX_LENGTH
from acbench.evaluation.predictions import Answers
from acbench.evaluation.truth import Truth
from acbench.records import JOIN
from acbench.schema import fold
from acbench.stats import Estimate, rate

MAX_NAMED = 50
"""Different answers that are listed, the most frequent first."""
MAX_SHOWN = 80
"""Characters of an answer that are shown."""
MAX_JSON = 20_000
"""Characters of a JSON object that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedOutside:
    """One answer that names no class of a category."""

    category: str
    answer: str
    """As it was given first, on one line and shortened."""
    items: int
    """Items of the category that were answered so."""
    class_of: Sequence[str]
    """Other categories that have a class of that name; empty if none has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSet:
    """What was answered that is no class of its category."""

    outside: Estimate
    """Share of all items."""
    elsewhere: Estimate
    """Share of all items whose answer is a class of another category."""
    named: Sequence[NamedOutside]
    """The most frequent ones."""


def open_set(truth: Truth, answers: Answers) -> OpenSet | None:
    """The share and the names of such answers; None if every answer names a class of its category, or none."""
    counts: Counter[tuple[str, str]] = Counter()
    shown: dict[tuple[str, str], str] = {}
    table = answers.table(truth)
    for place in table.having("unknown").tolist():
        text = _said(table.raw(place))
        key = truth.targets.category(place), fold(text) or text
        counts[key] += 1
        shown.setdefault(key, text)
    if not counts:
        return None
    class_of = {(category, name): _class_of(truth, category, shown[category, name]) for category, name in counts}
    n = len(truth.targets)
    outside, elsewhere = rate(counts.total(), n), rate(sum(counts[key] for key, own in class_of.items() if own), n)
    assert outside is not None and elsewhere is not None, "there are items"
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    return OpenSet(
        outside=outside,
        elsewhere=elsewhere,
        named=[
            NamedOutside(category=key[0], answer=tidy(shown[key], MAX_SHOWN), items=counts[key], class_of=class_of[key])
            for key in ordered[:MAX_NAMED]
        ],
    )


def _class_of(truth: Truth, category: str, text: str) -> list[str]:
    others = sorted(truth.vocabularies.items())
    return [other for other, vocabulary in others if other != category and vocabulary.parse(text).usable]


def _said(raw: str) -> str:
    """The classes that an answer names, joined."""
    if not raw.lstrip().startswith("{") or len(raw) > MAX_JSON:
        return raw if len(raw) <= MAX_LENGTH else raw[: MAX_LENGTH + 1]
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        return raw[: MAX_LENGTH + 1]
    labels = answer.get("labels", answer.get("label"))
    names = [labels] if isinstance(labels, str) else labels
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return JOIN.join(names)
    return raw[: MAX_LENGTH + 1]
