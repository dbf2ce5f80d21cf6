"""Finds, makes and changes the projects of a Label Studio, with their forms and lists of tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypedDict, cast
from urllib.parse import quote
from xml.etree import ElementTree as Xml

from acbench.errors import AnnotationToolError, LostConnection
from acbench.integrations.label_studio.failures import Refusal
from acbench.integrations.label_studio.http import Connection
from acbench.review.annotation_tool import LATER, ProjectSpec, ToolProject
from acbench.schema.form import EMPTY, PROGRESS
from acbench.storage.digests import digest

if TYPE_CHECKING:
    from label_studio_sdk.types import AllRolesProjectList, LseProjectResponse

    SdkProject = AllRolesProjectList | LseProjectResponse

MAX_FORM = 1 << 20
"""Characters of a form that are looked at."""

_PAGE = 100
"""Projects in one answer."""
_MARK = re.compile(r"\[acbench (\S+) form ([0-9a-f]{8})\]")
"""In a project's description: the name that acbench finds it by, and a digest of the form that acbench gave it."""
_HIDDEN_COLUMNS = (
    *("inner_id", "total_predictions", "predictions_score", "predictions_model_versions", "predictions_results"),
    *("annotations_results", "annotations_ids", "avg_lead_time", "draft_exists", "file_upload", "storage_filename"),
    *("created_at", "updated_at", "updated_by"),
)
"""Columns of Label Studio's own that its list of tasks does not show."""
_HIDDEN_BESIDE_A_TASK = ("id", "completed_at", "cancelled_annotations", "annotators")
"""Others that the narrow list beside a task does not show."""


class ProjectSettings(TypedDict, total=False):
    """Settings of a project, as Label Studio names them."""

    title: str
    description: str
    label_config: str
    expert_instruction: str
    show_instruction: bool
    show_collab_predictions: bool
    enable_empty_annotation: bool
    maximum_annotations: int
    model_version: str
    sampling: Literal["Sequential sampling"]
    show_skip_button: bool


@dataclass(frozen=True, slots=True)
class Projects:
    """The projects of one server."""

    connection: Connection

    def find(self, name: str) -> ToolProject | None:
        project = self._named(name)
        return None if project is None else _tool_project(project)

    def later(self, name: str) -> list[ToolProject]:
        start = quote(f"{name}{LATER}")
        found = [project for project in self._all() if (mark := _mark(project)) and mark[1].startswith(start)]
        return sorted(map(_tool_project, found), key=lambda project: project.number)

    def open(self, spec: ProjectSpec, *, restore_form: bool = False) -> ToolProject:
        new: ProjectSettings = {
            **_settings(spec, spec.form),
            "title": spec.title[:50].ljust(3, "."),  # Label Studio wants three characters
            "maximum_annotations": spec.annotators or 1,
            "sampling": "Sequential sampling",
            "show_skip_button": True,
        }
        kept = self._existing_or_new(spec.name, new)
        project = _tool_project(kept)
        if not project.form_is_ours and not restore_form:
            raise AnnotationToolError(
                f"the labelling form of project {project.number}, {project.title!r}, was edited by hand",
                "undo it under Settings > Labeling Interface, or put acbench's form back: --restore-form",
            )
        wanted = _settings(spec, spec.form.replace(PROGRESS, self._progress(project)))
        if spec.annotators is not None:
            wanted["maximum_annotations"] = spec.annotators
        if kept.model_version not in (None, "", EMPTY):
            wanted["model_version"] = ""  # the next import sets it
        current = kept.model_dump(include=set(wanted))
        changes = {name: value for name, value in wanted.items() if current.get(name) != value}
        if changes:
            project = _tool_project(self._change(project, cast(ProjectSettings, changes)))
        self._hide_columns(project, spec)
        return project

    def _progress(self, project: ToolProject) -> str:
        """The address at which the server tells how many tasks a project has, and how many are done."""
        fields = "?include=task_number,finished_task_number"
        return f"{self.connection.prefix}/api/projects/{project.number}/{fields}"

    def number_of(self, name: str, settings: ProjectSettings) -> int:
        """The number of the project of that name, which is made with `settings` if there is none."""
        return _tool_project(self._existing_or_new(name, settings)).number

    def _existing_or_new(self, name: str, settings: ProjectSettings) -> SdkProject:
        project = self._named(name)
        if project is None:
            with suppress(LostConnection):  # it may have been made all the same, which the next look tells
                self.connection.sdk.projects.create(**settings)
            project = self._named(name)
        if project is None:
            raise LostConnection(f"{self.connection.url} made no project for {name}", "run again")
        return project

    def _named(self, name: str) -> SdkProject | None:
        """The project of that name. Raises AnnotationToolError if there are two."""
        projects = [project for project in self._all() if (mark := _mark(project)) and mark[1] == quote(name)]
        if len(projects) > 1:
            numbers = " and ".join(str(project.id) for project in projects)
            raise AnnotationToolError(
                f"projects {numbers} on {self.connection.url} both hold the tasks of {name}",
                "keep the one that people work in, and take the line [acbench …] out of the description of the other",
            )
        return projects[0] if projects else None

    def _all(self) -> Iterator[SdkProject]:
        page, seen = 1, set[int | None]()
        while True:
            answer = self.connection.sdk.projects.list(page=page, page_size=_PAGE).response
            new = [project for project in answer.results if project.id not in seen]
            yield from new
            if not answer.next or not new:  # a server that gives a page again has no end
                return
            seen.update(project.id for project in new)
            page += 1

    def _change(self, project: ToolProject, changes: ProjectSettings) -> SdkProject:
        try:
            return self.connection.sdk.projects.update(project.number, **changes)
        except Refusal as error:
            if "label_config" in changes and error.status == 400:
                raise AnnotationToolError(
                    f"project {project.number}, {project.title!r}, cannot take the current form: {error.message}",
                    "bring its decisions home (acbench review pull), delete the project in Label Studio, push again",
                ) from None
            raise

    def _hide_columns(self, project: ToolProject, spec: ProjectSpec) -> None:
        """Give a project that nobody has opened yet a list of its tasks without the columns that are not wanted."""
        from label_studio_sdk.types import ViewDataRequestRequest

        views = self.connection.sdk.views
        if views.list(project=project.number):
            return
        hidden = [
            *(f"tasks:{name}" for name in _HIDDEN_COLUMNS),
            *(f"tasks:data.{name}" for name in spec.hidden_fields),
        ]
        view = {
            "title": "Tasks",
            "type": "list",
            "target": "tasks",
            "filters": {"conjunction": "and", "items": []},
            "hiddenColumns": {
                "explore": hidden,
                "labeling": [*hidden, *(f"tasks:{name}" for name in _HIDDEN_BESIDE_A_TASK)],
            },
        }
        with suppress(LostConnection):  # a list as Label Studio makes it will do
            views.create(project=project.number, data=ViewDataRequestRequest.model_validate(view))


def mark(name: str, form: str) -> str:
    """The line in a description that says which project it is, and which form acbench gave it."""
    return f"[acbench {quote(name)} form {_form_digest(form)}]"


def _settings(spec: ProjectSpec, form: str) -> ProjectSettings:
    """What a project is held to, whether it is new or not."""
    about = spec.description.replace("[", "(").replace("]", ")")  # brackets could be taken for the mark
    return {
        "description": f"{about}\nacbench finds it by this line: {mark(spec.name, form)}".lstrip(),
        "label_config": form,
        "expert_instruction": spec.instructions,
        "show_instruction": False,
        "show_collab_predictions": False,  # with them, each next task would have its form filled in
        "enable_empty_annotation": False,
    }


def _tool_project(project: SdkProject) -> ToolProject:
    mark = _mark(project)
    return ToolProject(
        number=int(project.id or 0),
        uid=digest(int(project.id or 0), _moment(project.created_at), length=8),
        title=str(project.title),
        tasks=int(project.task_number or 0),
        annotators=int(project.maximum_annotations or 1),
        form_is_ours=mark is not None and mark[2] == _form_digest(project.label_config or ""),
    )


def _mark(project: SdkProject) -> re.Match[str] | None:
    return _MARK.search(project.description or "")


def _moment(moment: datetime | None) -> str:
    """A time as Label Studio writes it: it is part of `ToolProject.uid`, which kept reviews name."""
    return "" if moment is None else moment.isoformat().replace("+00:00", "Z")


def _form_digest(form: str) -> str:
    """8 hex of what a form says, however it is spaced; empty for a form that cannot be read."""
    try:
        return digest(Xml.canonicalize(form[:MAX_FORM], strip_text=True), length=8)
    except Xml.ParseError:
        return ""
