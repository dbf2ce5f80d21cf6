"""Works with a project's Label Studio: finds or starts its server, pushes and pulls."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from acbench.errors import AnnotationToolError
from acbench.integrations.label_studio import server as servers
from acbench.integrations.label_studio.tool import LabelStudio
from acbench.integrations.label_studio.validation import prediction_check
from acbench.review.askable import SERVICE
from acbench.review.pull import PullResult
from acbench.review.push import PushResult
from acbench.storage.atomic import sweep
from acbench.storage.project import Project
from acbench.workflows import annotate
from acbench.workflows.annotate import PushOptions
from acbench.workflows.label import label, prepare
from acbench.workflows.queue import Queue, rank
from acbench.workflows.relabel import relabel
from acbench.workflows.run import Run

URL, KEY = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"
"""Variables that name a server and a user's key."""
PASSWORD = "LABEL_STUDIO_PASSWORD"  # noqa: S105  (the variable's name)
"""Variable with the password of an account that is made; one is made up where it is not set."""


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What a push did."""

    results: Mapping[str, PushResult] = field(default_factory=dict)
    """Category → what came of its tasks; empty if nothing waits for people."""
    url: str
    """Where people decide."""


@contextmanager
def serving(
    project: Project, *, port: int, host: str = servers.HOST, public: str = ""
) -> Iterator[tuple[servers.Server, subprocess.Popen[bytes]]]:
    """Run the project's own server until the context ends. Raises AnnotationToolError."""
    server, process = servers.start(project.annotation_tool, _pictures(project), port=port, host=host, public=public)
    try:
        yield server, process
    finally:
        servers.stop(process, project.annotation_tool)


@contextmanager
def connected(project: Project, *, own_only: bool = False) -> Iterator[LabelStudio]:
    """The server that the environment names, or the one that `serve` started for this project, or only that one.

    Raises AnnotationToolError if there is neither, LostConnection if it does not answer.
    """
    own = servers.running(project.annotation_tool)
    url, key = (None, None) if own_only else (os.environ.get(URL), os.environ.get(KEY))
    if url is None and own is not None:
        url, key = own.url, own.key
    if url is None:
        raise AnnotationToolError(
            "no Label Studio runs for this project",
            f"start one and leave it running: acbench review serve; or set {URL} and {KEY} to your team's",
        )
    if key is None:
        raise AnnotationToolError(f"{KEY} is not set", f"copy the key from Account & Settings at {url}: export {KEY}=…")
    is_own = own is not None and url.rstrip("/") == own.url
    served, public = (_pictures(project), own.public) if is_own and own else (None, "")
    tool = LabelStudio(url, key, served=served, public=public)
    try:
        yield tool
    finally:
        tool.close()


def push(run: Run, options: PushOptions) -> Pushed:
    """Rank what waits for people, and put it into Label Studio."""
    with connected(run.files.project) as tool:
        return push_queue(run, tool, rank(run, label(run, prepare(run))), options)


def pull(run: Run, claim: str | None = None) -> PullResult:
    """Bring home what people decided in Label Studio, and make labels of it.

    `claim`: who decided what was decided under the server's own account. Raises AnnotationToolError if that is nobody.
    """
    if claim is not None and (not claim.strip() or claim == SERVICE):
        raise AnnotationToolError(f"{claim!r} is nobody's name", "give the name of the person who decided")
    with connected(run.files.project) as tool:
        proposed = prepare(run)
        result = annotate.pull(run, tool, proposed.dataset, claim)
    relabel(run, proposed)  # so that status and report tell of it
    return result


def push_queue(run: Run, tool: LabelStudio, queue: Queue, options: PushOptions) -> Pushed:
    """Put a queue into a server that is connected."""
    sweep(run.files.task_pictures)
    return Pushed(results=annotate.push(run, tool, queue, options, prediction_check), url=tool.url)


def _pictures(project: Project) -> Path:
    return project.annotation_tool / "pictures"
