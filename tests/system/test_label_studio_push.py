"""Each task is on the desk once: with a real Label Studio, killed and cut off at batches."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from acbench.errors import AnnotationToolError, LostConnection, StorageError
from acbench.review.annotation_tool import Task, ToolProject
from acbench.review.push import BatchNote, push
from tests.support.commands import ROOT, finish, start
from tests.support.label_studio import RealDesk, annotate, desk_at, tasks, wanted
from tests.support.proxy import BEGUN, CUT, DROP, LATE, lossy_proxy

SETTLE = 2.5
"""Seconds: enough for this server and batches of `BATCH`."""
BATCH = 40
PUSHING = """
import sys
from pathlib import Path
from acbench.integrations.label_studio.tool import LabelStudio
from acbench.review.push import BatchNote, push
from tests.support.label_studio import tasks, wanted
url, key, folder, settle, batch = sys.argv[1:]
desk = LabelStudio(url, key, served=Path(folder))
push(desk, desk.open(wanted("killed")), tasks(400), BatchNote(Path(folder) / "note.json", float(settle)),
     batch_tasks=int(batch))
"""


def on_the_desk(desk: RealDesk, project: ToolProject) -> Counter[tuple[str, int]]:
    """How often each task is there, as the server itself says."""
    with desk.client() as client:
        answer = client.get("/api/tasks/", params={"project": project.number, "page_size": 10_000})
    return Counter((row["data"]["item_id"], row["data"]["round"]) for row in answer.json()["tasks"])


def each_once(count: int) -> Counter[tuple[str, int]]:
    return Counter(task.key for task in tasks(count))


@pytest.fixture
def note(tmp_path: Path) -> BatchNote:
    return BatchNote(tmp_path / "note.json", SETTLE)


@pytest.fixture
def own_desk(new_desk: Path, tmp_path: Path) -> Iterator[RealDesk]:
    """A server that may be killed."""
    with desk_at(new_desk, tmp_path / "desk") as found:
        yield found


def test_pushing_twice_sends_each_once_and_in_order(real_desk: RealDesk, note: BatchNote) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("twice"))
    first = push(desk, project, tasks(90), note, batch_tasks=BATCH)
    assert (first.sent, first.there, first.blind) == (90, 0, 9)
    again = push(desk, desk.open(wanted("twice")), tasks(100), note, batch_tasks=BATCH)
    assert (again.sent, again.there) == (10, 90)
    assert on_the_desk(real_desk, project) == each_once(100)
    keys = [each.key for each in desk.existing_tasks(project)]
    assert keys == [task.key for task in tasks(100)]
    assert not note.path.exists()


def test_predictions_arrive_with_their_version_and_score(real_desk: RealDesk, note: BatchNote) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("predictions"))
    push(desk, project, tasks(3), note)
    with real_desk.client() as client:
        found = client.get("/api/predictions/", params={"project": project.number}).json()
    assert [(row["model_version"], row["score"]) for row in found] == [("clip@00000000", 0.5)] * 2


@pytest.mark.parametrize("fate", [DROP, LATE])
def test_a_lost_answer_makes_no_duplicate(real_desk: RealDesk, note: BatchNote, fate: str) -> None:
    lost: list[str] = []

    def decide(method: str, path: str) -> str | None:
        if method != "POST" or len(lost) > 3 or (path.endswith("/import") and len(lost) % 2):
            return None
        lost.append(path)
        return fate

    with lossy_proxy(real_desk.url, decide) as url:
        desk = real_desk.desk(url)
        project = desk.open(wanted(f"lost {fate}")) if fate == DROP else real_desk.desk().open(wanted("lost late"))
        result = push(desk, project, tasks(100), note, batch_tasks=BATCH)
    assert lost
    assert (result.sent, result.removed) == (100, 0)
    assert on_the_desk(real_desk, project) == each_once(100)
    with real_desk.client() as client:
        rows = client.get("/api/projects/", params={"page_size": 100}).json()["results"]
    assert [row["title"] for row in rows].count(project.title) == 1


def test_later_than_anybody_waits_is_mended_by_the_next_push(real_desk: RealDesk, note: BatchNote) -> None:
    once = [True]
    with lossy_proxy(
        real_desk.url, lambda method, path: LATE if "/import" in path and once and once.pop() else None
    ) as url:
        desk = real_desk.desk(url)
        project = desk.open(wanted("very late"))
        push(desk, project, tasks(30), replace(note, seconds=0.1))
    assert on_the_desk(real_desk, project).total() == 60
    with real_desk.client() as client:
        draft, newest = desk_numbers(real_desk, project)[-2:]
        annotate(client, newest, "contamination")
        assert client.post(f"/api/tasks/{draft}/drafts", json={"result": [], "lead_time": 1}).status_code == 201
    desk = real_desk.desk()
    result = push(desk, desk.open(wanted("very late")), tasks(30), note)
    assert (result.sent, result.removed, result.twice) == (0, 30, 0)
    assert on_the_desk(real_desk, project) == each_once(30)
    assert {draft, newest} <= set(desk_numbers(real_desk, project))


def desk_numbers(desk: RealDesk, project: ToolProject) -> list[int]:
    return [each.number for each in desk.desk().existing_tasks(project)]


def test_what_people_worked_on_twice_is_kept_twice(real_desk: RealDesk, note: BatchNote) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("worked twice"))
    for _ in range(2):
        desk.send(project, tasks(1))
    with real_desk.client() as client:
        for number in desk_numbers(real_desk, project):
            annotate(client, number, "contamination")
    result = push(desk, desk.open(wanted("worked twice")), tasks(1), note)
    assert (result.removed, result.twice) == (0, 1)
    assert len(desk_numbers(real_desk, project)) == 2


def test_a_later_round_waits_for_the_earlier_one(real_desk: RealDesk, note: BatchNote) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("rounds", annotators=2))
    push(desk, project, tasks(2), note)
    with real_desk.client() as client:
        numbers = desk_numbers(real_desk, project)
        for number in (numbers[0], *numbers):
            annotate(client, number, "contamination")
    result = push(desk, desk.open(wanted("rounds")), tasks(2, turn=2), note)
    assert (result.sent, result.held) == (1, 1)


def is_import(method: str, path: str) -> bool:
    return method == "POST" and path.endswith("/import")


@dataclass
class AtImport:
    """Does something when the nth batch is sent, and decides what becomes of the batch."""

    number: int
    fate: str
    act: Callable[[], object]
    seen: int = 0

    def __call__(self, method: str, path: str) -> str | None:
        self.seen += is_import(method, path)
        if self.seen != self.number or not is_import(method, path):
            return None
        self.act()
        return self.fate


def test_a_client_killed_when_it_sends_a_batch(real_desk: RealDesk, tmp_path: Path) -> None:
    """The batch never arrives, is taken before the client dies, or only after that."""

    def pushing(url: str) -> subprocess.Popen[str]:
        arguments = (url, real_desk.key, tmp_path, SETTLE, BATCH)
        return start(None, *arguments, program=("-c", PUSHING), PYTHONPATH=str(ROOT))

    for number in (1, 2):
        for fate in (CUT, DROP, LATE):
            running: list[subprocess.Popen[str]] = []
            at_import = AtImport(number, fate, lambda running=running: running[0].kill())
            with lossy_proxy(real_desk.url, at_import) as url:
                running.append(pushing(url))
                running[0].communicate(timeout=600)
                assert running[0].returncode == -signal.SIGKILL
    finish(pushing(real_desk.url))
    assert on_the_desk(real_desk, real_desk.desk().open(wanted("killed"))) == each_once(400)


@pytest.mark.parametrize("fate", [CUT, DROP, BEGUN])
def test_a_server_killed_when_it_is_sent_a_batch(own_desk: RealDesk, note: BatchNote, fate: str) -> None:
    """Before it has begun, when it is done, and while it is at it."""
    project = own_desk.desk().open(wanted("server"))
    for number in (1, 3):
        with lossy_proxy(own_desk.url, AtImport(number, fate, lambda: None), after=own_desk.kill) as url:
            desk = own_desk.desk(url)
            with pytest.raises(LostConnection) as caught:
                push(desk, desk.open(wanted("server")), tasks(400), note, batch_tasks=BATCH)
            assert caught.value.hint
        own_desk.restart()
    desk = own_desk.desk()
    push(desk, desk.open(wanted("server")), tasks(400), note, batch_tasks=BATCH)
    assert on_the_desk(own_desk, project) == each_once(400)


def test_a_damaged_note_is_told(real_desk: RealDesk, note: BatchNote) -> None:
    note.path.write_text("{", encoding="utf-8")
    with pytest.raises(StorageError, match="not JSON") as caught:
        push(real_desk.desk(), real_desk.desk().open(wanted("note")), tasks(1), note)
    assert "rm " in caught.value.hint


def test_a_note_of_long_ago_is_not_waited_for(real_desk: RealDesk, note: BatchNote) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("old note"))
    content = {"project": project.uid, "sent": time.time() - 3600, "keys": [["item-000000", 1]]}
    note.path.write_text(json.dumps(content), encoding="utf-8")
    assert push(desk, project, tasks(1), replace(note, seconds=600)).sent == 1


def test_a_task_that_the_server_refuses_is_an_error(real_desk: RealDesk, note: BatchNote) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("refused"))
    bad = Task(item_id="x", round=1, data={"item_id": "x", "round": 1})
    with pytest.raises(AnnotationToolError, match="400"):
        push(desk, project, [bad], note)
