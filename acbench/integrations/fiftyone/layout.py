"""Lays out a dataset in the App: its fields, the sidebar, colours, saved views, and what annotators may choose."""

from __future__ import annotations

import colorsys
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from acbench.errors import AcbenchError
from acbench.integrations.fiftyone import embeddings
from acbench.integrations.fiftyone.outlines import ANOMALY
from acbench.review.app_records import FIELDS, AppLabel, AppSample

if TYPE_CHECKING:
    import fiftyone as fo

VERSION = "4"
"""Raise it when the layout changes: existing datasets then get it."""
FIFTYONE_ZOOM, ZOOM = 7, 9
"""How large images are in the grid, 0 to 10: as FiftyOne would have it, and as it takes to see a small defect beside
half a screen of panels."""
QUEUE = "To look at"
"""Name of the saved view of the queue."""
GOOD_COLOUR, SILENT_COLOUR, ANOMALY_COLOUR = "#9aa0a6", "#5f6368", "#ff2d2d"
OUTLINE = "outline"
"""The field of lines around anomalies."""
BOXES = "anomaly_boxes"
"""The field of boxes around anomalies, which only a dataset with boxes has."""
MARKED = range(1, 256)
"""Every pixel value but 0 marks the anomaly: VisA's masks hold the number of the kind of defect."""
LOW_MARGIN = 0.2
"""A proposer whose best class leads the second by less could hardly tell."""
MISTAKEN = 0.75
"""Mistakenness above which a label is shown as likely wrong: the other class has a probability of more than a half."""

_ANSWERS = ("proposal_", "prediction_")
"""How the fields of proposers and of scored systems begin."""
_DESCRIPTIONS = {
    "label": "The current label. Another class put here is a decision once it is collected",
    "source": "What the dataset says",
    "queue": "Place in the review queue",
    "label_issue_score": "0 to 1: how likely the label is wrong, by all that proposers and people say",
    "margin": "By how much the best class leads the second, of the least sure proposer",
    "kinds": "Classes in the label",
    "evidence": "The picture that a person decides by, of images in the queue",
    "same_as": "Another image with the same bytes",
}
_METADATA = ("width", "height", "size_bytes", "mime_type", "num_channels")


_KINDS: Mapping[str, str] = {
    **{name: kind for name, (_, kind) in FIELDS.items()},
    **embeddings.FIELDS,
    "mask": "mask",
    OUTLINE: "lines",
}
"""The fields that every dataset has, and of what kind they are."""


@dataclass(frozen=True, slots=True)
class _SavedView:
    name: str
    colour: str
    about: str
    view: fo.DatasetView

    def save(self, data: fo.Dataset) -> None:
        data.save_view(self.name, self.view, description=self.about, color=self.colour, overwrite=True)


def is_ours(name: str) -> bool:
    """Whether acbench writes a field of this name."""
    return name in FIELDS or name in {"mask", OUTLINE, BOXES} or name.startswith(_ANSWERS)


def labelled(data: fo.Dataset) -> list[str]:
    """The fields that hold a class as somebody gave it."""
    return [name for name in data.get_field_schema() if name in ("label", "source") or name.startswith(_ANSWERS)]


def views_on(data: fo.Dataset, texts: Collection[str]) -> tuple[str, ...]:
    """The saved views of other people whose stages name one of these texts."""
    found = []
    for name in sorted({*data.list_saved_views()} - {view.name for view in _views(data)}):
        with suppress(ValueError):  # FiftyOne's way to say that it names a field that is gone
            stages = json.dumps(data.load_saved_view(name)._serialize())
            if any(json.dumps(text) in stages for text in texts):
                found.append(name)
    return tuple(found)


def tagged(data: fo.Dataset) -> list[str]:
    """The paths of the tags of all labels, ours and others'."""
    import fiftyone as fo

    paths = []
    for name, field in data.get_field_schema(ftype=fo.EmbeddedDocumentField).items():
        kind = field.document_type
        if issubclass(kind, fo.Label):
            holds = getattr(kind, "_LABEL_LIST_FIELD", None)
            paths += [f"{name}.{holds}.tags" if holds else f"{name}.tags"] if holds or hasattr(kind, "tags") else []
    return paths


def extra_fields(samples: Sequence[AppSample]) -> set[str]:
    """The fields of proposers and scored systems that samples have."""
    return {name for sample in samples for name in sample.fields} - set(FIELDS)


def add_fields(data: fo.Dataset, extra: Iterable[str], *, boxed: bool = False) -> None:
    """Make the dataset have every field; `extra` ones are classes as somebody gave them. `boxed`: with one of boxes."""
    existing = data.get_field_schema()
    kinds: dict[str, str] = {**_KINDS, **dict.fromkeys(extra, "label"), **({BOXES: "boxes"} if boxed else {})}
    for name, kind in kinds.items():
        if name not in existing:
            data.add_sample_field(name, **_type(kind))
    if "item_id" not in existing:
        data.create_index("item_id")


def missing_fields(data: fo.Dataset) -> set[str]:
    """Fields that every dataset has and this one has not: nobody has written it yet, or somebody renamed them."""
    return set(_KINDS) - set(data.get_field_schema())


def refuse_other_fields(data: fo.Dataset) -> None:
    """Raise AcbenchError if a field with a name of acbench's is somebody else's: it holds something else."""
    existing = data.get_field_schema()
    for name, kind in _KINDS.items():
        wanted, field = _type(kind), existing.get(name)
        document = getattr(field, "document_type", None)
        is_ours = isinstance(field, wanted["ftype"]) and document is wanted.get("embedded_doc_type")
        if field is not None and not is_ours:
            raise AcbenchError(
                f"the field {name!r} of the FiftyOne dataset {data.name} is not the one of acbench: it is {field}",
                f"give it another name, and run the same command again:\n    python -c 'import fiftyone as fo;"
                f' fo.load_dataset("{data.name}").rename_sample_field("{name}", "my_{name}")\'',
            )


def _type(kind: str) -> dict[str, Any]:
    """A kind of field, as arguments of `Dataset.add_sample_field`."""
    import fiftyone as fo

    documents = {"label": fo.Classification, "mask": fo.Segmentation, "boxes": fo.Detections, "lines": fo.Polylines}
    if kind in documents:
        return {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": documents[kind]}
    if kind == "texts":
        return {"ftype": fo.ListField, "subfield": fo.StringField}
    plain = {"text": fo.StringField, "integer": fo.IntField, "number": fo.FloatField, "boolean": fo.BooleanField}
    return {"ftype": plain[kind]}


def digest(data: fo.Dataset, samples: Sequence[AppSample], classes: Sequence[str]) -> str:
    """A hash of all that `apply` depends on: fields, and what is named in them."""
    named = {str(value.label) for sample in samples for value in sample.fields.values() if isinstance(value, AppLabel)}
    parts = [VERSION, *sorted(data.get_field_schema()), "", *sorted(named), "", *classes]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def apply(data: fo.Dataset, samples: Sequence[AppSample], classes: Sequence[str]) -> None:
    """Set the sidebar, colours of what the samples hold, saved views, and `classes` to choose from."""
    import fiftyone as fo

    answers = sorted(name for name in data.get_field_schema() if name.startswith(_ANSWERS))
    telling = {name for sample in samples for name, value in sample.fields.items() if _names_class(value)}
    asked = [
        name for name in answers if name in telling and name != "proposal_source_label"
    ]  # it says what `source` says
    marks = [name for name in ("mask", OUTLINE, BOXES) if name in data.get_field_schema()]
    data.app_config.sidebar_groups = _sidebar(answers, marks)
    data.app_config.active_fields = fo.ActiveFields(
        paths=["label", *asked, *(name for name in marks if name != "mask")]
    )
    data.app_config.color_scheme = _colour_scheme(["label", "source", *answers], samples)
    data.app_config.media_fields, data.app_config.media_fallback = ["filepath", "evidence"], True
    data.mask_targets = {"mask": dict.fromkeys(MARKED, ANOMALY)}
    for name, text in _DESCRIPTIONS.items():
        field = data.get_field(name)
        field.description = text
        field.save()
    data.save()
    for view in _views(data):
        view.save(data)
    if classes:
        data.set_label_schemas({"label": {"type": "classification", "classes": list(classes), "component": "dropdown"}})
        data.activate_label_schemas("label")
    elif "label" in data.label_schemas:
        data.delete_label_schemas("label")  # classes of one category would be offered for images of another


def _names_class(value: object) -> bool:
    """Whether a chip would name a class: of one that never does, each image would show that."""
    return isinstance(value, AppLabel) and not value.label.startswith("(")


def _sidebar(answers: Sequence[str], marks: Sequence[str]) -> list[fo.SidebarGroupDocument]:
    import fiftyone as fo

    groups: dict[str, list[str]] = {"Label": [], "Source": []}
    groups["Proposals"] = [name for name in answers if name.startswith("proposal_")]
    if predictions := [name for name in answers if name.startswith("prediction_")]:
        groups["Predictions"] = predictions
    for name, (group, _) in FIELDS.items():
        groups.setdefault(group, []).append(name)
    groups["Image"] += marks
    groups["acbench"] += ["id", "filepath"]
    own = [*groups.pop("acbench"), "created_at", "last_modified_at"]
    return [
        fo.SidebarGroupDocument(name="tags", paths=[], expanded=True),
        *(fo.SidebarGroupDocument(name=name, paths=paths, expanded=name != "Image") for name, paths in groups.items()),
        fo.SidebarGroupDocument(name="Brain", paths=list(embeddings.FIELDS), expanded=True),
        fo.SidebarGroupDocument(name="acbench", paths=own, expanded=False),
        fo.SidebarGroupDocument(name="metadata", paths=[f"metadata.{name}" for name in _METADATA], expanded=False),
    ]


def _colour_scheme(fields: Sequence[str], samples: Sequence[AppSample]) -> fo.ColorScheme:
    """The colours of the classes that `fields` name, and of masks."""
    import fiftyone as fo

    shades = [{"value": label, "color": colour} for label, colour in sorted(_colours(fields, samples).items())]
    boxed = [{"value": ANOMALY, "color": ANOMALY_COLOUR}]
    marked = [{"intTarget": value, "color": ANOMALY_COLOUR} for value in MARKED]
    return fo.ColorScheme(
        color_by="value",
        opacity=0.45,
        fields=[
            *({"path": name, "colorByAttribute": "label", "valueColors": shades} for name in fields),
            {"path": "mask", "fieldColor": ANOMALY_COLOUR, "maskTargetsColors": marked},
            {"path": OUTLINE, "fieldColor": ANOMALY_COLOUR},
            *([{"path": BOXES, "colorByAttribute": "label", "valueColors": boxed}] if _boxed(samples) else []),
        ],
        default_mask_targets_colors=marked,
    )


def _boxed(samples: Sequence[AppSample]) -> bool:
    return any(sample.boxes for sample in samples)


def _colours(fields: Sequence[str], samples: Sequence[AppSample]) -> dict[str, str]:
    """Label → colour. A class has the same colour wherever it is named; those of a category differ most."""
    by_category: dict[str, set[str]] = {}
    for sample in samples:
        values = [sample.fields.get(name) for name in fields]
        labels = {value.label for value in values if isinstance(value, AppLabel)}
        by_category.setdefault(str(sample.fields["category"]), set()).update(labels)
    colours: dict[str, str] = {}
    for labels in by_category.values():
        classes = sorted(label for label in labels if label != "good" and not label.startswith("("))
        for place, label in enumerate(classes):
            colours.setdefault(label, _hue(place, len(classes)))
        colours.update(dict.fromkeys((label for label in labels if label.startswith("(")), SILENT_COLOUR))
    colours["good"] = GOOD_COLOUR
    return colours


def _hue(place: int, count: int) -> str:
    """One of `count` colours that differ as much as can be."""
    channels = colorsys.hls_to_rgb(place / max(count, 1), 0.55 if place % 2 else 0.45, 0.75)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def _views(data: fo.Dataset) -> list[_SavedView]:
    import fiftyone as fo

    field = fo.ViewField
    status, why, is_decided = field("status"), field("why"), field("decided_by") == "people"
    disputed = data.match((why == "disputed") & ~is_decided)
    unseen = data.match((status == "accepted") & ~is_decided & (field("kinds") > 0))
    changed = data.match(field("changed") == True)  # noqa: E712  (an expression of FiftyOne)
    return [
        _SavedView(
            QUEUE, "#d93025", "The review queue, the most doubtful first", data.exists("queue").sort_by("queue")
        ),
        _SavedView(
            "Disputed",
            "#e8710a",
            "Proposals differ and nobody has decided",
            disputed.sort_by("label_issue_score", reverse=True),
        ),
        _SavedView(
            "Changed against the source", "#9334e6", "The label is not what the dataset's own one maps to", changed
        ),
        _SavedView(
            "Accepted unseen",
            "#188038",
            "Accepted anomalous images that nobody has looked at",
            unseen.sort_by("label_issue_score", reverse=True),
        ),
        _SavedView(
            "Low margin",
            "#f9ab00",
            f"A proposer's best class leads the second by less than {LOW_MARGIN}",
            data.match(field("margin") < LOW_MARGIN).sort_by("margin"),
        ),
        _SavedView("Several defects", "#12b5cb", "More than one class in the label", data.match(field("kinds") > 1)),
        _SavedView(
            "Excluded", "#5f6368", "Not part of the benchmark; `reason` says why", data.match(status == "excluded")
        ),
        _SavedView("Asked again", "#c5221f", "Somebody wants it looked at again", data.match(why == "flagged")),
        _SavedView("By category", "#1a73e8", "One group a category", data.group_by("category", order_by="image")),
    ]


def opening(data: fo.Dataset) -> tuple[fo.DatasetView, fo.Space]:
    """The view that the App opens on, which is the queue if anything is in it, and the panels beside the images."""
    import fiftyone as fo

    if fo.app_config.grid_zoom == FIFTYONE_ZOOM:  # else somebody has chosen it
        fo.app_config.grid_zoom = ZOOM
    queue = data.exists("queue")
    view = data.load_saved_view(QUEUE) if len(queue) and data.has_saved_view(QUEUE) else data.view()
    images, decide, benchmark = (
        fo.Panel(type="Samples", pinned=True),
        fo.Panel(type="decide"),
        fo.Panel(type="benchmark"),
    )
    halves = [
        fo.Space(children=panels, active_child=panels[0].component_id) for panels in ([images], [decide, benchmark])
    ]
    return view, fo.Space(orientation="horizontal", children=halves, sizes=[0.5, 0.5])


def apply_brain_views(data: fo.Dataset) -> None:
    """Save views of what FiftyOne Brain found, and a workspace with its map beside the images."""
    import fiftyone as fo

    field = fo.ViewField
    is_duplicate = (field("same_as") != None) | (field(embeddings.NEAR) != None)  # noqa: E711  (expressions of FiftyOne)
    mistaken = data.match(field(embeddings.MISTAKENNESS) > MISTAKEN).sort_by(embeddings.MISTAKENNESS, reverse=True)
    for view in (
        _SavedView(
            "Likely duplicates",
            "#a142f4",
            "The same bytes as another image, or an anomaly that looks the same",
            data.match(is_duplicate),
        ),
        _SavedView("Likely mistakes", "#d01884", "FiftyOne Brain: `neighbours` is sure of another class", mistaken),
    ):
        view.save(data)
    if data.has_brain_run(embeddings.MAP):
        images = fo.Panel(type="Samples", pinned=True)
        chart = fo.Panel(type="Embeddings", state={"brainResult": embeddings.MAP, "colorByField": "label.label"})
        halves = [fo.Space(children=[half], active_child=half.component_id) for half in (images, chart)]
        space = fo.Space(orientation="horizontal", children=halves, active_child=chart.component_id, sizes=[0.5, 0.5])
        data.save_workspace("Map", space, description="Anomalous regions as points, beside the images", overwrite=True)
