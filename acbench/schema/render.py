"""Renders a category for a model: the prompt that describes it, and the JSON Schema of an answer."""

from __future__ import annotations

from acbench.records import GOOD
from acbench.schema.model import Category


def json_schema(category: Category) -> dict[str, object]:
    """The JSON Schema (2020-12) of a model's answer about one image; `acbench.predictors.llm.parse` reads the answers.

    Every key is required, because the strict modes of endpoints demand it. A model writes the keys in this order: it
    says what it sees before it names a class.
    """
    answers = list(category.answers)
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
    """What a model has to know of a category: object, normal state, classes, and how to decide."""
    lines = [
        _said("Object: ", category.object),
        _said(f"Normal ({GOOD}): ", category.normal),
        "Classes:",
        *(
            f"- {defect.id} ({defect.name}){_said(': ', defect.definition)}{_said(' Mind: ', defect.not_this)}"
            for defect in category.classes
        ),
        _said("How to decide: ", category.guide),
    ]
    return "\n".join(line for line in lines if line)


def _said(head: str, text: str) -> str:
    """A text with what introduces it; nothing if the schema leaves it out."""
    return head + text if text else ""
