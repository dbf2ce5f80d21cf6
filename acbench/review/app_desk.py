"""What a panel of the FiftyOne App shows of an image, and the protocol by which it decides about one.

The App runs in a process of its own. It finds the desk by the name that `DeskAddress` leaves in the environment: the
command that starts the App says which desk that is, as a workflow passes objects down elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Protocol, cast

from acbench.errors import AcbenchError
from acbench.review.app_records import FieldValue

VARIABLE = "ACBENCH_DESK"
"""The variable of the environment that holds a `DeskAddress`."""
DOUBLE_CLICK = 0.3
"""Seconds after an image has come into sight in which a press decides nothing: it began on the image before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A class that an image can have."""

    class_id: str
    name: str
    definition: str
    not_this: str = ""
    """What it is confused with, and how to tell them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a proposer says of an image."""

    said: str
    """The proposer and its answer, such as `neighbours: dent 0.87`."""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All that a person should know of an image to decide about it."""

    item_id: str
    image: str
    """Its path in the dataset."""
    category: str
    asked: str
    """Why people are asked about it, in a sentence; empty if they are not."""
    detail: str
    """What witnesses or people said that makes it so; may be empty."""
    label: str
    """The label now, and its status."""
    reason: str
    """Why the label is this one."""
    guide: str
    """How to tell the classes of the category apart."""
    choices: Sequence[Choice]
    answers: Sequence[Answer]
    decisions: Sequence[str]
    """What people have decided, the earliest first: when, who, what and why."""
    picture: str
    """Path of the evidence picture; empty if none could be drawn."""
    own: Sequence[str] = ()
    """Class ids or verdict that the reviewer at this desk has decided on; empty for none."""
    problem: str = ""
    """Why the image cannot be used; usually empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of a press of a button."""

    said: str
    """What was recorded, in a few words."""
    recorded: bool
    """False if it was known already."""
    fields: Mapping[str, FieldValue]
    """The fields of the sample that are other now: see `app_records.FIELDS`."""
    waits: bool
    """Whether people should still look at the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a benchmark stands."""

    facts: Sequence[tuple[str, str]]
    """What is counted, and its value, in words."""
    places: Mapping[str, Mapping[str, FieldValue]]
    """item_id → the fields of its sample that tell of the queue."""


class ReviewDesk(Protocol):
    """Where one person decides about the images of one benchmark. Every method raises AcbenchError."""

    @property
    def reviewer(self) -> str:
        """In whose name decisions are recorded; empty if nobody's: then the desk only shows."""

    def card(self, item_id: str) -> Card:
        """What there is to know of an image."""

    def decide(self, item_id: str, said: Collection[str], *, where: str, note: str, seconds: float | None) -> Decided:
        """Record a decision at once. `said`: class ids, or one verdict. `where`: dataset and sample in the App."""

    def undo(self, item_id: str) -> Decided:
        """Take back what the reviewer decided about the image in the App."""

    def open_items(self, item_ids: Sequence[str]) -> list[str]:
        """Those images, in their order, about which the reviewer has not said anything that stands."""

    def standing(self) -> Standing:
        """Bring labels and queue up to date, and count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskAddress:
    """Where the App finds its desk, as text in the environment of its process."""

    maker: str
    """`module:function` that makes the desk from the other fields."""
    project: str
    """Absolute path."""
    benchmark: str
    """Its name, or the path of its schema."""
    reviewer: str
    dataset: str
    """Name of the dataset in the App that shows the benchmark."""

    def leave(self) -> None:
        """Write it into the environment, for the processes that this one starts."""
        os.environ[VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def left(cls) -> DeskAddress:
        """Read it. Raises AcbenchError if nobody left one."""
        try:
            return cls(**json.loads(os.environ[VARIABLE]))
        except (KeyError, ValueError, TypeError):
            raise AcbenchError(
                "this App was not started by acbench, so nobody's decision can be recorded here",
                "acbench app BENCHMARK --reviewer YOUR_NAME",
            ) from None

    def desk(self) -> ReviewDesk:
        """Make the desk."""
        module, _, function = self.maker.partition(":")
        return cast(ReviewDesk, getattr(import_module(module), function)(self))
