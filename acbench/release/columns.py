"""Names, kinds and descriptions of the columns of a release's parquet shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "texts", "flag", "integer", "number", "category", "class", "classes", "image", "votes", "boxes"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column, independent of any library."""

    name: str
    kind: Kind
    about: str
    """One sentence for the card."""


COLUMNS: tuple[Column, ...] = (
    Column("item_id", "text", "Stable id of the image; silent about the label."),
    Column("image", "image", "The image file's own bytes; null if it cannot be read."),
    Column("mask", "image", "The anomaly mask file's own bytes; null if there is none."),
    Column(
        "image_path", "text", "Path in the source dataset. It can tell the source label: do not show it to a model."
    ),
    Column("mask_path", "text", "Path of the mask in the source dataset, or null."),
    Column("category", "category", "The object or texture shown."),
    Column("split", "text", "`train` or `test`, as in the source dataset."),
    Column("anomalous", "flag", "What the source dataset says: false for a normal image."),
    Column("label", "class", "The one class to predict; null if the image has no place in the single-label benchmark."),
    Column("labels", "classes", "All classes that the image shows; empty while `status` is `pending`."),
    Column("source_labels", "texts", "The source dataset's own labels, untouched."),
    Column("status", "text", "`accepted`, `pending` (no decision yet) or `excluded`."),
    Column("decided_by", "text", "`people`, the witnesses that agreed, or `nobody`."),
    Column("reason", "text", "Why the label is what it is."),
    Column("agreement", "number", "Share of independent witnesses or people that gave this label; null if only one."),
    Column("confidence", "number", "Probability by the witnesses' own scores; null if they have none."),
    Column("votes", "votes", "Who said what: see below."),
    Column("image_sha256", "text", "Of the image file, hex."),
    Column("mask_sha256", "text", "Of the mask file, hex, or null."),
    Column("width", "integer", "Pixels; 0 if the image cannot be read."),
    Column("height", "integer", "Pixels; 0 if the image cannot be read."),
    Column("schema_version", "text", "Version of the label schema."),
)

VOTE: tuple[Column, ...] = (
    Column("who", "text", "A witness by name and version, or a person by a pseudonym that holds within one release."),
    Column(
        "kind", "text", "`dataset`, `table` (made by other people), `file` (anybody's answers), `model` or `person`."
    ),
    Column("said", "text", "`label`, `abstained`, `error`, `unsure`, `bad_image` or `bad_mask`."),
    Column("labels", "texts", "The classes given, if it is `label`."),
    Column(
        "blind",
        "flag",
        "Of a person: whether proposals were hidden, and had never been in reach. Null where nothing was proposed, and"
        " of witnesses.",
    ),
    Column("model", "text", "The model that answered, with its version; null if none did."),
    Column("family", "text", "The family of that model: models of one family are one witness. Else null."),
)

BOXES = Column(
    "boxes",
    "boxes",
    "Boxes around the anomaly where the source has boxes and no mask: left, top, right, bottom in pixels; else null.",
)
"""Only a release of images with boxes has this column, as the last one."""

IMAGES = tuple(column.name for column in COLUMNS if column.kind == "image")


def columns(*, images: bool, boxes: bool = False) -> tuple[Column, ...]:
    """The columns of a release with images or, if not `images`, of labels only; with or without `boxes`."""
    every = (*COLUMNS, BOXES) if boxes else COLUMNS
    return tuple(column for column in every if images or column.kind != "image")
