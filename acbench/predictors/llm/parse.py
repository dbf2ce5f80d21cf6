"""Parses a model's answer strictly: class ids of the schema, or the reason why not. It never guesses.

An answer has to be one JSON object as `acbench.schema.render.json_schema` describes it, with two liberties: it may
stand in one Markdown code fence, and a class may be named by its name or an alias (`Category.parse`).

A model's text is data and nothing more: it is shortened, put on one line and freed of control characters before it is
shown or kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acbench._util.text import tidy
from acbench.records import GOOD, ProposalStatus, is_contradictory, label_set
from acbench.schema import Category

MAX_ANSWER = 20_000
"""Characters of an answer; a longer one is not read."""
MAX_REASON = 400
"""Characters of a reason that are kept."""

_MAX_QUOTED = 80
"""Characters of something unknown that a problem repeats."""
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL | re.IGNORECASE)
_REQUIRED = ("labels", "confidence", "reason")
_OPTIONAL = ("text_in_image",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One answer, as far as it can be used."""

    status: ProposalStatus
    labels: tuple[str, ...] = ()
    """Class ids, or `good` alone; empty unless the status is `ok`."""
    confidence: float | None = None
    """The model's own number, 0…1, which is no calibrated probability. None if the answer could not be read."""
    reason: str = ""
    """The model's own reason, on one line."""
    text_in_image: bool = False
    """Whether the model reports that text in a picture reads like an instruction."""
    problem: str = ""
    """What is wrong with the answer; empty unless the status is `error`."""


class _Unusable(Exception):
    """Why an answer cannot be used."""


def parse(text: str, category: Category) -> Parsed:
    """Parse a model's answer about one image. Does not raise: `problem` says what is wrong.

    A model abstains with an empty list of labels.
    """
    try:
        return _parse(_json_object(text), category)
    except _Unusable as error:
        return Parsed(status="error", problem=str(error))


def _parse(answer: dict[str, Any], category: Category) -> Parsed:
    labels = _labels(answer["labels"], category)
    confidence, reason, text_in_image = answer["confidence"], answer["reason"], answer.get("text_in_image", False)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        raise _Unusable("unparsable: `confidence` is not a number")
    if not 0 <= confidence <= 1:  # also refuses NaN
        raise _Unusable("unparsable: `confidence` is not between 0 and 1")
    if not isinstance(reason, str):
        raise _Unusable("unparsable: `reason` is not text")
    if not isinstance(text_in_image, bool):
        raise _Unusable("unparsable: `text_in_image` is neither true nor false")
    return Parsed(
        status="ok" if labels else "abstained",
        labels=labels,
        confidence=float(confidence),
        reason=tidy(reason, MAX_REASON),
        text_in_image=text_in_image,
    )


def _json_object(text: str) -> dict[str, Any]:
    """The one JSON object in a text. It has all required keys and no unknown ones."""
    if len(text) > MAX_ANSWER:
        raise _Unusable(f"unparsable: {len(text):,} characters, at most {MAX_ANSWER:,} are read")
    text = text.strip("\ufeff \t\r\n")
    fenced = _FENCED.fullmatch(text)
    if not text:
        raise _Unusable("unparsable: the answer is empty")
    try:
        value = json.loads(fenced[1] if fenced else text, object_pairs_hook=_unique_keys, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise _Unusable(f"unparsable: not one JSON object: {error.msg} at character {error.pos}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; very deep nesting
        raise _Unusable("unparsable: JSON beyond measure") from None
    if not isinstance(value, dict):
        raise _Unusable("unparsable: JSON, but not an object")
    if missing := [name for name in _REQUIRED if name not in value]:
        raise _Unusable(f"unparsable: `{missing[0]}` is missing")
    if unknown := [name for name in value if name not in (*_REQUIRED, *_OPTIONAL)]:
        raise _Unusable(f"unparsable: unknown key {_quoted(unknown[0])}")
    return value


def _labels(names: Any, category: Category) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _Unusable("unparsable: `labels` is not a list of class ids")
    classes = {name: category.parse(name) for name in names}
    if unknown := [name for name, class_id in classes.items() if class_id is None]:
        raise _Unusable(f"{_quoted(unknown[0])} is no class of {category.key}")
    labels = label_set(class_id for class_id in classes.values() if class_id)
    if is_contradictory(labels):
        raise _Unusable(f"`{GOOD}` and a defect exclude each other")
    return labels


def _quoted(text: str) -> str:
    return f"`{tidy(text, _MAX_QUOTED)}`"


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different: if a key has two values, nobody knows which one is meant."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _Unusable("unparsable: a key is given twice")
    return value


def _no_number(name: str) -> Any:
    raise _Unusable(f"unparsable: {name} is not JSON")
