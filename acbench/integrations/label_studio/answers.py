"""Checks every answer of a Label Studio before anything reads it: what is asked of it, and of which types.

What stands at that address may be another program, another version or a sign-in page. So an answer that is not as a
Label Studio would give it is an error that says what is wrong with it, and where. The SDK itself checks nothing.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec

from acbench.errors import AnnotationToolError

MAX_SHOWN = 200
"""Characters of an answer, or of what is wrong with it, that are shown."""

Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
"""An id or a count."""
Object = dict[str, Any]


class _Version(msgspec.Struct):
    release: str


class _Token(msgspec.Struct):
    access: Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]+$")]


class _User(msgspec.Struct):
    id: Number
    email: str | None = None
    username: str | None = None


class _Invitation(msgspec.Struct):
    invite_url: str


class _Project(msgspec.Struct):
    id: Number
    title: str | None = None
    description: str | None = None
    label_config: str | None = None
    created_at: datetime | None = None
    task_number: Number | None = None
    maximum_annotations: Number | None = None
    model_version: str | None = None


class _ProjectPage(msgspec.Struct):
    results: list[_Project]
    next: str | None = None


class _Task(msgspec.Struct):
    id: Number
    data: Object
    total_annotations: Number | None = None
    cancelled_annotations: Number | None = None
    drafts: list[Any] | None = None


class _TaskPage(msgspec.Struct):
    tasks: list[_Task]
    total: Number


class _Imported(msgspec.Struct):
    task_count: Number


class _Author(msgspec.Struct):
    id: Number


class _Annotation(msgspec.Struct):
    id: Number
    completed_by: Number | _Author | None = None
    result: list[Any] | None = None
    lead_time: float | None = None
    was_cancelled: bool | None = None
    created_at: str | None = None
    updated_at: str | None = None


class _ExportedTask(msgspec.Struct):
    id: Number
    data: Object
    annotations: list[_Annotation] | None = None
    drafts: list[Any] | None = None


class _Upload(msgspec.Struct):
    id: Number
    file: str


class _Storage(msgspec.Struct):
    path: str | None = None


class _View(msgspec.Struct):
    id: Number


_SHAPES: tuple[tuple[str, str, Any], ...] = (
    ("GET", r"/api/version/?", _Version),
    ("POST", r"/api/token/refresh/", _Token),
    ("GET", r"/api/current-user/whoami/?", _User),
    ("GET", r"/api/users/?", list[_User]),
    ("GET", r"/api/invite/?", _Invitation),
    ("GET", r"/api/projects/?", _ProjectPage),
    ("POST", r"/api/projects/?", _Project),
    ("GET", r"/api/projects/\d+/?", _Project),
    ("PATCH", r"/api/projects/\d+/?", _Project),
    ("POST", r"/api/projects/\d+/import/?", _Imported),
    ("GET", r"/api/projects/\d+/export/?", list[_ExportedTask]),
    ("GET", r"/api/projects/\d+/file-uploads/?", list[_Upload]),
    ("GET", r"/api/tasks/?", _TaskPage),
    ("GET", r"/api/tasks/\d+/?", _Task),
    ("GET", r"/api/storages/localfiles/?", list[_Storage]),
    ("POST", r"/api/storages/localfiles/?", Object),
    ("GET", r"/api/dm/views/?", list[_View]),
    ("POST", r"/api/dm/views/?", Object),
    ("POST", r"/api/dm/actions/?", Object),
)
"""Method, end of the path, and what the answer must hold."""


def check(url: str, method: str, path: str, body: bytes) -> None:
    """Raise AnnotationToolError unless the server at `url` could have given this answer.

    `body`: the answer, whole. An answer to a request that is not known here must be JSON, or empty.
    """
    shape = next((each for verb, end, each in _SHAPES if verb == method and re.search(f"{end}$", path)), None)
    if shape is None and not body:
        return
    try:
        msgspec.json.decode(body, type=Any if shape is None else shape)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        what = _web_page(body) or f"is not a Label Studio that acbench knows: {method} {path}: {_said(error)}"
        raise AnnotationToolError(
            f"{url} {what}",
            "see that LABEL_STUDIO_URL is the address of your Label Studio, and that no sign-in page stands before it",
        ) from None


def is_json(body: bytes) -> bool:
    """Whether some bytes are JSON."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return False
    return True


def _web_page(body: bytes) -> str:
    """What an answer is, if it is a web page."""
    text = body[:4096].lstrip().lower()
    if not text.startswith((b"<!doctype html", b"<html")):
        return ""
    is_login = re.search(rb"sign.?in|log.?in|password", body[:65536], re.IGNORECASE)
    kind = "a sign-in page" if is_login else "a web page"
    return f"is not a Label Studio: its answer is not JSON, but {kind}"


def _said(error: Exception) -> str:
    text = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        text = f"its answer is not JSON ({text})"
    return " ".join(text.split())[:MAX_SHOWN]
