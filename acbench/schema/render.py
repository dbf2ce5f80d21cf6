"""One schema, its other readers: the model's prompt and the answer's JSON Schema. The annotator's form is in `form`."""

from __future__ import annotations

from typing import Any

from acbench.records import GOOD
from acbench.schema.model import Category


def json_schema(category: Category) -> dict[str, Any]:
    """JSON Schema (2020-12) of a model's answer about one image; `acbench.predictors.llm.parse` reads what comes of it.

    Every key is required, as the strict modes of endpoints want it. A model writes the keys in this order: what it sees
    comes before what it makes of it.
    """
    answers = [GOOD, *category.class_ids]
    properties = {
        "reason": {"type": "string", "maxLength": 400},
        "labels": {"type": "array", "items": {"type": "string", "enum": answers}, "maxItems": len(answers)},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "text_in_image": {"type": "boolean"},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def prompt_text(category: Category) -> str:
    """What a model has to know of a category to answer: object, normal, guide, classes."""
    lines = [
        f"Object: {category.object}",
        f"Normal ({GOOD}): {category.normal}",
        "Classes:",
        *(f"- {one.id} ({one.name}): {one.definition} Mind: {one.not_this}" for one in category.classes),
        f"How to decide: {category.guide}",
    ]
    return "\n".join(lines)
