"""The annotator's form in Label Studio, and the page of instructions that goes with it.

One control, `labels`, holds classes and verdicts alike, so that a decision is one key; class ids travel as choice
`alias`, people read names. Pictures and proposals come from the task's data, under the names in `FIELDS`.
"""

from __future__ import annotations

import html
from xml.etree import ElementTree as Xml

from acbench.records import GOOD
from acbench.schema.model import Category

VERDICTS = {"unsure": "Unsure", "bad_image": "Bad image", "bad_mask": "Bad mask"}
"""What an annotator can say instead of a class."""

CONTROL = "labels"
"""Name of the control that holds the decision."""
NOTE = "note"
"""Name of the control that holds the comment."""
OBJECT = "image"
"""Name of the object that both belong to."""
FIELDS = ("image", "contour", "crop", "reference", "proposals")
"""What a task's data has to hold for the form to show it: four addresses of pictures, and HTML."""

_PICTURES = (
    ("contour", "Marked anomaly"),
    ("crop", "Close-up"),
    ("image", "Image"),
    ("reference", "A normal one, to compare"),
)
_CLASS_KEYS = "123456789qwertyop"
_GOOD_KEY = "0"
_VERDICT_KEYS = {"unsure": "u", "bad_image": "i", "bad_mask": "m"}
_STYLE = """
.acb { display: grid; grid-template-columns: minmax(0, 2fr) minmax(340px, 1fr); gap: 18px; align-items: start }
.acb h4 { margin: 4px 0 2px !important; font-size: 14px; font-weight: 500 }
.acb [class*="toolbar"] { display: none }
.acb-pictures { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 2px 12px }
.acb-pictures h4 { opacity: .7 }
.acb-side .lsf-choices, .acb-side .lsf-choice, .acb-side .lsf-choice__item { margin: 0 !important; padding: 0 }
.acb-side label { display: flex; position: relative; width: 100%; margin: 0 !important; padding: 1px 26px 1px 0 }
.acb-side label sup { position: absolute; right: 2px; top: 16px; font-size: 12px; font-weight: 600 }
.acb-side small { display: block; margin-top: -7px; font-size: 12px; font-weight: 400; line-height: 1.25; opacity: .75 }
"""


def label_studio_form(category: Category) -> str:
    """The labelling configuration of a Label Studio project (XML)."""
    view = Xml.Element("View", className="acb")
    Xml.SubElement(view, "Style").text = _STYLE
    pictures = Xml.SubElement(view, "View", className="acb-pictures")
    for name, caption in _PICTURES:
        cell = Xml.SubElement(pictures, "View")
        Xml.SubElement(cell, "Header", value=caption, size="6")
        Xml.SubElement(cell, "Image", name=name, value=f"${name}", zoom="true", zoomControl="false")
    side = Xml.SubElement(view, "View", className="acb-side")
    Xml.SubElement(side, "Header", value=f"{category.name}: which kinds of defect are there?", size="5")
    choices = Xml.SubElement(
        side,
        "Choices",
        name=CONTROL,
        toName=OBJECT,
        choice="multiple",
        layout="vertical",
        required="true",
        requiredMessage="Choose a class, or Unsure, Bad image or Bad mask",
    )
    keys = iter(_CLASS_KEYS)
    _choice(choices, GOOD, "Normal", category.normal, _GOOD_KEY)
    for one in category.classes:
        _choice(choices, one.id, one.name, f"{one.definition} {one.not_this}", next(keys, ""))
    for verdict, name in VERDICTS.items():
        _choice(choices, verdict, name, "", _VERDICT_KEYS[verdict])
    Xml.SubElement(side, "TextArea", name=NOTE, toName=OBJECT, placeholder="Comment", rows="1", maxSubmissions="1")
    folded = Xml.SubElement(side, "Collapse", bordered="false")
    panel = Xml.SubElement(folded, "Panel", value="What others propose")
    Xml.SubElement(panel, "HyperText", name="proposals", value="$proposals", inline="true")
    Xml.indent(view)
    return Xml.tostring(view, encoding="unicode")


def _choice(parent: Xml.Element, alias: str, name: str, hint: str, key: str) -> None:
    choice = Xml.SubElement(parent, "Choice", value=name, alias=alias)
    if hint:
        choice.set("hint", hint)
        choice.set("html", f"{html.escape(name)}<small>{html.escape(hint.partition('. ')[0])}.</small>")
    if key:
        choice.set("hotkey", key)


def instructions(category: Category) -> str:
    """The project's page of instructions (HTML): object, normal, how to decide, and every class in full."""
    parts = [
        ("Object", category.object),
        ("Normal", category.normal),
        ("How to decide", category.guide),
        *((one.name, f"{one.definition} {one.not_this}") for one in category.classes),
        ("Keys", "The key beside a class chooses it; several may be chosen, if several kinds of defect are there."
                 " Ctrl+Enter submits. What machines propose stays folded until you ask for it."),
    ]  # fmt: skip
    return "\n".join(
        f'<p style="margin: 0 0 .6em"><b>{html.escape(title)}.</b> {html.escape(text)}</p>' for title, text in parts
    )
