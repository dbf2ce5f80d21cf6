"""The annotator's form in Label Studio; `schema.guide` is the page of instructions that goes with it.

One control, `labels`, holds classes and verdicts alike, so that a decision is one key; class ids travel as choice
`alias`, people read names. Pictures and proposals come from the task's data, under the names in `FIELDS`.
"""

from __future__ import annotations

import html
from itertools import zip_longest
from xml.etree import ElementTree as Xml

from acbench.records import GOOD, Verdict
from acbench.schema.form_style import STYLE
from acbench.schema.model import Category

VERDICTS: dict[Verdict, str] = {"unsure": "Unsure", "bad_image": "Bad image", "bad_mask": "Bad mask"}
"""What an annotator can say instead of a class."""
MEANING = {
    "unsure": "You cannot tell; somebody else is asked.",
    "bad_image": "Nobody can tell from this picture; it is left out.",
    "bad_mask": "The marked place is wrong; the image is left out.",
}
"""What each of them says and does."""

CONTROL = "labels"
"""Name of the control that holds the decision."""
NOTE = "note"
"""Name of the control that holds the comment."""
OBJECT = "image"
"""Name of the object that both belong to."""
FIELDS = ("image", "contour", "crop", "reference", "proposals")
"""What a task's data has to hold for the form to show it: four addresses of pictures, and HTML."""
ASKED, UNMARKED, ALONE, PLACES = OPTIONAL = ("asked", "unmarked", "alone", "places")
"""What a task's data may hold besides, as text; empty or missing is no. Why the image is asked, in words that tell
nothing of any label; whether no place is marked, so that all its pictures are one; whether there is no reference; which
of the marked places the close-up shows."""
EMPTY = "empty form"
"""Version of a prediction of nothing, which comes last among a task's. Label Studio fills in the form of a task that is
opened from the list with the prediction of the project's version, which an import sets to that of its last one."""

_ZOOM = "Ctrl + mouse wheel over a picture enlarges it; Shift + drag then moves it."
_ESCAPE = "Esc closes this."
"""Label Studio's warnings take no Enter."""
_COMMENT = "Comment: Enter ends it, then Ctrl+Enter submits"
_CLASS_KEYS = "123456789qwertyop"
_VERDICT_KEYS = {"unsure": "u", "bad_image": "i", "bad_mask": "m"}


def keys(category: Category) -> dict[str, str]:
    """What can be chosen, by alias, with the key that chooses it; the key is empty where there are more than keys."""
    classes = zip_longest(category.class_ids, _CLASS_KEYS[: len(category.class_ids)], fillvalue="")
    return {GOOD: "0", **dict(classes), **_VERDICT_KEYS}


def label_studio_form(category: Category) -> str:
    """The labelling configuration of a Label Studio project (XML)."""
    view = Xml.Element("View", className="acb")
    Xml.SubElement(view, "Style").text = STYLE
    _pictures(_view(view, "acb-pictures"))
    side = _view(view, "acb-side")
    _header(side, f"{category.name}: which kinds of defect are there?")
    _header(_view(side, "acb-asked"), f"${ASKED}")
    choices = Xml.SubElement(
        side,
        "Choices",
        name=CONTROL,
        toName=OBJECT,
        choice="multiple",
        layout="vertical",
        required="true",
        requiredMessage=f"Choose a class, or Unsure, Bad image or Bad mask. {_ESCAPE}",
    )
    key = keys(category)
    _choice(choices, GOOD, "Normal", category.normal, key[GOOD])
    for one in category.classes:
        _choice(choices, one.id, one.name, f"{one.definition} {one.not_this}", key[one.id])
    for verdict, name in VERDICTS.items():
        _choice(choices, verdict, name, MEANING[verdict], key[verdict])
    _clashes(side, category)
    Xml.SubElement(side, "TextArea", name=NOTE, toName=OBJECT, placeholder=_COMMENT, rows="1", maxSubmissions="1")
    folded = Xml.SubElement(side, "Collapse", bordered="false")
    panel = Xml.SubElement(folded, "Panel", value="What others propose")
    Xml.SubElement(panel, "HyperText", name="proposals", value="$proposals", inline="true")
    Xml.indent(view)
    return Xml.tostring(view, encoding="unicode")


def _pictures(parent: Xml.Element) -> None:
    """The close-up, the largest; beside it the whole image with the anomaly marked, a normal one, the image itself.

    Where no place is marked, the image in full takes the place of the close-up and is shown once. A task's data cannot
    take a picture out of a form, but a text of it can be empty, and `form_style` hides pictures by that.
    """
    for mark in (UNMARKED, ALONE):
        _header(_view(parent, f"acb-mark acb-{mark}"), f"${mark}")
    close = _view(parent, "acb-close")
    caption = _view(close, "acb-if-marked acb-caption")
    _header(caption, "Close-up")
    _header(caption, f"${PLACES}")
    _header(_view(close, "acb-if-unmarked"), "Image; no place in it is marked")
    _image(close, "crop")
    _header(_view(close, "acb-hint"), _ZOOM)
    more = _view(parent, "acb-more")
    marked = _view(more, "acb-if-marked")
    _header(marked, "Whole image, anomaly marked")
    _image(marked, "contour")
    normal = _view(more, "acb-normal")
    _header(_view(normal, "acb-if-alone"), "There is no normal image to compare with.")
    shown = _view(normal, "acb-unless-alone")
    _header(shown, "A normal one, to compare")
    _image(shown, "reference")
    plain = _view(more, "acb-if-marked")
    _header(plain, "Whole image")
    _image(plain, "image")


def _clashes(parent: Xml.Element, category: Category) -> None:
    """A warning where what is chosen does not go together, and with it a control that must be filled in and cannot be:
    so Label Studio does not submit, and says why.

    The control is a text field, which nobody sees: a choice would get a key, and could be chosen by it.
    """
    alone: list[tuple[str, str]] = [(GOOD, "Normal"), *VERDICTS.items()]
    for place, (each, name) in enumerate(alone):
        others = [*category.class_ids, *(other for other, _ in alone[place + 1 :])]
        said = f"{name} goes with nothing else: take one of them away."
        outer = _view(parent, "", visibleWhen="choice-selected", whenTagName=CONTROL, whenChoiceValue=each)
        inner = _view(
            outer, "acb-clash", visibleWhen="choice-selected", whenTagName=CONTROL, whenChoiceValue=",".join(others)
        )
        _header(inner, said)
        told = f"{said} {_ESCAPE}"
        Xml.SubElement(inner, "TextArea", name=f"clash_{each}", toName=OBJECT, required="true", requiredMessage=told)


def _view(parent: Xml.Element, name: str, **more: str) -> Xml.Element:
    return Xml.SubElement(parent, "View", {"className": name, **more} if name else more)


def _header(parent: Xml.Element, text: str) -> None:
    Xml.SubElement(parent, "Header", value=text, size="5")


def _image(parent: Xml.Element, name: str) -> None:
    Xml.SubElement(parent, "Image", name=name, value=f"${name}", zoom="true", zoomControl="false")


def _choice(parent: Xml.Element, alias: str, name: str, hint: str, key: str) -> None:
    shown = f"{html.escape(name)}<small>{html.escape(hint.partition('. ')[0].removesuffix('.'))}.</small>"
    choice = Xml.SubElement(parent, "Choice", value=name, alias=alias, hint=hint, html=shown)
    if key:
        choice.set("hotkey", key)
