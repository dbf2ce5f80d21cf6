"""Parses a model's answer: class ids of the schema, or the reason why not. It never guesses.

It is strict about content and lenient about form. An answer has to hold one JSON object with `labels`, as
`acbench.schema.render.json_schema` describes it, and every label has to name a class by its id, its name or an alias
(`Category.parse`). Around the object there may be whatever models put there: thoughts, words, a Markdown code fence, a
list of one, tokens that end a turn. A number may be a text or a percentage, and keys that nobody asked for are ignored.
A confidence that makes no sense is left out, and the labels stay.

A model's text is data and nothing more: it is shortened, put on one line and freed of control characters before it is
shown or kept.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from acbench._util.text import tidy
from acbench.records import GOOD, ProposalStatus, is_contradictory, label_set
from acbench.schema import Category

READER = 2
"""Raise it when the same answer is read in another way: kept answers are then read anew, for nothing."""
MAX_ANSWER = 20_000
"""Characters of an answer; a longer one is not read."""
MAX_REASON = 400
"""Characters of a reason that are kept."""
THOUGHTS = "thoughts before the answer were left out"
"""The liberty of a model that thinks aloud."""

_BLANK = "\ufeff \t\r\n"
_MAX_QUOTED = 80
"""Characters of something unknown that a problem repeats."""
_THINKING = tuple(
    (re.compile(start, re.I), re.compile(end, re.I))
    for start, end in (
        (r"<(think|thinking|thought|reasoning|analysis)>", r"</(think|thinking|thought|reasoning|analysis)>"),
        (r"\[THINK\]", r"\[/THINK\]"),
        (r"◁think▷", r"◁/think▷"),
        (r"<\|channel\|>analysis", r"<\|channel\|>final(<\|message\|>)?"),
        (r"<seed:think>", r"</seed:think>"),
    )
)
"""Beginning and end of what models put before an answer."""
_FENCE = re.compile(r"```[a-z]*[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", re.DOTALL | re.IGNORECASE)
_END_OF_TURN = re.compile(r"(<\|?(im_end|end|eot_id|endoftext|end_of_text|return|eom_id)\|?>|</s>|<end_of_turn>)\s*\Z")
_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*")
_MAX_OBJECTS = 50
"""Braces in a text from which an object is tried to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One answer, as far as it can be used."""

    status: ProposalStatus
    labels: tuple[str, ...] = ()
    """Class ids, or `good` alone; empty unless the status is `ok`."""
    confidence: float | None = None
    """The model's own number, 0…1, which is no calibrated probability. None if there is none that can be read."""
    reason: str = ""
    """The model's own reason, on one line."""
    text_in_image: bool = False
    """Whether the model reports that text in a picture reads like an instruction."""
    problem: str = ""
    """What is wrong with the answer; empty unless the status is `error`."""
    liberty: str = ""
    """What the reader overlooked in its form, for the user to know of; empty for most."""


class _Unusable(Exception):
    """Why an answer cannot be used."""


def parse(text: str, category: Category) -> Parsed:
    """Parse a model's answer about one image. Does not raise: `problem` says what is wrong.

    A model abstains with an empty list of labels.
    """
    try:
        if len(text) > MAX_ANSWER:
            raise _Unusable(f"unparsable: {len(text):,} characters, at most {MAX_ANSWER:,} are read")
        said = without_thoughts(text)
        thinks = said != text.strip(_BLANK)
        answer = _json_object(said, after_thoughts=thinks)
        labels = _labels(answer, category)
    except _Unusable as error:
        return Parsed(status="error", problem=str(error))
    reason = answer.get("reason")
    return Parsed(
        status="ok" if labels else "abstained",
        labels=labels,
        confidence=_confidence(answer.get("confidence")),
        reason=tidy(reason, MAX_REASON) if isinstance(reason, str) else "",
        text_in_image=str(answer.get("text_in_image")).lower() == "true",
        liberty=THOUGHTS if thinks else "",
    )


def json_objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects in an answer, whatever stands around them: outermost ones, in order; none if it is too long."""
    try:
        return [] if len(text) > MAX_ANSWER else list(_objects_within(without_thoughts(text)))
    except _Unusable:
        return []


def without_thoughts(text: str) -> str:
    """A text without one block of thoughts at its beginning, with or without the marks around it.

    If only the end of the block is marked, the text before it is dropped; if only the beginning is, the mark.
    """
    text = text.strip(_BLANK)
    for start, end in _THINKING:
        begun, ended = start.match(text), list(end.finditer(text))
        if ended:
            return text[ended[0].end() if begun else ended[-1].end() :].strip()
        if begun:
            return text[begun.end() :].strip()
    return text


def _json_object(text: str, *, after_thoughts: bool) -> dict[str, Any]:
    """The one JSON object with labels in a text. Several that differ are none, but after thoughts the last counts:
    their end is not always marked, and a model drafts answers in them."""
    text = _END_OF_TURN.sub("", text).strip()
    if not text:
        raise _Unusable("unparsable: the answer is empty")
    found: list[dict[str, Any]] = []
    problem = ""
    for candidate in (text, *(fence[1] for fence in _FENCE.finditer(text))):
        try:
            value = _decoded(candidate)
        except json.JSONDecodeError as error:
            problem = problem or f"unparsable: not one JSON object: {error.msg} at character {error.pos}"
            continue
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(value, dict):
            found.append(value)
        else:
            problem = problem or "unparsable: JSON, but not an object"
    found = found or list(_objects_within(text))
    answers = [value for value in found if "labels" in value or "label" in value]
    if not answers:
        raise _Unusable("unparsable: `labels` is missing" if found else problem)
    if not after_thoughts and any(_named(other) != _named(answers[0]) for other in answers[1:]):
        raise _Unusable("unparsable: several answers that differ")
    return answers[-1]


def _objects_within(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text with other things around them, outermost ones, in order."""
    decoder = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_constant)
    position = 0
    for _ in range(_MAX_OBJECTS):
        position = text.find("{", position)
        if position < 0:
            return
        try:
            value, position = decoder.raw_decode(text, position)
            yield value
        except json.JSONDecodeError:
            position += 1
        except (ValueError, RecursionError):
            raise _Unusable("unparsable: JSON beyond measure") from None


def _decoded(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_constant)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError):  # a number of thousands of digits; very deep nesting
        raise _Unusable("unparsable: JSON beyond measure") from None


def _named(answer: dict[str, Any]) -> Any:
    return answer.get("labels", answer.get("label"))


def _labels(answer: dict[str, Any], category: Category) -> tuple[str, ...]:
    names = _named(answer)
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _Unusable("unparsable: `labels` is not a list of class ids")
    classes = {name: category.parse(name) for name in names}
    if unknown := [name for name, class_id in classes.items() if class_id is None]:
        raise _Unusable(f"{_quoted(unknown[0])} is no class of {category.key}")
    labels = label_set(class_id for class_id in classes.values() if class_id)
    if is_contradictory(labels):
        raise _Unusable(f"`{GOOD}` and a defect exclude each other")
    return labels


def _confidence(value: Any) -> float | None:
    """A confidence, 0…1, also from a text or a percentage; None if it makes no sense."""
    if isinstance(value, str):
        number = _PERCENT.fullmatch(value)
        if number is None:
            return None
        value = float(number[1])
        if number[2]:
            return value / 100 if value <= 100 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:  # also refuses NaN
        return None
    if 1 < value < 2:  # neither a share nor likely a percentage
        return None
    return float(value / 100 if value > 1 else value)


def _quoted(text: str) -> str:
    return f"`{tidy(text, _MAX_QUOTED)}`"


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different: if `labels` has two values, nobody knows which one is meant."""
    value = dict(pairs)
    if len(value) < len(pairs) and [key for key, _ in pairs].count("labels") > 1:
        raise _Unusable("unparsable: `labels` is given twice")
    return value


def _constant(name: str) -> float:
    """NaN and Infinity, which are not JSON, as numbers that no confidence has."""
    return math.nan
