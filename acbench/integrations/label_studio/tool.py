"""Label Studio as acbench's annotation tool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from acbench.integrations.label_studio.annotations import Annotations
from acbench.integrations.label_studio.http import Connection
from acbench.integrations.label_studio.people import People
from acbench.integrations.label_studio.pictures import Pictures
from acbench.integrations.label_studio.projects import Projects
from acbench.integrations.label_studio.tasks import Tasks
from acbench.review.annotation_tool import AnnotatedTask, ExistingTask, ProjectSpec, Task, ToolProject


class LabelStudio:
    """One server. Its methods are those of `AnnotationTool`.

    `served`: the folder whose pictures the server shows from its own disk; None if they have to be sent to it.
    `public`: the address at which people find the server, if it is another one.
    """

    def __init__(self, url: str, key: str, *, served: Path | None, public: str = "") -> None:
        self.url = public.rstrip("/") or url
        """Where people decide."""
        self._connection = Connection(url, key)
        self._projects = Projects(self._connection)
        self._tasks = Tasks(self._connection)
        self.people = People(self._connection)
        self._annotations = Annotations(self._connection, self.people)
        self._pictures = Pictures(self._connection, self._projects, served)
        try:
            self._connection.check_version()
            self._connection.sdk.users.whoami()  # refuses a wrong key
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def find(self, name: str) -> ToolProject | None:
        return self._projects.find(name)

    def later(self, name: str) -> list[ToolProject]:
        return self._projects.later(name)

    def open(self, wanted: ProjectSpec, *, restore_form: bool = False) -> ToolProject:
        return self._projects.open(wanted, restore_form=restore_form)

    def existing_tasks(self, project: ToolProject, *, drafts: bool = False) -> list[ExistingTask]:
        return self._tasks.existing(project, drafts=drafts)

    def send(self, project: ToolProject, tasks: Sequence[Task]) -> None:
        self._tasks.send(project, tasks)

    def remove(self, project: ToolProject, numbers: Sequence[int]) -> None:
        self._tasks.remove(project, numbers)

    def annotated_tasks(self, project: ToolProject) -> list[AnnotatedTask]:
        return self._annotations.of(project)

    def pictures(self, project: ToolProject, paths: Iterable[Path]) -> dict[Path, str]:
        return self._pictures.addresses(project, paths)

    def unshown(self, address: str) -> str:
        return self._connection.unshown(address, self.url)
