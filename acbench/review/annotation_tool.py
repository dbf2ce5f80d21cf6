"""What lies on a review desk: projects, tasks and annotations, and the door through which they are reached.

A desk is a labelling program, such as Label Studio. It forgets nothing by itself, but it keeps no promises either: it
takes a task twice, and it may have done what it was asked though no answer came. `acbench.review.push` and
`acbench.review.pull` make up for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Key = tuple[str, int]
"""item_id and round: what makes a task itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSpec:
    """How the project of one category should be."""

    benchmark: str
    category: str
    title: str
    form: str
    """Labelling configuration, XML."""
    instructions: str
    """HTML."""
    words: str = ""
    """What it is and who it is for, in a line or two."""
    unlisted: Sequence[str] = ()
    """Fields of a task's data that a list of tasks does not show."""
    annotators: int | None = None
    """People an image is put to; None leaves it as it is, and 1 in a new project."""

    @property
    def name(self) -> str:
        """By which the project is found again, whatever people call it."""
        return f"{self.benchmark}/{self.category}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProject:
    """A project on the desk."""

    number: int
    uid: str
    """8 hex that no other project has, on no other desk."""
    title: str
    tasks: int
    annotators: int
    form_is_ours: bool
    """Whether the form is as acbench made it, in this version or an earlier one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One question to people."""

    item_id: str
    round: int
    data: Mapping[str, Any]
    predictions: Sequence[Mapping[str, Any]] = ()

    @property
    def key(self) -> Key:
        return self.item_id, self.round

    def payload(self) -> dict[str, Any]:
        """As it is sent."""
        return {"data": dict(self.data), "predictions": list(self.predictions)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingTask:
    """A task that is on the desk."""

    number: int
    key: Key | None
    """None if it is not one of acbench's."""
    annotations: int
    """Decided or skipped; with drafts, if they were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What one person left at one task."""

    number: int
    author: str
    result: Sequence[Any]
    """As it came: nobody has looked at it yet."""
    skipped: bool
    seconds: float | None
    when: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedTask:
    """A task with all that people left at it."""

    number: int
    data: Mapping[str, Any]
    """As it came."""
    annotations: Sequence[Annotation]
    drafts: int


class AnnotationTool(Protocol):
    """The door to a labelling program.

    Every method raises DeskError for what a person has to mend, and LostConnection if no answer came.
    """

    def find(self, name: str) -> ToolProject | None:
        """The project of that `ProjectSpec.name`; None if there is none. Raises DeskError if there are two."""

    def open(self, wanted: ProjectSpec, *, restore_form: bool = False) -> ToolProject:
        """The project as wanted, made if there is none. Raises DeskError if people changed its form, unless
        `restore_form`."""

    def standing(self, project: ToolProject, *, drafts: bool = False) -> list[ExistingTask]:
        """Every task of a project, oldest first, without what it says. Counting `drafts` too takes long."""

    def send(self, project: ToolProject, tasks: Sequence[Task]) -> None:
        """Put tasks on the desk: all, or none. What is there already is not looked for."""

    def remove(self, project: ToolProject, numbers: Sequence[int]) -> None:
        """Take tasks away."""

    def answers(self, project: ToolProject) -> list[AnnotatedTask]:
        """Every task with its annotations."""

    def pictures(self, project: ToolProject, paths: Iterable[Path]) -> dict[Path, str]:
        """The address of each picture, such that the desk can show it."""
