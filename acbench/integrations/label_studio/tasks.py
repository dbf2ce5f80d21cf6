"""Lists, sends and removes the tasks of a project in Label Studio, many in one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from acbench.errors import AnnotationToolError
from acbench.integrations.label_studio.http import Connection
from acbench.review.annotation_tool import ExistingTask, Task, ToolProject, task_key

if TYPE_CHECKING:
    from label_studio_sdk.types import ImportApiRequest

PAGE = 5000
"""Tasks in one answer when they are listed."""
_COLUMNS = "id,data,total_annotations,cancelled_annotations,drafts"


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks of all projects of one server."""

    connection: Connection

    def existing(self, project: ToolProject, *, drafts: bool = False) -> list[ExistingTask]:
        tasks: dict[int, ExistingTask] = {}
        page = 1
        while True:
            answer = self.connection.sdk.tasks.list(
                project=project.number,
                page=page,
                page_size=PAGE,
                fields="all" if drafts else "task_only",  # `task_only` leaves drafts empty
                include=_COLUMNS,
            ).response
            known = len(tasks)
            tasks |= {
                row.id: ExistingTask(
                    number=row.id,
                    key=task_key(row.data),
                    annotations=(row.total_annotations or 0) + (row.cancelled_annotations or 0) + len(row.drafts or ()),
                )
                for row in answer.tasks
            }
            if len(tasks) >= answer.total or len(tasks) == known:  # a server that gives a page again has no end
                return [tasks[number] for number in sorted(tasks)]
            page += 1

    def send(self, project: ToolProject, tasks: Sequence[Task]) -> None:
        # The SDK takes plain dicts too; to build its models of thousands of tasks would only take time.
        rows = cast("Sequence[ImportApiRequest]", [task.payload() for task in tasks])
        taken = self.connection.sdk.projects.import_tasks(project.number, request=rows).task_count
        if taken != len(tasks):
            raise AnnotationToolError(
                f"{self.connection.url} took {taken} of {len(tasks)} tasks", "run again: what is missing is sent"
            )

    def remove(self, project: ToolProject, numbers: Sequence[int]) -> None:
        from label_studio_sdk.actions.types import PrepareParamsRequestRequestSelectedItemsIncluded as Selected

        self.connection.sdk.actions.create(
            id="delete_tasks",
            project=project.number,
            selected_items=Selected.model_validate({"all": False, "included": list(numbers)}),
        )
