"""Makes the annotator's form in Label Studio; `schema.guide` makes the page of instructions beside it.

One control holds classes and verdicts, so that a decision takes one key. People read the names of the choices; an
annotation holds their aliases, which are class ids and verdicts. Pictures and proposals come from the task's data,
under the names in `FIELDS`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from itertools import zip_longest
from xml.etree import ElementTree as Xml

from acbench.records import GOOD, Verdict
from acbench.schema.form_style import MOST_ROWS, STYLE
from acbench.schema.model import Category
from acbench.schema.people import NORMAL, by_name

VERDICTS: dict[Verdict, str] = {"unsure": "Unsure", "bad_image": "Bad image", "bad_mask": "Bad mask"}
"""What an annotator can say instead of a class."""
MASK = "mask"
"""What marks the places of anomalies, unless boxes do."""
MEANING = {
    "unsure": "You cannot tell; somebody else is asked.",
    "bad_image": "Nobody can tell from this picture; it is left out.",
    "bad_mask": "The marked place is wrong; the image is left out.",
}
"""What each verdict says, and what it does."""

CONTROL = "labels"
"""Name of the control that holds the decision."""
NOTE = "note"
"""Name of the control that holds the comment."""
OBJECT = "image"
"""Name of the object that both controls belong to."""
FIELDS = ("image", "contour", "crop", "reference", "proposals")
"""What a task's data must hold: the addresses of four pictures, and the proposals as HTML."""
ASKED, UNMARKED, ALONE, PLACES = OPTIONAL = ("asked", "unmarked", "alone", "places")
"""What a task's data may hold besides, as text; empty or missing means no: why the image is asked, in words that reveal
no label; whether no place is marked, so that its pictures are all the same; whether there is no reference image; which
of the marked places the close-up shows."""
EMPTY = "empty form"
"""Version of the empty prediction, the last one of each task. An import sets the project's version to that of its last
prediction, and Label Studio fills in the form of a task that is opened from the list with the prediction of that
version. So the form stays empty."""

PROGRESS = "acb-progress-address"
"""Stands in a form for the address at which its project tells how many tasks it has, and how many are done: whoever
makes the project knows it."""

_ZOOM = "Ctrl + mouse wheel over a picture enlarges it; Shift + drag then moves it."
_ESCAPE = "Esc closes this."
"""Part of every warning: Enter does not close one."""
_COMMENT = "Comment: Enter ends it, then Ctrl+Enter submits"
_CLASS_KEYS = "123456789qwertyop"
_VERDICT_KEYS = {"unsure": "u", "bad_image": "i", "bad_mask": "m"}


def keys(category: Category) -> dict[str, str]:
    """Alias → the key that chooses it, for every choice; empty for a class beyond the last key."""
    classes = zip_longest(category.class_ids, _CLASS_KEYS[: len(category.class_ids)], fillvalue="")
    return {GOOD: "0", **dict(classes), **_VERDICT_KEYS}


def verdicts(marks: str = MASK) -> dict[Verdict, str]:
    """Verdict → its name, where the places of anomalies are marked by `marks`: a mask, a box, or either."""
    return {**VERDICTS, "bad_mask": f"Bad {marks}"}


def label_studio_form(category: Category, marks: str = MASK, *, progress: str = "") -> str:
    """The labelling configuration of a Label Studio project (XML). `marks`: what marks places, see `verdicts`.

    `progress`: the address at which the project tells how many tasks it has, and how many are done, or `PROGRESS`; the
    form shows no such line if it is empty.
    """
    view = Xml.Element("View", className="acb")
    Xml.SubElement(view, "Style").text = STYLE
    _pictures(_view(view, "acb-pictures"))
    side = _view(view, " ".join(["acb-side", *_crowded(len(keys(category)))]))
    _header(side, f"{category.name}: which kinds of defect are there?")
    _header(_view(side, "acb-asked"), f"${ASKED}")
    if progress:
        Xml.SubElement(_view(side, "acb-progress"), "Table", name="progress", value=progress, valueType="json,url")
    _choices(side, category, verdicts(marks))
    _clashes(side, category, verdicts(marks))
    note = _view(side, "acb-note")
    Xml.SubElement(note, "TextArea", name=NOTE, toName=OBJECT, placeholder=_COMMENT, rows="1", maxSubmissions="1")
    _header(_view(note, "acb-note-keys"), _COMMENT)
    folded = Xml.SubElement(side, "Collapse", bordered="false")
    panel = Xml.SubElement(folded, "Panel", value="What others propose")
    Xml.SubElement(panel, "HyperText", name="proposals", value="$proposals", inline="true")
    Xml.indent(view)
    return Xml.tostring(view, encoding="unicode")


def _crowded(choices: int) -> list[str]:
    """CSS classes of a form with so many choices: two columns from 8 on, and fewer lines of each definition."""
    steps = ((8, "acb-many"), (11, "acb-lines-3"), (13, "acb-lines-2"), (17, "acb-lines-1"))
    return [*(name for least, name in steps if choices >= least), f"acb-rows-{min(math.ceil(choices / 2), MOST_ROWS)}"]


def _choices(parent: Xml.Element, category: Category, verdicts: Mapping[Verdict, str]) -> None:
    """The control of the decision: normal, the classes, the verdicts."""
    choices = Xml.SubElement(
        parent,
        "Choices",
        name=CONTROL,
        toName=OBJECT,
        choice="multiple",
        layout="vertical",
        required="true",
        requiredMessage=f"Choose a class, or Unsure, Bad image or {verdicts['bad_mask']}. {_ESCAPE}",
    )
    key = keys(category)
    _choice(choices, GOOD, NORMAL, by_name(category.normal, category), key[GOOD])
    for defect in category.classes:
        hint = by_name(f"{defect.definition} {defect.not_this}".strip(), category)
        _choice(choices, defect.id, defect.name, hint, key[defect.id])
    for verdict, name in verdicts.items():
        _choice(choices, verdict, name, MEANING[verdict], key[verdict])


def _pictures(parent: Xml.Element) -> None:
    """The close-up, which is the largest; beside it the whole image with the anomaly marked, a normal image, the image.

    If no place is marked, the whole image stands in place of the close-up, and only there. A task's data cannot remove
    a picture from a form, but it can leave a text empty, and then the rules of `form_style` hide the picture.
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
    _header(marked, "Anomaly marked")
    _image(marked, "contour")
    normal = _view(more, "acb-normal")
    _header(_view(normal, "acb-if-alone"), "There is no normal image to compare with.")
    shown = _view(normal, "acb-unless-alone")
    _header(shown, "A normal one, to compare")
    _image(shown, "reference")
    plain = _view(more, "acb-if-marked")
    _header(plain, "Whole image")
    _image(plain, "image")


def _clashes(parent: Xml.Element, category: Category, verdicts: Mapping[Verdict, str]) -> None:
    """A warning for choices that exclude each other, with a required field that cannot be filled in.

    The field keeps Label Studio from submitting, and its message says why. It is a hidden text field and not a choice,
    because a choice would get a key and could be chosen.
    """
    exclusive: list[tuple[str, str]] = [(GOOD, NORMAL), *verdicts.items()]
    for place, (alias, name) in enumerate(exclusive):
        others = [*category.class_ids, *(other for other, _ in exclusive[place + 1 :])]
        warning = f"{name} goes with nothing else: take one of them away."
        chosen = _view(parent, "", visibleWhen="choice-selected", whenTagName=CONTROL, whenChoiceValue=alias)
        clash = _view(
            chosen, "acb-clash", visibleWhen="choice-selected", whenTagName=CONTROL, whenChoiceValue=",".join(others)
        )
        _header(clash, warning)
        Xml.SubElement(
            clash,
            "TextArea",
            name=f"clash_{alias}",
            toName=OBJECT,
            required="true",
            requiredMessage=f"{warning} {_ESCAPE}",
        )


def _view(parent: Xml.Element, css_class: str, **attributes: str) -> Xml.Element:
    return Xml.SubElement(parent, "View", {"className": css_class, **attributes} if css_class else attributes)


def _header(parent: Xml.Element, text: str) -> None:
    Xml.SubElement(parent, "Header", value=text, size="5")


def _image(parent: Xml.Element, name: str) -> None:
    Xml.SubElement(parent, "Image", name=name, value=f"${name}", zoom="true", zoomControl="false")


def _choice(parent: Xml.Element, alias: str, name: str, hint: str, key: str) -> None:
    first = f"<small>{html.escape(hint.partition('. ')[0].removesuffix('.'))}.</small>" if hint else ""
    choice = Xml.SubElement(parent, "Choice", value=name, alias=alias, html=html.escape(name) + first)
    if hint:
        choice.set("hint", hint)
    if key:
        choice.set("hotkey", key)
