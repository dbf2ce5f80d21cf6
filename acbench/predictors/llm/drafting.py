"""Has a multimodal LLM draft the texts of a category from example pictures: one question a category.

A draft is no definition: whoever owns the benchmark reads it, and takes it over or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from acbench._util import templates
from acbench._util.text import tidy
from acbench.predictors.llm.messages import Picture, Question
from acbench.predictors.llm.parse import json_objects

TEXTS = templates.read("draft")
MAX_TEXT = 900
"""Characters of one text that are kept."""
MIN_TEXT = 30
"""A shorter text tells nobody enough, and is left out."""
MAX_TOKENS = 3_000
"""The longest answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """What is shown of one category."""

    name: str
    classes: Mapping[str, str]
    """Class id → its name."""
    normal: Sequence[Picture]
    pictures: Mapping[str, Sequence[Picture]]
    """Class id → pictures of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What a model has drafted for one category; empty where it said nothing that can be used."""

    object: str = ""
    normal: str = ""
    guide: str = ""
    definitions: Mapping[str, str] = field(default_factory=dict)
    """Class id → definition."""
    distinctions: Mapping[str, str] = field(default_factory=dict)
    """Class id → what it is not."""
    problem: str = ""
    """Why nothing can be used; empty otherwise."""


def question(examples: Examples) -> Question:
    """The question about one category."""
    listed = ", ".join(f"`{class_id}` ({name})" for class_id, name in examples.classes.items())
    parts: list[str | Picture] = [TEXTS.fill("product", name=examples.name, classes=listed)]
    if examples.normal:
        parts += [TEXTS.fill("normal"), *examples.normal]
    for class_id, pictures in examples.pictures.items():
        if pictures:
            parts += [TEXTS.fill("class", id=class_id, name=examples.classes[class_id]), *pictures]
    parts.append(TEXTS.fill("task"))
    return Question(
        system=TEXTS.fill("system"), parts=tuple(parts), schema=_schema(examples.classes), max_tokens=MAX_TOKENS
    )


def read(answer: str, examples: Examples) -> Drafted:
    """What an answer drafts. Does not raise: `problem` says why nothing of it can be used."""
    found = [each for each in json_objects(answer) if "classes" in each]
    if not found:
        return Drafted(problem="the answer holds no draft that can be read")
    said = found[-1]
    entries = said["classes"] if isinstance(said["classes"], list) else []
    by_id = {
        str(entry.get("id")): entry
        for entry in entries
        if isinstance(entry, dict) and str(entry.get("id")) in examples.classes
    }
    return Drafted(
        object=_text(said.get("object")),
        normal=_text(said.get("normal")),
        guide=_text(said.get("guide")),
        definitions={key: text for key, entry in by_id.items() if (text := _text(entry.get("definition")))},
        distinctions={key: text for key, entry in by_id.items() if (text := _text(entry.get("not")))},
        problem="" if by_id else "the answer names none of the classes",
    )


def _text(value: object) -> str:
    text = tidy(value, MAX_TEXT) if isinstance(value, str) else ""
    return text if len(text) >= MIN_TEXT else ""


def _schema(class_ids: Mapping[str, str]) -> dict[str, Any]:
    """The JSON Schema of an answer; strict modes want every key required."""
    text = {"type": "string"}
    entry = {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "definition", "not"],
        "properties": {"id": {"type": "string", "enum": list(class_ids)}, "definition": text, "not": text},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["object", "normal", "guide", "classes"],
        "properties": {
            "object": text,
            "normal": text,
            "guide": text,
            "classes": {"type": "array", "items": entry},
        },
    }
