"""Each task is on the desk once: with a real Label Studio, killed and cut off at random moments."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acbench.errors import AnnotationToolError, LostConnection, StorageError
from acbench.review.annotation_tool import ProjectSpec, Task, ToolProject
from acbench.review.push import Note, push
from acbench.schema.form import label_studio_form
from acbench.schema.guide import instructions
from tests.support.commands import killed, python, start
from tests.support.label_studio import RealDesk, annotate, desk_at
from tests.support.proxy import DROP, LATE, lossy_proxy
from tests.support.records import BOTTLE

SETTLE = 2.5
"""Seconds: enough for this server and batches of `BATCH`."""
BATCH = 40
PUSHING = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from tests.system.test_label_studio_push import BATCH, SETTLE, tasks, wanted
from acbench.integrations.label_studio.tool import LabelStudio
from acbench.review.push import Note, push
url, key, folder = sys.argv[1:4]
desk = LabelStudio(url, key, served=Path(folder))
project = desk.open(wanted("killed"))
print("ready", flush=True)
push(desk, project, tasks(600), Note(Path(folder) / "note.json"), settle=SETTLE, batch=BATCH)
"""


def wanted(name: str, **more: Any) -> ProjectSpec:
    values = {"title": f"Test: {name}", "form": label_studio_form(BOTTLE), "instructions": instructions(BOTTLE)}
    return ProjectSpec(benchmark="test", category=name, **values | more)


def tasks(count: int, turn: int = 1) -> list[Task]:
    result = [{"from_name": "labels", "to_name": "image", "type": "choices", "value": {"choices": ["contamination"]}}]
    blank = dict.fromkeys(("image", "contour", "crop", "reference", "proposals"), "")
    return [
        Task(
            item_id=f"item-{number:06}",
            round=turn,
            data={"item_id": f"item-{number:06}", "round": turn, "blind": not number % 10, **blank},
            predictions=[{"model_version": "clip@00000000", "score": 0.5, "result": result}] if number % 10 else [],
        )
        for number in range(count)
    ]


def on_the_desk(desk: RealDesk, project: ToolProject) -> Counter[tuple[str, int]]:
    """How often each task is there, as the server itself says."""
    with desk.client() as client:
        answer = client.get("/api/tasks/", params={"project": project.number, "page_size": 10_000})
    return Counter((row["data"]["item_id"], row["data"]["round"]) for row in answer.json()["tasks"])


def each_once(count: int) -> Counter[tuple[str, int]]:
    return Counter(task.key for task in tasks(count))


@pytest.fixture
def note(tmp_path: Path) -> Note:
    return Note(tmp_path / "note.json")


@pytest.fixture
def own_desk(new_desk: Path, tmp_path: Path) -> Iterator[RealDesk]:
    """A server that may be killed."""
    with desk_at(new_desk, tmp_path / "desk") as found:
        yield found


def test_pushing_twice_sends_each_once_and_in_order(real_desk: RealDesk, note: Note) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("twice"))
    first = push(desk, project, tasks(90), note, batch=BATCH)
    assert (first.sent, first.there, first.blind) == (90, 0, 9)
    again = push(desk, desk.open(wanted("twice")), tasks(100), note, batch=BATCH)
    assert (again.sent, again.there) == (10, 90)
    assert on_the_desk(real_desk, project) == each_once(100)
    keys = [each.key for each in desk.standing(project)]
    assert keys == [task.key for task in tasks(100)]
    assert not note.path.exists()


def test_predictions_arrive_with_their_version_and_score(real_desk: RealDesk, note: Note) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("predictions"))
    push(desk, project, tasks(3), note)
    with real_desk.client() as client:
        found = client.get("/api/predictions/", params={"project": project.number}).json()
    assert [(row["model_version"], row["score"]) for row in found] == [("clip@00000000", 0.5)] * 2


@pytest.mark.parametrize("fate", [DROP, LATE])
def test_a_lost_answer_makes_no_duplicate(real_desk: RealDesk, note: Note, fate: str) -> None:
    lost: list[str] = []

    def decide(method: str, path: str) -> str | None:
        if method != "POST" or len(lost) > 3 or (path.endswith("/import") and len(lost) % 2):
            return None
        lost.append(path)
        return fate

    with lossy_proxy(real_desk.url, decide) as url:
        desk = real_desk.desk(url)
        project = desk.open(wanted(f"lost {fate}")) if fate == DROP else real_desk.desk().open(wanted("lost late"))
        result = push(desk, project, tasks(100), note, batch=BATCH, settle=SETTLE)
    assert lost
    assert (result.sent, result.removed) == (100, 0)
    assert on_the_desk(real_desk, project) == each_once(100)
    with real_desk.client() as client:
        rows = client.get("/api/projects/", params={"page_size": 100}).json()["results"]
    assert [row["title"] for row in rows].count(project.title) == 1


def test_later_than_anybody_waits_is_mended_by_the_next_push(real_desk: RealDesk, note: Note) -> None:
    once = [True]
    with lossy_proxy(
        real_desk.url, lambda method, path: LATE if "/import" in path and once and once.pop() else None
    ) as url:
        desk = real_desk.desk(url)
        project = desk.open(wanted("very late"))
        push(desk, project, tasks(30), note, settle=0.1)
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
    return [each.number for each in desk.desk().standing(project)]


def test_what_people_worked_on_twice_is_kept_twice(real_desk: RealDesk, note: Note) -> None:
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


def test_a_later_round_waits_for_the_earlier_one(real_desk: RealDesk, note: Note) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("rounds", annotators=2))
    push(desk, project, tasks(2), note)
    with real_desk.client() as client:
        numbers = desk_numbers(real_desk, project)
        for number in (numbers[0], *numbers):
            annotate(client, number, "contamination")
    result = push(desk, desk.open(wanted("rounds")), tasks(2, turn=2), note)
    assert (result.sent, result.held) == (1, 1)


def test_a_client_killed_at_random_moments(real_desk: RealDesk, tmp_path: Path) -> None:
    random_numbers = random.Random(4)
    program, arguments = ("-c", PUSHING), (real_desk.url, real_desk.key, tmp_path, Path(__file__).parents[2])
    kills = 0
    for _ in range(8):
        pushing = start(None, *arguments, program=program)
        assert pushing.stdout is not None and pushing.stdout.readline() == "ready\n"
        kills += killed(pushing, random_numbers.uniform(0, 0.6))
    python(PUSHING, *arguments)
    assert kills > 2
    assert on_the_desk(real_desk, real_desk.desk().open(wanted("killed"))) == each_once(600)


def test_a_server_killed_at_random_moments(own_desk: RealDesk, note: Note) -> None:
    random_numbers = random.Random(5)
    project = own_desk.desk().open(wanted("server"))
    lost = 0
    for _ in range(5):
        timer = threading.Timer(random_numbers.uniform(0.05, 1.2), own_desk.kill)
        timer.start()
        try:
            desk = own_desk.desk()
            push(desk, desk.open(wanted("server")), tasks(1200), note, batch=BATCH, settle=SETTLE)
        except LostConnection as error:
            lost += 1
            assert error.hint
        timer.join()
        own_desk.restart()
    desk = own_desk.desk()
    push(desk, desk.open(wanted("server")), tasks(1200), note, batch=BATCH, settle=SETTLE)
    assert lost > 1
    assert on_the_desk(own_desk, project) == each_once(1200)


def test_a_damaged_note_is_told(real_desk: RealDesk, note: Note) -> None:
    note.path.write_text("{", encoding="utf-8")
    with pytest.raises(StorageError, match="is damaged") as caught:
        push(real_desk.desk(), real_desk.desk().open(wanted("note")), tasks(1), note)
    assert "rm " in caught.value.hint


def test_a_note_of_long_ago_is_not_waited_for(real_desk: RealDesk, note: Note) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("old note"))
    content = {"project": project.uid, "sent": time.time() - 3600, "keys": [["item-000000", 1]]}
    note.path.write_text(json.dumps(content), encoding="utf-8")
    assert push(desk, project, tasks(1), note, settle=600).sent == 1


def test_a_task_that_the_server_refuses_is_an_error(real_desk: RealDesk, note: Note) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("refused"))
    bad = Task(item_id="x", round=1, data={"item_id": "x", "round": 1})
    with pytest.raises(AnnotationToolError, match="400"):
        push(desk, project, [bad], note)
