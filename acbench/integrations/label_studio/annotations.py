"""Reads what people decided in a project of Label Studio, all tasks in one request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from acbench.integrations.label_studio.http import Connection
from acbench.integrations.label_studio.people import People
from acbench.review.annotation_tool import AnnotatedTask, Annotation, ToolProject

Row = Mapping[str, object]
"""A task or an annotation, as the server exports it."""


@dataclass(frozen=True)
class Annotations:
    """The annotations of all projects of one server."""

    connection: Connection
    people: People

    def of(self, project: ToolProject) -> list[AnnotatedTask]:
        export = self.connection.sdk.projects.exports.download_sync(
            project.number, export_type="JSON", download_all_tasks=True
        )
        return [self._task(row) for row in json.loads(b"".join(export))]

    def _task(self, row: Row) -> AnnotatedTask:
        data = row.get("data")
        return AnnotatedTask(
            number=_number(row["id"]),
            data=data if isinstance(data, dict) else {},
            annotations=[self._annotation(annotation) for annotation in _list(row.get("annotations"))],
            drafts=len(_list(row.get("drafts"))),
        )

    def _annotation(self, row: Row) -> Annotation:
        seconds = row.get("lead_time")
        return Annotation(
            number=_number(row["id"]),
            author=self._author(row.get("completed_by")),
            result=_list(row.get("result")),
            skipped=bool(row.get("was_cancelled")),
            seconds=float(seconds) if isinstance(seconds, int | float) else None,
            when=_to_the_second(str(row.get("updated_at") or row.get("created_at") or "")),
        )

    def _author(self, user: object) -> str:
        number = user.get("id") if isinstance(user, dict) else user
        return self.people.names.get(number, f"user {number}") if isinstance(number, int) else "unknown"


def _list(value: object) -> list[dict[str, object]]:
    """A list, empty for anything else."""
    return value if isinstance(value, list) else []


def _number(value: object) -> int:
    return int(str(value))


def _to_the_second(text: str) -> str:
    """A time in UTC without fractions; empty for what is no time."""
    moment = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text)
    return f"{moment[0]}+00:00" if moment else ""
