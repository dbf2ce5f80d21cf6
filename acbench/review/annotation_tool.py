"""What an annotation tool holds: projects, tasks and annotations, and the protocol by which acbench reaches them.

An annotation tool is a labelling program, such as Label Studio. It may take the same task twice, and it may have done
what it was asked although no answer came. `acbench.review.push` and `acbench.review.pull` allow for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, Protocol, TypedDict

from acbench.storage.digests import digest

TaskKey = tuple[str, int]
"""item_id and round of a task: no project holds two tasks of the same key for long."""


MAX_ROUND = 999_999_999
"""The highest round of a task, and of a review."""
MAX_ID = 200
"""Characters of an item_id that a task may hold."""


def task_key(data: object) -> TaskKey | None:
    """The key of a task by its data; None if acbench did not make the task: it has no such rounds and ids."""
    if not isinstance(data, Mapping):
        return None
    item_id, number = data.get("item_id"), data.get("round")
    if not isinstance(item_id, str) or len(item_id) > MAX_ID or type(number) is not int:
        return None
    return (item_id, number) if 1 <= number <= MAX_ROUND else None


TaskValue = str | int | bool | list[str]
"""One value of a task's data."""


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
    description: str = ""
    """What it is and who it is for, in a line or two."""
    hidden_fields: Sequence[str] = ()
    """Fields of a task's data that the list of tasks does not show."""
    annotators: int | None = None
    """How many people decide each image; None leaves a project as it is, and is 1 for a new one."""
    not_for: tuple[str, ...] = ()
    """People who decided its images before; empty for the project that a category begins with."""

    @property
    def name(self) -> str:
        """The name by which the project is found again, whatever title people give it."""
        name = project_name(self.benchmark, self.category)
        return f"{name}{LATER}{digest(*self.not_for, length=8)}" if self.not_for else name


LATER = "/not-for-"
"""What follows in the name of a category's project of later rounds, before a hash of who is not asked."""


def project_name(benchmark: str, category: str) -> str:
    """`ProjectSpec.name` of the project that a category begins with."""
    return f"{benchmark}/{category}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProject:
    """A project in the tool."""

    number: int
    uid: str
    """8 hex digits that no other project has, in any tool."""
    title: str
    tasks: int
    annotators: int
    """How many people decide each image."""
    form_is_ours: bool
    """Whether the form is as this or an earlier version of acbench made it."""


class Choices(TypedDict):
    """The choices of one control."""

    choices: list[str]


class ResultPart(TypedDict):
    """What one control of the form holds, as Label Studio writes it."""

    from_name: str
    to_name: str
    type: str
    value: Choices


class TaskPrediction(TypedDict):
    """A proposal, as Label Studio keeps it."""

    model_version: str
    """The proposer."""
    result: list[ResultPart]
    score: NotRequired[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One image that people are asked about, in one round."""

    item_id: str
    round: int
    data: Mapping[str, TaskValue]
    predictions: Sequence[TaskPrediction] = ()

    @property
    def key(self) -> TaskKey:
        """What tells the task from others."""
        return self.item_id, self.round

    def payload(self) -> dict[str, Any]:
        """The task as it is sent, as JSON values."""
        return {"data": dict(self.data), "predictions": list(self.predictions)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingTask:
    """A task that is in the tool."""

    number: int
    key: TaskKey | None
    """None if acbench did not make it."""
    annotations: int
    """Decided or skipped; drafts too, if they were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What one person left at one task."""

    number: int
    author: str
    result: Sequence[object]
    """JSON as it came, unchecked."""
    skipped: bool
    seconds: float | None
    when: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedTask:
    """A task with all that people left at it."""

    number: int
    data: Mapping[str, object]
    """JSON as it came, unchecked."""
    annotations: Sequence[Annotation]
    drafts: int


class AnnotationTool(Protocol):
    """One annotation tool.

    Every method raises AnnotationToolError for what a person has to mend, and LostConnection if no answer came.
    """

    def find(self, name: str) -> ToolProject | None:
        """The project of that `ProjectSpec.name`; None if there is none. Raises AnnotationToolError for two of them."""

    def later(self, name: str) -> list[ToolProject]:
        """The projects of later rounds of the category whose first project has that name, oldest first."""

    def open(self, spec: ProjectSpec, *, restore_form: bool = False) -> ToolProject:
        """The project as specified; a new one if there is none.

        Raises AnnotationToolError if people changed its form, unless `restore_form`.
        """

    def existing_tasks(self, project: ToolProject, *, drafts: bool = False) -> list[ExistingTask]:
        """Every task of a project, oldest first, without its content. To count `drafts` too takes long."""

    def send(self, project: ToolProject, tasks: Sequence[Task]) -> None:
        """Add all tasks, or none. It does not check whether they are there already."""

    def remove(self, project: ToolProject, numbers: Sequence[int]) -> None:
        """Remove tasks."""

    def annotated_tasks(self, project: ToolProject) -> list[AnnotatedTask]:
        """Every task with its annotations."""

    def pictures(self, project: ToolProject, paths: Iterable[Path]) -> dict[Path, str]:
        """The address of each picture at which the tool can show it."""

    def unshown(self, address: str) -> str:
        """What keeps people from seeing the picture at such an address; empty if nothing does."""
