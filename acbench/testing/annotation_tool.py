"""A fake annotation tool in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from acbench.errors import AnnotationToolError
from acbench.review.annotation_tool import (
    LATER,
    AnnotatedTask,
    Annotation,
    ExistingTask,
    ProjectSpec,
    Task,
    ToolProject,
)
from acbench.testing.failures import Calls, FailurePlan, never


@dataclass
class _Project:
    spec: ProjectSpec
    facts: ToolProject
    form: str
    tasks: dict[int, Task] = field(default_factory=dict)
    annotations: dict[int, list[Annotation]] = field(default_factory=dict)
    drafts: dict[int, int] = field(default_factory=dict)


class FakeAnnotationTool:
    """An `AnnotationTool` in memory. Like Label Studio, it takes a task as often as it is sent.

    `annotate`, `draft` and `edit_form` do what people do in the tool. `plan` decides which calls of the protocol's
    methods fail, and whether their work is done all the same.
    """

    def __init__(self, plan: FailurePlan = never) -> None:
        self.calls = Calls(plan)
        self._projects: dict[str, _Project] = {}
        self._last_number = 0

    # The protocol

    def find(self, name: str) -> ToolProject | None:
        end = self.calls.begin("find")
        project = self._projects.get(name)
        end()
        return None if project is None else self._facts(project)

    def later(self, name: str) -> list[ToolProject]:
        end = self.calls.begin("later")
        found = [self._facts(project) for key, project in self._projects.items() if key.startswith(f"{name}{LATER}")]
        end()
        return found

    def open(self, spec: ProjectSpec, *, restore_form: bool = False) -> ToolProject:
        end = self.calls.begin("open")
        project = self._projects.get(spec.name)
        if project is None:
            number = self._number()
            facts = ToolProject(
                number=number,
                uid=f"{number:08x}",
                title=spec.title,
                tasks=0,
                annotators=spec.annotators or 1,
                form_is_ours=True,
            )
            project = self._projects[spec.name] = _Project(spec, facts, spec.form)
        if project.form != project.spec.form and not restore_form:
            raise AnnotationToolError(f"the form of {spec.name} was edited by hand", "put it back: --restore-form")
        project.spec, project.form = spec, spec.form
        project.facts = replace(project.facts, annotators=spec.annotators or project.facts.annotators)
        end()
        return self._facts(project)

    def existing_tasks(self, project: ToolProject, *, drafts: bool = False) -> list[ExistingTask]:
        end = self.calls.begin("existing_tasks")
        kept = self._project(project)
        tasks = [
            ExistingTask(
                number=number,
                key=task.key,
                annotations=len(kept.annotations.get(number, ())) + (kept.drafts.get(number, 0) if drafts else 0),
            )
            for number, task in sorted(kept.tasks.items())
        ]
        end()
        return tasks

    def send(self, project: ToolProject, tasks: Sequence[Task]) -> None:
        end = self.calls.begin("send")
        self._project(project).tasks |= {self._number(): task for task in tasks}
        end()

    def remove(self, project: ToolProject, numbers: Sequence[int]) -> None:
        end = self.calls.begin("remove")
        kept = self._project(project)
        for number in numbers:
            del kept.tasks[number]
            kept.annotations.pop(number, None)
            kept.drafts.pop(number, None)
        end()

    def annotated_tasks(self, project: ToolProject) -> list[AnnotatedTask]:
        end = self.calls.begin("annotated_tasks")
        kept = self._project(project)
        tasks = [
            AnnotatedTask(
                number=number,
                data=task.data,
                annotations=list(kept.annotations.get(number, ())),
                drafts=kept.drafts.get(number, 0),
            )
            for number, task in sorted(kept.tasks.items())
        ]
        end()
        return tasks

    def pictures(self, project: ToolProject, paths: Iterable[Path]) -> dict[Path, str]:
        end = self.calls.begin("pictures")
        addresses = {path: f"/pictures/{path.name}" for path in paths}
        end()
        return addresses

    def unshown(self, address: str) -> str:
        end = self.calls.begin("unshown")
        end()
        return ""

    # What people do

    def annotate(self, project: ToolProject, task: int, *choices: str, author: str = "ada") -> None:
        """Decide a task by its number; without choices, skip it."""
        number = self._number()
        value = {"choices": list(choices)}
        chosen = [{"from_name": "labels", "to_name": "image", "type": "choices", "value": value}]
        annotation = Annotation(
            number=number,
            author=author,
            result=chosen if choices else [],
            skipped=not choices,
            seconds=7.25,
            when=f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}+00:00",
        )
        self._project(project).annotations.setdefault(task, []).append(annotation)

    def draft(self, project: ToolProject, task: int) -> None:
        """Begin to work at a task, by its number."""
        drafts = self._project(project).drafts
        drafts[task] = drafts.get(task, 0) + 1

    def edit_form(self, project: ToolProject, form: str) -> None:
        """Change the labelling form by hand."""
        self._project(project).form = form

    def _project(self, project: ToolProject) -> _Project:
        return next(kept for kept in self._projects.values() if kept.facts.number == project.number)

    def _facts(self, project: _Project) -> ToolProject:
        return replace(project.facts, tasks=len(project.tasks), form_is_ours=project.form == project.spec.form)

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number
