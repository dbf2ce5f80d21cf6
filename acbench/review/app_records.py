"""What goes to the FiftyOne App and what comes back: a sample for each item, and the marks of people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from acbench.records import Box

FORMAT = 3
"""Version of the fields. Raise it when one changes its name or meaning: every sample in an older App is replaced."""
RETIRED_FIELDS: Mapping[int, tuple[str, ...]] = {1: ("suspicion",)}
"""Format → the fields that it had as the last one. They are removed from an App that shows that format or an older one.
"""

FieldKind = Literal["text", "integer", "number", "boolean", "texts", "label"]

FIELDS: Mapping[str, tuple[str, FieldKind]] = {
    "label": ("Label", "label"),
    "status": ("Label", "text"),
    "reason": ("Label", "text"),
    "decided_by": ("Label", "text"),
    "agreement": ("Label", "number"),
    "reviews": ("Label", "texts"),
    "source": ("Source", "label"),
    "changed": ("Source", "boolean"),
    "queue": ("Queue", "integer"),
    "why": ("Queue", "text"),
    "detail": ("Queue", "text"),
    "label_issue_score": ("Queue", "number"),
    "margin": ("Queue", "number"),
    "kinds": ("Queue", "integer"),
    "same_as": ("Queue", "text"),
    "category": ("Image", "text"),
    "split": ("Image", "text"),
    "image": ("Image", "text"),
    "problem": ("Image", "text"),
    "evidence": ("Image", "text"),
    "item_id": ("acbench", "text"),
    "given": ("acbench", "text"),
    "content": ("acbench", "text"),
}
"""Field of a sample → (group, kind), in the order in which a reviewer wants them.

`changed`: the label is not what the dataset's own label maps to. `queue`: place in the queue, from 1. `margin`: lead of
the best class over the second, for the least sure witness. `kinds`: number of classes in the label, 0 for a normal
image. `same_as`: another image with the same bytes. `given`: the label as written, to notice when somebody puts another
one in its place. Labels call classes by name, and hold the ids beside it as `class_id`.
`evidence`: path of the evidence picture. `content`: a hash of the sample. A sample also has a field `proposal_NAME` for
each proposer and `prediction_NAME` for each scored system.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLabel:
    """A class, or words in its place such as `(abstained)`."""

    label: str
    confidence: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else is known of the answer, by name."""


FieldValue = str | int | float | bool | tuple[str, ...] | AppLabel | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSample:
    """One item as the App shows it."""

    item_id: str
    image: str
    """Absolute path."""
    mask: str | None
    """Absolute path, or None."""
    size: tuple[int, int]
    """Width and height, pixels."""
    fields: Mapping[str, FieldValue]
    """By name; a name of `FIELDS` that is missing is empty."""
    boxes: tuple[Box, ...] = ()
    """Boxes around the anomaly, in pixels; empty where there is a mask."""

    @property
    def content(self) -> str:
        """A hash of everything that the sample shows."""
        return str(self.fields["content"])


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMark:
    """What somebody marked on one item in the App, and nobody has collected yet."""

    item_id: str
    tags: tuple[str, ...] = ()
    """All tags of the sample."""
    label_before: str = ""
    """The label that the App showed."""
    new_label: str | None = None
    """The label that somebody put in its place, or None."""
    sample: str = ""
    """Dataset and sample in the App, as `DATASET/SAMPLE_ID`."""
