"""Names, kinds and descriptions of the columns of a release's parquet shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "texts", "flag", "integer", "size", "number", "category", "class", "classes", "image", "votes",
               "history", "boxes"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column, independent of any library."""

    name: str
    kind: Kind
    about: str
    """One sentence for the card."""
    since: int = 2
    """Format of the first releases that have it."""


COLUMNS: tuple[Column, ...] = (
    Column("item_id", "text", "Stable id of the image; silent about the label."),
    Column("image", "image", "The image file's own bytes; null if it cannot be read."),
    Column("mask", "image", "The anomaly mask file's own bytes; null if there is none."),
    Column(
        "image_path", "text", "Path in the source dataset. It can tell the source label: do not show it to a model."
    ),
    Column("mask_path", "text", "Path of the mask in the source dataset, or null."),
    Column("category", "category", "The object or texture shown."),
    Column("category_name", "text", "The same by name, for readers that know no class numbers.", since=3),
    Column("split", "text", "`train` or `test`, as in the source dataset."),
    Column("anomalous", "flag", "What the source dataset says: false for a normal image."),
    Column("label", "class", "The one class to predict; null if the image has no place in the single-label benchmark."),
    Column("label_name", "text", "The same by name.", since=3),
    Column("labels", "classes", "All classes that the image shows; empty while `status` is `pending`."),
    Column("label_names", "texts", "The same by name.", since=3),
    Column("source_labels", "texts", "The source dataset's own labels, untouched."),
    Column("status", "text", "`accepted`, `pending` (no decision yet) or `excluded`."),
    Column("decided_by", "text", "`people`, the witnesses that agreed, or `nobody`."),
    Column("reason", "text", "Why the label is what it is."),
    Column("agreement", "number", "Share of independent witnesses or people that gave this label; null if only one."),
    Column("confidence", "number", "Probability by the witnesses' own scores; null if they have none."),
    Column("votes", "votes", "Who said what, and still stands to it: see below."),
    Column("history", "history", "Every decision of a person, also those that no longer count: see below.", since=3),
    Column("image_sha256", "text", "Of the image file, hex."),
    Column("mask_sha256", "text", "Of the mask file, hex, or null."),
    Column("image_size", "size", "Bytes of the image file; null if it cannot be read.", since=3),
    Column("mask_size", "size", "Bytes of the mask file, or of several together; null if there is none.", since=3),
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

HISTORY: tuple[Column, ...] = (
    Column("who", "text", "The person by the pseudonym of this release."),
    Column("round", "integer", "1 for the first decision of this person about the image, and so on."),
    Column("date", "text", "Day of the decision in UTC, as YYYY-MM-DD; null if it is not known. No time of day."),
    Column("said", "text", "`label`, `unsure`, `bad_image`, `bad_mask`, or `withdrawn`: taken back."),
    Column("labels", "texts", "The classes given, if it is `label`, as they were called then."),
    Column(
        "sight",
        "text",
        "What the person could know of proposals: `seen`, `available` (to unfold), `earlier` (hidden, in reach before),"
        " `blind` or `none` (nothing was proposed).",
    ),
    Column(
        "place",
        "integer",
        "Numbers the tasks and files in which this person decided about the image: of one place, the last counts.",
    ),
    Column("schema_version", "text", "Version of the label schema whose classes were offered; null if not known."),
)
"""A decision. Its note is left out: it may name somebody, and the reason of the label has what counts of it."""

BOXES = Column(
    "boxes",
    "boxes",
    "Boxes around the anomaly where the source has boxes and no mask: left, top, right, bottom in pixels; else null.",
)
"""Only a release of images with boxes has this column, as the last one."""

IMAGES = tuple(column.name for column in COLUMNS if column.kind == "image")


def columns(*, images: bool, boxes: bool = False, format: int) -> tuple[Column, ...]:
    """The columns of a release of a format with images or, if not `images`, of labels only; with or without `boxes`."""
    every = (*COLUMNS, BOXES) if boxes else COLUMNS
    return tuple(column for column in every if column.since <= format and (images or column.kind != "image"))
