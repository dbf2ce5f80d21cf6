"""Puts tasks on the desk, each once, whatever crashes in between.

Before a batch is sent, it is written down. Whoever finds such a note left behind, after a crash, a kill or a lost
connection, does not know whether the desk has taken the batch or is still at it: so they look until it is there or as
much time has passed as the desk could need, and send only what is missing. Should a desk have taken longer still, the
next push finds a task twice and takes away the one that nobody has touched.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from acbench._util.console import Progress
from acbench.errors import LostConnection, StorageError
from acbench.review.annotation_tool import AnnotationTool, ExistingTask, Key, Task, ToolProject
from acbench.storage.atomic import write_bytes

BATCH = 1000
"""Tasks in one request, at most."""
BATCH_BYTES = 16 << 20
"""Of one request, at most, as JSON."""
SETTLE = 30.0
"""Seconds after which a batch that is not there will not come any more."""
TRIES = 3
"""So many lost connections in a row are borne."""
_PAUSE = 0.5


@dataclass(slots=True, kw_only=True)
class PushResult:
    """What came of pushing to one project."""

    sent: int = 0
    there: int = 0
    """Were on the desk already."""
    blind: int = 0
    """Of those sent."""
    held: int = 0
    """Wait until an earlier round of the same image is decided."""
    removed: int = 0
    """Were on the desk twice, and nobody had touched them."""
    twice: int = 0
    """Are on the desk twice, and people have worked on both."""


def push(
    desk: AnnotationTool,
    project: ToolProject,
    tasks: Sequence[Task],
    note: Note,
    *,
    progress: Progress = lambda done, total: None,
    settle: float = SETTLE,
    batch: int = BATCH,
) -> PushResult:
    """See that each task is on the desk once. Raises LostConnection if the desk stays away: then run again."""
    result = PushResult()
    standing = desk.standing(project) if project.tasks or note.left(project) else []
    if note.left(project):
        standing = _settled(desk, project, note, settle)
    there = _by_key(standing)
    result.there = sum(task.key in there for task in tasks)
    missing = [task for task in tasks if task.key not in there and not _held(task, there, project)]
    result.held = len(tasks) - result.there - len(missing)
    lost = 0
    while missing:
        part = _first(missing, batch)
        note.write(project, part)
        try:
            desk.send(project, part)
        except LostConnection:
            lost += 1
            if lost > TRIES:
                raise
            there = _by_key(_settled(desk, project, note, settle))
            part = [task for task in part if task.key in there]
        else:
            lost = 0
        note.clear()
        sent = {task.key for task in part}
        missing = [task for task in missing if task.key not in sent]
        result.sent += len(part)
        result.blind += sum(bool(task.data.get("blind")) for task in part)
        progress(result.sent, result.sent + len(missing))
    result.removed, result.twice = _mend(desk, project, there)
    return result


class Note:
    """The file that says what is under way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, project: ToolProject, tasks: Iterable[Task]) -> None:
        """A batch is about to be sent."""
        content = {"project": project.uid, "sent": time.time(), "keys": [task.key for task in tasks]}
        write_bytes(self.path, json.dumps(content).encode())

    def clear(self) -> None:
        """Its fate is known."""
        self.path.unlink(missing_ok=True)

    def left(self, project: ToolProject) -> tuple[float, set[Key]] | None:
        """When a batch of the project was sent whose fate is not known, and what was in it."""
        if not self.path.exists():
            return None
        try:
            content = json.loads(self.path.read_bytes())
            sent, keys = float(content["sent"]), {(str(item), int(turn)) for item, turn in content["keys"]}
            return (sent, keys) if content["project"] == project.uid else None
        except (ValueError, TypeError, KeyError) as error:
            raise StorageError(f"{self.path} is damaged: {error}", f"wait a minute, then: rm {self.path}") from None


def _settled(desk: AnnotationTool, project: ToolProject, note: Note, settle: float) -> list[ExistingTask]:
    """What is on the desk once the batch under way is there or will not come any more."""
    left = note.left(project)
    sent, keys = left or (0.0, set())
    patience = TRIES
    while True:
        try:
            standing = desk.standing(project)
        except LostConnection:
            patience -= 1
            if patience < 0:
                raise
            time.sleep(_PAUSE)
            continue
        waited = time.time() - sent
        if keys <= _by_key(standing).keys() or not 0 <= waited < settle:
            note.clear()
            return standing
        time.sleep(_PAUSE)


def _by_key(standing: Iterable[ExistingTask]) -> dict[Key, list[ExistingTask]]:
    table: defaultdict[Key, list[ExistingTask]] = defaultdict(list)
    for each in standing:
        if each.key is not None:
            table[each.key].append(each)
    return dict(table)


def _held(task: Task, there: dict[Key, list[ExistingTask]], project: ToolProject) -> bool:
    """Whether an earlier round of the image is on the desk and still wants people."""
    earlier = (there.get((task.item_id, turn), ()) for turn in range(1, task.round))
    return any(each.annotations < project.annotators for those in earlier for each in those)


def _first(tasks: Sequence[Task], most: int) -> list[Task]:
    """As many as go into one request."""
    size = 0
    part: list[Task] = []
    for task in tasks[:most]:
        size += len(json.dumps(task.payload()))
        if part and size > BATCH_BYTES:
            break
        part.append(task)
    return part


def _mend(desk: AnnotationTool, project: ToolProject, there: dict[Key, list[ExistingTask]]) -> tuple[int, int]:
    """Take away untouched tasks that are there twice; gives their number, and that of those people worked on twice."""
    spare: list[int] = []
    twice = 0
    if any(len(those) > 1 for those in there.values()):
        there = _by_key(desk.standing(project, drafts=True))
    for those in there.values():
        if len(those) > 1:
            worked = [each for each in those if each.annotations]
            keep = worked or those[:1]
            twice += len(keep) > 1
            spare += [each.number for each in those if each not in keep]
    if spare:
        desk.remove(project, spare)
    return len(spare), twice
