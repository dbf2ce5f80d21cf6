"""What a model said, read strictly: class ids of the schema, or why not. Never the nearest string, never a guess.

An answer is one JSON object as `acbench.schema.render.json_schema` describes it, and nothing else. Two liberties:
it may stand in one Markdown code fence, and a class may be called by its name or an alias, folded as everywhere
(`Category.parse`). All text that comes from a model is data: it is cut, put on one line and freed of control
characters before anybody sees it, and no more is done with it.
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

MOST = 20_000
"""Characters of an answer; a longer one is not read."""
REASON = 400
"""Characters of a reason that are kept."""

_NAMED = 80
"""Characters of something unknown that are repeated."""
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
    """What the model says it is, 0…1: no calibrated probability. None unless the answer could be read."""
    reason: str = ""
    """The model's own, tidied."""
    text_in_image: bool = False
    """Whether the model reports writing in a picture that reads like an instruction."""
    problem: str = ""
    """What is wrong with the answer; empty unless the status is `error`."""


class _Wrong(Exception):
    """Why an answer cannot be used."""


def parse(text: str, category: Category) -> Parsed:
    """Read a model's answer about one image. Does not raise: what is wrong is said in `problem`.

    An empty list of labels is how a model abstains.
    """
    try:
        found = _object(text)
        labels = _labels(found["labels"], category)
        confidence, reason, seen = found["confidence"], found["reason"], found.get("text_in_image", False)
        if isinstance(confidence, bool) or not isinstance(confidence, int | float):
            raise _Wrong("unparsable: `confidence` is not a number")
        if not 0 <= confidence <= 1:  # false of NaN too
            raise _Wrong("unparsable: `confidence` is not between 0 and 1")
        if not isinstance(reason, str):
            raise _Wrong("unparsable: `reason` is not text")
        if not isinstance(seen, bool):
            raise _Wrong("unparsable: `text_in_image` is neither true nor false")
    except _Wrong as wrong:
        return Parsed(status="error", problem=str(wrong))
    return Parsed(
        status="ok" if labels else "abstained",
        labels=labels,
        confidence=float(confidence),
        reason=tidy(reason, REASON),
        text_in_image=seen,
    )


def _object(text: str) -> dict[str, Any]:
    """The one JSON object that the text is, with the keys of an answer."""
    if len(text) > MOST:
        raise _Wrong(f"unparsable: {len(text):,} characters, at most {MOST:,} are read")
    text = text.strip("\ufeff \t\r\n")
    fenced = _FENCED.fullmatch(text)
    if not text:
        raise _Wrong("unparsable: the answer is empty")
    try:
        found = json.loads(fenced[1] if fenced else text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise _Wrong(f"unparsable: not one JSON object: {error.msg} at character {error.pos}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; lists within lists within lists
        raise _Wrong("unparsable: JSON beyond measure") from None
    if not isinstance(found, dict):
        raise _Wrong("unparsable: JSON, but not an object")
    if missing := [name for name in _REQUIRED if name not in found]:
        raise _Wrong(f"unparsable: `{missing[0]}` is missing")
    if unknown := [name for name in found if name not in (*_REQUIRED, *_OPTIONAL)]:
        raise _Wrong(f"unparsable: unknown key {_quoted(unknown[0])}")
    return found


def _labels(said: Any, category: Category) -> tuple[str, ...]:
    if not isinstance(said, list) or not all(isinstance(name, str) for name in said):
        raise _Wrong("unparsable: `labels` is not a list of class ids")
    classes = {name: category.parse(name) for name in said}
    if unknown := [name for name, found in classes.items() if found is None]:
        raise _Wrong(f"{_quoted(unknown[0])} is no class of {category.key}")
    labels = label_set(found for found in classes.values() if found)
    if is_contradictory(labels):
        raise _Wrong(f"`{GOOD}` and a defect exclude each other")
    return labels


def _quoted(text: str) -> str:
    return f"`{tidy(text, _NAMED)}`"


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different: of two values nobody knows which is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Wrong("unparsable: a key is given twice")
    return found


def _no_number(name: str) -> Any:
    raise _Wrong(f"unparsable: {name} is not JSON")
