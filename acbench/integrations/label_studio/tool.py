"""A review desk in Label Studio, through its bulk endpoints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as Xml

from acbench.errors import AnnotationToolError, LostConnection
from acbench.integrations.label_studio.http import Http
from acbench.review.annotation_tool import AnnotatedTask, Annotation, ExistingTask, ProjectSpec, Task, ToolProject
from acbench.schema.form import EMPTY
from acbench.storage.digests import digest

PAGE = 5000
"""Tasks in one answer when they are listed."""
UPLOADS = 50
"""Pictures in one request."""
MAX_FORM = 1 << 20
"""Characters of a form that is looked at."""
_ALBUM = '<View><Image name="image" value="$image"/></View>'
_UNLISTED = (
    *("inner_id", "total_predictions", "predictions_score", "predictions_model_versions", "predictions_results"),
    *("annotations_results", "annotations_ids", "avg_lead_time", "draft_exists", "file_upload", "storage_filename"),
    *("created_at", "updated_at", "updated_by"),
)
"""Columns of Label Studio's own that its list of tasks does not show."""
_UNLISTED_BESIDE = ("id", "completed_at", "cancelled_annotations", "annotators")
"""Others that the narrow list beside a task does not show."""
_MARK = re.compile(r"\[acbench (\S+) form ([0-9a-f]{8})\]")


class LabelStudio:
    """The desk on one server.

    `served`: the folder whose pictures the server shows from its own disk; None if they have to be sent to it.
    """

    def __init__(self, url: str, key: str, *, served: Path | None) -> None:
        self.url = url
        self._http = Http(url, key)
        self._served = served
        try:
            self._http.check_version()
            self._http.get("/api/current-user/whoami")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._http.close()

    # Projects

    def find(self, name: str) -> ToolProject | None:
        """The project of that name; None if there is none. Raises DeskError if there are two."""
        found = self._named(name)
        return None if found is None else self._project(found)

    def open(self, wanted: ProjectSpec, *, restore_form: bool = False) -> ToolProject:
        """The project as wanted, made if there is none. Raises DeskError if people changed its form, unless
        `restore_form`."""
        new = {
            **self._settings(wanted),
            "title": _title(wanted.title),
            "maximum_annotations": wanted.annotators or 1,
            "sampling": "Sequential sampling",
            "show_skip_button": True,
        }
        row = self._made(wanted.name, new)
        project = self._project(row)
        if not project.form_is_ours and not restore_form:
            raise AnnotationToolError(
                f"the labelling form of project {project.number}, {project.title!r}, was edited by hand",
                "undo it under Settings > Labeling Interface, or put acbench's form back: --restore-form",
            )
        settings = self._settings(wanted) | (
            {"maximum_annotations": wanted.annotators} if wanted.annotators is not None else {}
        )
        if row.get("model_version") not in (None, "", EMPTY):
            settings["model_version"] = ""  # what is sent next will set it
        changed = {key: value for key, value in settings.items() if row.get(key) != value}
        if changed:
            row = self._change(project, changed)
        self._list(project, wanted)
        return self._project(row)

    def _made(self, name: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The project of that name, made if there is none."""
        row = self._named(name)
        if row is None:
            with suppress(LostConnection):  # it may have been made all the same: whoever looks will see
                self._http.send("POST", "/api/projects/", json=dict(settings))
            row = self._named(name)
        if row is None:
            raise LostConnection(f"{self.url} made no project for {name}", "run again")
        return row

    def _change(self, project: ToolProject, changed: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            row: Mapping[str, Any] = self._http.send("PATCH", f"/api/projects/{project.number}/", json=dict(changed))
        except AnnotationToolError as error:
            if "label_config" in changed and " 400" in error.message:
                raise AnnotationToolError(
                    f"project {project.number}, {project.title!r}, cannot take the current form: {error.message}",
                    "bring its decisions home (acbench review pull), delete the project in Label Studio, push again",
                ) from None
            raise
        return row

    def _list(self, project: ToolProject, wanted: ProjectSpec) -> None:
        """Give a project that nobody has looked at yet a list of its tasks without the columns that are not wanted."""
        if self._http.get("/api/dm/views/", project=project.number):
            return
        hidden = [*(f"tasks:{name}" for name in _UNLISTED), *(f"tasks:data.{name}" for name in wanted.unlisted)]
        view = {
            "title": "Tasks",
            "type": "list",
            "target": "tasks",
            "filters": {"conjunction": "and", "items": []},
            "hiddenColumns": {
                "explore": hidden,
                "labeling": [*hidden, *(f"tasks:{name}" for name in _UNLISTED_BESIDE)],
            },
        }
        with suppress(LostConnection):  # a list as Label Studio makes it will do
            self._http.send("POST", "/api/dm/views/", json={"project": project.number, "data": view})

    def _settings(self, wanted: ProjectSpec) -> dict[str, Any]:
        return {
            # brackets in the words could be taken for the line that the project is found by
            "description": f"{wanted.words.replace('[', '(').replace(']', ')')}\nacbench finds it by this line:"
            f" [acbench {quote(wanted.name)} form {_form_digest(wanted.form)}]".lstrip(),
            "label_config": wanted.form,
            "expert_instruction": wanted.instructions,
            "show_instruction": False,
            "show_collab_predictions": False,  # or each next task would have its form filled in with them
            "enable_empty_annotation": False,
        }

    def _named(self, name: str) -> Mapping[str, Any] | None:
        found = []
        page = 1
        while True:
            answer = self._http.get("/api/projects/", page=page, page_size=100)
            rows = answer["results"] if isinstance(answer, dict) else answer
            for row in rows:
                mark = _MARK.search(str(row.get("description") or ""))
                if mark is not None and mark[1] == quote(name):
                    found.append(row)
            if not isinstance(answer, dict) or not answer.get("next"):
                break
            page += 1
        if len(found) > 1:
            numbers = " and ".join(str(row["id"]) for row in found)
            raise AnnotationToolError(
                f"projects {numbers} on {self.url} are both the desk of {name}",
                "keep the one that people work in, and take the line [acbench …] out of the description of the other",
            )
        return found[0] if found else None

    @staticmethod
    def _project(row: Mapping[str, Any]) -> ToolProject:
        mark = _MARK.search(str(row.get("description") or ""))
        return ToolProject(
            number=int(row["id"]),
            uid=digest(int(row["id"]), str(row["created_at"]), length=8),
            title=str(row["title"]),
            tasks=int(row.get("task_number") or 0),
            annotators=int(row.get("maximum_annotations") or 1),
            form_is_ours=mark is not None and mark[2] == _form_digest(str(row.get("label_config", ""))),
        )

    # Tasks

    def standing(self, project: ToolProject, *, drafts: bool = False) -> list[ExistingTask]:
        """Every task of a project, oldest first, without what it says. Counting `drafts` too takes long."""
        found: list[ExistingTask] = []
        page = 1
        include = "id,data,total_annotations,cancelled_annotations,drafts"
        fields = "all" if drafts else "task_only"  # without which drafts come empty
        while True:
            answer = self._http.get(
                "/api/tasks/", project=project.number, page=page, page_size=PAGE, fields=fields, include=include
            )
            for row in answer["tasks"]:
                touched = int(row.get("total_annotations") or 0) + int(row.get("cancelled_annotations") or 0)
                found.append(
                    ExistingTask(
                        number=int(row["id"]),
                        key=_key(row.get("data")),
                        annotations=touched + len(row.get("drafts") or ()),
                    )
                )
            if len(found) >= int(answer["total"]) or not answer["tasks"]:
                return sorted(found, key=lambda each: each.number)
            page += 1

    def send(self, project: ToolProject, tasks: Sequence[Task]) -> None:
        """Put tasks on the desk: all, or none. What is there already is not looked for."""
        answer = self._http.send(
            "POST", f"/api/projects/{project.number}/import", json=[task.payload() for task in tasks]
        )
        taken = answer.get("task_count") if isinstance(answer, dict) else None
        if taken != len(tasks):
            raise AnnotationToolError(
                f"{self.url} took {taken} of {len(tasks)} tasks", "run again: what is missing is sent"
            )

    def remove(self, project: ToolProject, numbers: Sequence[int]) -> None:
        """Take tasks away."""
        selected = {"all": False, "included": list(numbers)}
        self._http.send(
            "POST",
            "/api/dm/actions",
            params={"id": "delete_tasks", "project": project.number},
            json={"selectedItems": selected},
        )

    def answers(self, project: ToolProject) -> list[AnnotatedTask]:
        """Every task with its annotations."""
        rows = self._http.get(f"/api/projects/{project.number}/export", exportType="JSON", download_all_tasks="true")
        return [
            AnnotatedTask(
                number=int(row["id"]),
                data=row["data"] if isinstance(row.get("data"), dict) else {},
                annotations=[self._annotation(each) for each in row.get("annotations") or ()],
                drafts=len(row.get("drafts") or ()),
            )
            for row in rows
        ]

    def _annotation(self, row: Mapping[str, Any]) -> Annotation:
        seconds = row.get("lead_time")
        result = row.get("result")
        return Annotation(
            number=int(row["id"]),
            author=self._author(row.get("completed_by")),
            result=result if isinstance(result, list) else [],
            skipped=bool(row.get("was_cancelled")),
            seconds=float(seconds) if isinstance(seconds, int | float) else None,
            when=_moment(str(row.get("updated_at") or row.get("created_at") or "")),
        )

    def _author(self, who: Any) -> str:
        number = who.get("id") if isinstance(who, dict) else who
        return self._people.get(number, f"user {number}") if isinstance(number, int) else "unknown"

    @cached_property
    def _people(self) -> dict[int, str]:
        """User → the part of the address before the @; of two who share it, the newer one has a number."""
        found: dict[int, str] = {}
        for row in sorted(self._http.get("/api/users/"), key=lambda each: int(each["id"])):
            name = str(row.get("email") or row.get("username") or "").partition("@")[0] or f"user {row['id']}"
            found[int(row["id"])] = f"{name}.{row['id']}" if name in found.values() else name
        return found

    # Pictures

    def pictures(self, project: ToolProject, paths: Iterable[Path]) -> dict[Path, str]:
        """The address of each picture, such that the desk can show it."""
        wanted = sorted(set(paths))
        if self._served is None:
            return self._uploaded(wanted)
        for folder in sorted({path.parent for path in wanted}):
            self._share(project, folder)
        served = self._served
        return {path: f"/data/local-files/?d={quote(path.relative_to(served).as_posix())}" for path in wanted}

    def _share(self, project: ToolProject, folder: Path) -> None:
        """Let a project show the pictures of a folder."""
        there = self._http.get("/api/storages/localfiles", project=project.number)
        if not any(row.get("path") == str(folder) for row in there):
            content = {"project": project.number, "path": str(folder), "title": "pictures", "use_blob_urls": True}
            self._http.send("POST", "/api/storages/localfiles", json=content)

    def _uploaded(self, paths: Sequence[Path]) -> dict[Path, str]:
        """Send what was not sent before. Names hold a hash of what is shown, so one name is one picture."""
        place = f"/api/projects/{self._album}"
        known = self._known_uploads(place)
        missing = [path for path in paths if path.name not in known]
        for start in range(0, len(missing), UPLOADS):
            part = missing[start : start + UPLOADS]
            files = [(path.name, (path.name, path.read_bytes(), "image/jpeg")) for path in part]
            self._http.send("POST", f"{place}/import", params={"commit_to_project": "false"}, files=files)
        known = self._known_uploads(place) if missing else known
        if unsent := [path.name for path in paths if path.name not in known]:
            raise AnnotationToolError(
                f"{self.url} did not take {unsent[0]} and {len(unsent) - 1} other pictures", "run again"
            )
        return {path: known[path.name] for path in paths}

    @cached_property
    def _album(self) -> int:
        """The project that pictures are sent to: one whose form shows more than one takes none."""
        settings = {
            "title": "acbench: pictures",
            "description": "Holds the pictures that acbench's projects show: leave it be. [acbench pictures form"
            f" {_form_digest(_ALBUM)}]",
            "label_config": _ALBUM,
        }
        return int(self._made("pictures", settings)["id"])

    def _known_uploads(self, place: str) -> dict[str, str]:
        """Name of each picture that was sent before → its address. The server puts 8 hex before the name."""
        rows = self._http.get(f"{place}/file-uploads", all="true")
        return {str(row["file"]).rpartition("/")[2].partition("-")[2]: f"/data/{row['file']}" for row in rows}


def check(form: str) -> Callable[[Mapping[str, Any]], Sequence[str]]:
    """The judge of predictions for a form: gives what is wrong with one."""
    from label_studio_sdk.label_interface.interface import LabelInterface

    judge = LabelInterface(form)
    verdicts: dict[str, list[str]] = {}

    def judged(prediction: Mapping[str, Any]) -> Sequence[str]:
        score = prediction.get("score")
        if score is not None and not 0 <= score <= 1:
            return [f"its score {score} is not between 0 and 1"]
        answer = json.dumps(prediction.get("result"), sort_keys=True)
        if answer not in verdicts:  # few answers differ, and judging one takes as long as sending it
            verdicts[answer] = list(judge.validate_prediction(dict(prediction), return_errors=True))  # type: ignore[no-untyped-call]
        return verdicts[answer]

    return judged


def _form_digest(form: str) -> str:
    """8 hex of what a form says, however it is spaced; of no form if it cannot be read."""
    try:
        return digest(Xml.canonicalize(form[:MAX_FORM], strip_text=True), length=8)
    except Xml.ParseError:
        return ""


def _title(title: str) -> str:
    return title[:50].ljust(3, ".")


def _key(data: Any) -> tuple[str, int] | None:
    if not isinstance(data, dict):
        return None
    item, turn = data.get("item_id"), data.get("round")
    return (item, turn) if isinstance(item, str) and type(turn) is int else None


def _moment(text: str) -> str:
    """UTC to the second."""
    found = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text)
    return f"{found[0]}+00:00" if found else ""
