"""How a dataset looks in the App: its fields, the sidebar, colours, saved views, and what annotators may choose."""

from __future__ import annotations

import colorsys
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from acbench.integrations.fiftyone import embeddings as brain
from acbench.review.app_records import FIELDS, AppLabel, AppSample

VERSION = "2"
"""Raise it when the look changes: datasets that are there are dressed anew."""
GOOD_COLOUR, SILENT_COLOUR, ANOMALY_COLOUR = "#9aa0a6", "#5f6368", "#ff2d2d"
MARKED = range(1, 256)
"""Every pixel value but 0 marks the anomaly: VisA's masks hold the number of the kind of defect."""
LOW_MARGIN = 0.2
"""A witness whose best class leads the second by less could hardly tell."""


def is_ours(name: str) -> bool:
    """Whether acbench writes a field of this name."""
    return name in FIELDS or name == "mask" or name.startswith(("proposal_", "prediction_"))


def declare(fo: Any, data: Any, extra: Iterable[str]) -> None:
    """Make the dataset have every field; `extra` ones are classes as somebody gave them."""
    kinds = {name: kind for name, (_, kind) in FIELDS.items()} | dict.fromkeys(extra, "label")
    there = data.get_field_schema()
    for name, kind in {**kinds, **brain.FIELDS, "mask": "mask"}.items():
        if name not in there:
            data.add_sample_field(name, **_type(fo, kind))
    if "item_id" not in there:
        data.create_index("item_id")


def _type(fo: Any, kind: str) -> dict[str, Any]:
    documents = {"label": fo.Classification, "mask": fo.Segmentation}
    if kind in documents:
        return {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": documents[kind]}
    if kind == "texts":
        return {"ftype": fo.ListField, "subfield": fo.StringField}
    plain = {"text": fo.StringField, "integer": fo.IntField, "number": fo.FloatField, "boolean": fo.BooleanField}
    return {"ftype": plain[kind]}


def digest(data: Any, cards: Sequence[AppSample], classes: Sequence[str]) -> str:
    """Of all that `dress` depends on: fields, and what is named in them."""
    named = {str(value.label) for card in cards for value in card.fields.values() if isinstance(value, AppLabel)}
    parts = [VERSION, *sorted(data.get_field_schema()), "", *sorted(named), "", *classes]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def dress(fo: Any, data: Any, cards: Sequence[AppSample], classes: Sequence[str]) -> None:
    """Sidebar, colours of what the cards hold, saved views, and `classes` to choose from."""
    schema = data.get_field_schema()
    others = sorted(name for name in schema if name.startswith(("proposal_", "prediction_")))
    named = ["label", "source", *others]
    data.app_config.sidebar_groups = _sidebar(fo, others)
    asked = [name for name in others if name != "proposal_source_label"]  # that one says what `source` says
    data.app_config.active_fields = fo.ActiveFields(paths=["label", *asked, "mask"])
    data.app_config.color_scheme = _colours(fo, named, cards)
    data.mask_targets = {"mask": dict.fromkeys(MARKED, "anomaly")}
    for field, text in _DESCRIPTIONS.items():
        described = data.get_field(field)
        described.description = text
        described.save()
    data.save()
    for name, colour, about, view in _views(fo, data):
        data.save_view(name, view, description=about, color=colour, overwrite=True)
    if classes:
        data.set_label_schemas({"label": {"type": "classification", "classes": list(classes), "component": "dropdown"}})
        data.activate_label_schemas("label")


_DESCRIPTIONS = {
    "label": "The current label. Another class put here is a decision once it is collected",
    "source": "What the dataset says",
    "queue": "Place in the review queue",
    "label_issue_score": "0 to 1: how much the witnesses speak against the label",
    "margin": "By how much the best class leads the second, of the least sure witness",
    "kinds": "Classes in the label",
    "same_as": "Another image with the same bytes",
}


_METADATA = ("width", "height", "size_bytes", "mime_type", "num_channels")


def _sidebar(fo: Any, others: Sequence[str]) -> list[Any]:
    groups: dict[str, list[str]] = {"Label": [], "Source": []}
    groups["Proposals"] = [name for name in others if name.startswith("proposal_")]
    if predictions := [name for name in others if name.startswith("prediction_")]:
        groups["Predictions"] = predictions
    for name, (group, _) in FIELDS.items():
        groups.setdefault(group, []).append(name)
    groups["Image"] += ["mask"]
    groups["acbench"] += ["id", "filepath"]
    known = [*groups.pop("acbench"), "created_at"]
    return [
        fo.SidebarGroupDocument(name="tags", paths=[], expanded=True),
        *(fo.SidebarGroupDocument(name=name, paths=paths, expanded=name != "Image") for name, paths in groups.items()),
        fo.SidebarGroupDocument(name="Brain", paths=list(brain.FIELDS), expanded=True),
        fo.SidebarGroupDocument(name="acbench", paths=[*known, "last_modified_at"], expanded=False),
        fo.SidebarGroupDocument(name="metadata", paths=[f"metadata.{name}" for name in _METADATA], expanded=False),
    ]


def _colours(fo: Any, named: Sequence[str], cards: Sequence[AppSample]) -> Any:
    """The same colour for a class wherever it is named; within a category as far apart as can be."""
    by_category: dict[str, set[str]] = {}
    for card in cards:
        values = [card.fields.get(name) for name in named]
        found = {each.label for each in values if isinstance(each, AppLabel)}
        by_category.setdefault(str(card.fields["category"]), set()).update(found)
    colours: dict[str, str] = {}
    for labels in by_category.values():
        plain = sorted(label for label in labels if label != "good" and not label.startswith("("))
        for place, label in enumerate(plain):
            colours.setdefault(label, _hue(place, len(plain)))
        colours.update(dict.fromkeys((label for label in labels if label.startswith("(")), SILENT_COLOUR))
    colours["good"] = GOOD_COLOUR
    shades: list[Any] = [{"value": label, "color": colour} for label, colour in sorted(colours.items())]
    marked = [{"intTarget": value, "color": ANOMALY_COLOUR} for value in MARKED]
    mask: dict[str, Any] = {"path": "mask", "fieldColor": ANOMALY_COLOUR, "maskTargetsColors": marked}
    return fo.ColorScheme(
        color_by="value",
        opacity=0.45,
        fields=[
            *({"path": name, "colorByAttribute": "label", "valueColors": shades} for name in named),
            mask,
        ],
        default_mask_targets_colors=marked,
    )


def _hue(place: int, of: int) -> str:
    channels = colorsys.hls_to_rgb(place / max(of, 1), 0.55 if place % 2 else 0.45, 0.75)
    return "#" + "".join(f"{round(255 * each):02x}" for each in channels)


def _views(fo: Any, data: Any) -> list[tuple[str, str, str, Any]]:
    """Name, colour, what it is for, and the view."""
    field = fo.ViewField
    status, why, seen = field("status"), field("why"), field("decided_by") == "people"
    return [
        ("To look at", "#d93025", "The review queue, the most doubtful first", data.exists("queue").sort_by("queue")),
        (
            "Disputed",
            "#e8710a",
            "Independent witnesses differ and nobody has decided",
            data.match((why == "disputed") & ~seen).sort_by("label_issue_score", reverse=True),
        ),
        (
            "Changed against the source",
            "#9334e6",
            "The label is not what the dataset's own one maps to",
            data.match(field("changed") == True),  # noqa: E712  (an expression of FiftyOne)
        ),
        (
            "Accepted unseen",
            "#188038",
            "Accepted anomalous images that nobody has looked at",
            data.match((status == "accepted") & ~seen & (field("kinds") > 0)).sort_by(
                "label_issue_score", reverse=True
            ),
        ),
        (
            "Low margin",
            "#f9ab00",
            f"A witness's best class leads the second by less than {LOW_MARGIN}",
            data.match(field("margin") < LOW_MARGIN).sort_by("margin"),
        ),
        ("Several defects", "#12b5cb", "More than one class in the label", data.match(field("kinds") > 1)),
        ("Excluded", "#5f6368", "Not part of the benchmark; `reason` says why", data.match(status == "excluded")),
        ("Asked again", "#c5221f", "Somebody tagged it recheck", data.match(why == "flagged")),
        ("By category", "#1a73e8", "One group a category", data.group_by("category", order_by="image")),
    ]


def dress_brain(fo: Any, data: Any) -> None:
    """Saved views of what FiftyOne Brain found, and a workspace with its map beside the images."""
    field = fo.ViewField
    twins = field("same_as") != None  # noqa: E711  (an expression of FiftyOne)
    doubted = data.match(field(brain.MISTAKENNESS) > MISTAKEN).sort_by(brain.MISTAKENNESS, reverse=True)
    views = [
        (
            "Likely duplicates",
            "#a142f4",
            "The same bytes as another image, or an anomaly that looks the same",
            data.match(twins | (field(brain.NEAR) != None)),  # noqa: E711
        ),
        ("Likely mistakes", "#d01884", "FiftyOne Brain: `neighbours` is sure of another class", doubted),
    ]
    for name, colour, about, view in views:
        data.save_view(name, view, description=about, color=colour, overwrite=True)
    if data.has_brain_run(brain.MAP):
        images = fo.Panel(type="Samples", pinned=True)
        chart = fo.Panel(type="Embeddings", state={"brainResult": brain.MAP, "colorByField": "label.label"})
        halves = [fo.Space(children=[half], active_child=half.component_id) for half in (images, chart)]
        space = fo.Space(orientation="horizontal", children=halves, active_child=chart.component_id, sizes=[0.5, 0.5])
        data.save_workspace("Map", space, description="Anomalous regions as points, beside the images", overwrite=True)


MISTAKEN = 0.75
"""Mistakenness above which a label is shown as likely wrong: the other class has a probability of more than a half."""
