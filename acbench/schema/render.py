"""One schema, four readers: the annotator's form, the model's prompt, the answer's JSON Schema, a page of text."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any
from xml.etree import ElementTree as Xml

from acbench.records import GOOD
from acbench.schema.model import Category

VERDICTS = {"unsure": "Unsure", "bad_image": "Bad image", "bad_mask": "Bad mask"}
"""What an annotator can say instead of a class."""

HOTKEYS = "123456789abcdefghijklmnopqrstuvwxyz"


def label_studio_form(category: Category) -> str:
    """The labelling configuration of a Label Studio project (XML). Class ids travel as choice `alias`."""
    view = Xml.Element("View")
    Xml.SubElement(view, "Header", value=f"{category.name}: which kinds of defect are there?")
    pictures = Xml.SubElement(view, "View", style="display: grid; grid-template-columns: 1fr 1fr; gap: 8px")
    for name in ("image", "contour", "crop", "reference"):
        Xml.SubElement(pictures, "Image", name=name, value=f"${name}")
    choices = Xml.SubElement(
        view, "Choices", name="labels", toName="image", choice="multiple", required="false", showInline="true"
    )
    offered = [(GOOD, "Normal", category.normal), *((c.id, c.name, c.definition) for c in category.classes)]
    for (class_id, name, hint), key in zip_longest(offered, "0" + HOTKEYS[: len(offered) - 1]):
        choice = Xml.SubElement(choices, "Choice", value=name, alias=class_id, hint=hint)
        if key:
            choice.set("hotkey", key)
    verdicts = Xml.SubElement(view, "Choices", name="verdict", toName="image", choice="single", showInline="true")
    for verdict, name in VERDICTS.items():
        Xml.SubElement(verdicts, "Choice", value=name, alias=verdict)
    Xml.SubElement(view, "TextArea", name="note", toName="image", placeholder="Comment", rows="2")
    Xml.indent(view)
    return Xml.tostring(view, encoding="unicode")


def json_schema(category: Category) -> dict[str, Any]:
    """JSON Schema (2020-12) of a model's answer about one image; `acbench.answers` reads what comes of it.

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
