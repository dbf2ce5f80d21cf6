"""What passes between acbench and a viewer: cards of items on the way there, flags of people on the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FORMAT = 2
"""Version of the fields. Raise it when one changes its name or meaning: every sample in an older App is replaced."""
RETIRED_FIELDS: Mapping[int, tuple[str, ...]] = {1: ("suspicion",)}
"""Format → the fields that it had as the last one. They are removed from an App that shows that format or an older one.
"""

Kind = Literal["text", "whole", "number", "flag", "texts", "named"]

FIELDS: Mapping[str, tuple[str, Kind]] = {
    "label": ("Label", "named"),
    "status": ("Label", "text"),
    "reason": ("Label", "text"),
    "decided_by": ("Label", "text"),
    "agreement": ("Label", "number"),
    "reviews": ("Label", "texts"),
    "source": ("Source", "named"),
    "changed": ("Source", "flag"),
    "queue": ("Queue", "whole"),
    "why": ("Queue", "text"),
    "detail": ("Queue", "text"),
    "label_issue_score": ("Queue", "number"),
    "margin": ("Queue", "number"),
    "kinds": ("Queue", "whole"),
    "same_as": ("Queue", "text"),
    "category": ("Image", "text"),
    "split": ("Image", "text"),
    "image": ("Image", "text"),
    "problem": ("Image", "text"),
    "item_id": ("acbench", "text"),
    "given": ("acbench", "text"),
    "content": ("acbench", "text"),
}
"""Field → (group, kind), in the order in which a reviewer wants them.

`changed`: the label is not what the dataset's own one maps to. `queue`: place in the queue, from 1. `margin`: by how
much the best class leads the second, of the least sure witness. `kinds`: classes in the label, 0 for a normal image.
`same_as`: another image with the same bytes. `given`: the label as written, to notice another one that somebody puts in
its place. `content`: a hash of the card. A card also has a field `proposal_NAME` a proposer and `prediction_NAME` a
scored system.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLabel:
    """A class, or what stands for one, as somebody gave it."""

    label: str
    confidence: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else is known of the answer, by name."""


Value = str | int | float | bool | tuple[str, ...] | AppLabel | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSample:
    """One item as a viewer shows it."""

    item_id: str
    image: str
    """Absolute path."""
    mask: str | None
    """Absolute path, or None."""
    size: tuple[int, int]
    """Width and height, pixels."""
    fields: Mapping[str, Value]
    """By name; a name of `FIELDS` that is not there is empty."""

    @property
    def content(self) -> str:
        """Changes with anything on the card."""
        return str(self.fields["content"])


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMark:
    """What somebody marked on one item in a viewer, since the last time."""

    item_id: str
    tags: tuple[str, ...] = ()
    """All of them."""
    given: str = ""
    """The label as it was shown."""
    changed: str | None = None
    """The label that somebody put in its place, or None."""
    place: str = ""
    """Where the item is in the viewer."""
