"""Puts tasks into an annotation tool, each once, even if a connection is lost or a push is killed in between.

Each batch is written down before it is sent. A push that finds such a note after a crash, a kill or a lost connection
cannot know whether the tool has taken the batch or is still at work on it. So it looks until the batch is there, or
until the tool has had as much time as it could need, and sends only what is missing. If a tool takes even longer, the
next push finds some tasks twice and removes the copies that nobody has touched.
"""

from __future__ import annotations

import json
import shlex
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from acbench._util.backoff import Backoff
from acbench._util.console import Progress
from acbench.errors import LostConnection
from acbench.review.annotation_tool import AnnotationTool, ExistingTask, Task, TaskKey, ToolProject
from acbench.storage.atomic import write_bytes
from acbench.storage.typed_json import read_if_there

BATCH_TASKS = 1000
"""Tasks in one request, at most."""
BATCH_BYTES = 16 << 20
"""Bytes of one request as JSON, at most."""
BATCH_SECONDS = 30.0
"""Seconds after which a batch that is not in the tool will not come any more."""
LOST_IN_A_ROW = 3
"""How many lost connections in a row a push goes on after."""
LOOK_AGAIN = Backoff(first=1.0, most=4.0)
"""Waits between two looks at what the tool holds."""

ExistingTasks = Mapping[TaskKey, Sequence[ExistingTask]]
"""The tasks of a project by key; several of one key are copies."""


@dataclass(slots=True, kw_only=True)
class PushResult:
    """What came of pushing to one project, in tasks."""

    sent: int = 0
    there: int = 0
    """Were in the tool already."""
    blind: int = 0
    """Sent without proposals."""
    held: int = 0
    """Wait until an earlier round of the same image is decided."""
    removed: int = 0
    """Were in the tool twice, and nobody had touched them."""
    twice: int = 0
    """Are in the tool twice, and people have worked on both copies."""

    def add(self, other: PushResult) -> None:
        """Add what came of another project."""
        for name in (each.name for each in fields(self)):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class BatchNote:
    """A file that says which batch is on its way to the tool."""

    path: Path
    seconds: float = BATCH_SECONDS
    """How long the tool may take for a batch."""

    def write(self, project: ToolProject, tasks: Iterable[Task]) -> None:
        """Note that a batch is about to be sent."""
        content = {"project": project.uid, "sent": time.time(), "keys": [task.key for task in tasks]}
        write_bytes(self.path, json.dumps(content).encode())

    def clear(self) -> None:
        """Note that no batch is on its way."""
        self.path.unlink(missing_ok=True)

    def pending(self, project: ToolProject) -> PendingBatch | None:
        """The batch of the project that is on its way; None for none. Raises StorageError for a damaged file."""
        content = read_if_there(self.path, _Sent, hint=f"wait a minute, then: rm {shlex.quote(str(self.path))}")
        if content is None:
            return None
        batch = PendingBatch(frozenset(content.keys), content.sent, self.seconds)
        return batch if content.project == project.uid else None


@dataclass(frozen=True, slots=True)
class _Sent:
    """The file about a batch that is on its way."""

    project: str
    sent: float
    keys: tuple[TaskKey, ...]


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch that was sent, and nobody knows whether it arrived."""

    keys: frozenset[TaskKey]
    sent: float
    """Seconds since the epoch."""
    seconds: float
    """How long the tool may take for it."""

    def is_over(self, existing: ExistingTasks) -> bool:
        """Whether the batch is in the tool, or will not come any more."""
        return self.keys <= existing.keys() or not 0 <= time.time() - self.sent < self.seconds


def push(
    tool: AnnotationTool,
    project: ToolProject,
    tasks: Sequence[Task],
    note: BatchNote,
    *,
    progress: Progress = lambda done, total: None,
    batch_tasks: int = BATCH_TASKS,
    elsewhere: Mapping[TaskKey, bool] | None = None,
) -> PushResult:
    """Bring each task into the tool once. Raises LostConnection if the tool does not come back: then run again.

    `elsewhere`: tasks of the same images in other projects → whether enough people have worked on them.
    """
    pusher = _Pusher(tool, project, note, batch_tasks)
    existing = pusher.existing()
    done = {**(elsewhere or {}), **worked_on(existing, project)}
    result = PushResult(there=sum(task.key in done for task in tasks))
    missing = [task for task in tasks if task.key not in done and not _is_held(task, done)]
    result.held = len(tasks) - result.there - len(missing)
    while missing:
        sent = pusher.send_some(missing)
        keys = {task.key for task in sent}
        missing = [task for task in missing if task.key not in keys]
        result.sent += len(sent)
        result.blind += sum(bool(task.data.get("blind")) for task in sent)
        progress(result.sent, result.sent + len(missing))
    result.removed, result.twice = pusher.remove_copies()
    return result


@dataclass(slots=True)
class _Pusher:
    """Sends batches to one project, and knows what is there."""

    tool: AnnotationTool
    project: ToolProject
    note: BatchNote
    batch_tasks: int
    lost: int = 0
    """Connections lost in a row while sending."""
    known: ExistingTasks = field(default_factory=dict)
    """What the tool held at the last look."""

    def existing(self) -> ExistingTasks:
        """What the tool holds, once no batch of an earlier push is on its way."""
        if self.note.pending(self.project):
            return self._after_batch()
        self.known = by_key(self.tool.existing_tasks(self.project) if self.project.tasks else [])
        return self.known

    def send_some(self, tasks: Sequence[Task]) -> list[Task]:
        """Send the first tasks that fit into one request; gives those that are in the tool now."""
        batch = _first_batch(tasks, self.batch_tasks)
        self.note.write(self.project, batch)
        try:
            self.tool.send(self.project, batch)
        except LostConnection:
            self.lost += 1
            if self.lost > LOST_IN_A_ROW:
                raise
            existing = self._after_batch()
            batch = [task for task in batch if task.key in existing]
        else:
            self.lost = 0
        self.note.clear()
        return batch

    def remove_copies(self) -> tuple[int, int]:
        """Remove untouched copies of tasks; gives their number, and how many tasks people have worked on twice."""
        known = self.known
        if any(len(copies) > 1 for copies in known.values()):
            known = by_key(self.tool.existing_tasks(self.project, drafts=True))
        spare: list[int] = []
        twice = 0
        for copies in known.values():
            keep = [task for task in copies if task.annotations] or copies[:1]
            twice += len(keep) > 1
            spare += [task.number for task in copies if task not in keep]
        if spare:
            self.tool.remove(self.project, spare)
        return len(spare), twice

    def _after_batch(self) -> ExistingTasks:
        """What the tool holds, once the batch on its way is there or will not come any more."""
        batch = self.note.pending(self.project)
        lost = looks = 0
        while True:
            try:
                self.known = by_key(self.tool.existing_tasks(self.project))
            except LostConnection:
                lost += 1
                if lost > LOST_IN_A_ROW:
                    raise
            else:
                if batch is None or batch.is_over(self.known):
                    self.note.clear()
                    return self.known
            looks += 1
            time.sleep(LOOK_AGAIN.seconds(looks))


def by_key(tasks: Iterable[ExistingTask]) -> ExistingTasks:
    """The tasks that acbench made, by key."""
    table: defaultdict[TaskKey, list[ExistingTask]] = defaultdict(list)
    for task in tasks:
        if task.key is not None:
            table[task.key].append(task)
    return dict(table)


def worked_on(existing: ExistingTasks, project: ToolProject) -> dict[TaskKey, bool]:
    """Task of a project → whether enough people have worked on every copy of it."""
    return {key: all(copy.annotations >= project.annotators for copy in copies) for key, copies in existing.items()}


def _is_held(task: Task, done: Mapping[TaskKey, bool]) -> bool:
    """Whether an earlier round of the image is in the tool, and not enough people have decided it."""
    return not all(done.get((task.item_id, number), True) for number in range(1, task.round))


def _first_batch(tasks: Sequence[Task], most: int) -> list[Task]:
    """The first tasks that fit into one request: `most` at most, and at least one."""
    size = 0
    batch: list[Task] = []
    for task in tasks[:most]:
        size += len(json.dumps(task.payload()))
        if batch and size > BATCH_BYTES:
            break
        batch.append(task)
    return batch
