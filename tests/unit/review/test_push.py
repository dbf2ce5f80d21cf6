"""Each task is in the annotation tool once: killed after each step, and whatever answer is lost."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from acbench.errors import AnnotationToolError, LostConnection, StorageError
from acbench.review.annotation_tool import ProjectSpec, Task, ToolProject
from acbench.review.push import BatchNote, PushResult, push
from acbench.testing import Failure, FailurePlan, FakeAnnotationTool

SPEC = ProjectSpec(benchmark="toy", category="cup", title="Toy: cup", form="<View/>", instructions="look")
BATCH = 4


class Killed(BaseException):
    """Like a kill: nobody handles it."""


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def note(tmp_path: Path) -> BatchNote:
    return BatchNote(tmp_path / "note.json")


def tasks(count: int, turn: int = 1) -> list[Task]:
    return [
        Task(item_id=f"item-{number}", round=turn, data={"item_id": f"item-{number}", "blind": not number % 5})
        for number in range(count)
    ]


def pushed(
    tool: FakeAnnotationTool, note: BatchNote, count: int = 10, *, turn: int = 1, settle: float = 0.0
) -> PushResult:
    return push(tool, tool.open(SPEC), tasks(count, turn), replace(note, seconds=settle), batch_tasks=BATCH)


def counts(tool: FakeAnnotationTool) -> Counter[str]:
    """How often each task of the first round is there."""
    project = tool.open(SPEC)
    return Counter(task.key[0] for task in tool.existing_tasks(project) if task.key and task.key[1] == 1)


def each_once(count: int) -> Counter[str]:
    return Counter(f"item-{number}" for number in range(count))


def numbers(tool: FakeAnnotationTool, project: ToolProject) -> list[int]:
    return [task.number for task in tool.existing_tasks(project)]


def once(method: str, failure: Failure, number: int = 0) -> FailurePlan:
    """Plan that one call fails."""
    return lambda called, count: failure if (called, count) == (method, number) else None


def test_pushing_twice_sends_each_once_and_in_order(note: BatchNote) -> None:
    tool = FakeAnnotationTool()
    first, again = pushed(tool, note, 9), pushed(tool, note, 10)
    assert (first.sent, first.there, first.blind) == (9, 0, 2)
    assert (again.sent, again.there) == (1, 9)
    assert [task.key for task in tool.existing_tasks(tool.open(SPEC))] == [task.key for task in tasks(10)]
    assert not note.path.exists()


@pytest.mark.parametrize("done", [True, False], ids=["taken", "not taken"])
@pytest.mark.parametrize("number", range(3))
def test_a_lost_answer_makes_no_duplicate(note: BatchNote, done: bool, number: int) -> None:
    tool = FakeAnnotationTool(once("send", Failure(error=LostConnection("gone", "wait"), done=done), number))
    result = pushed(tool, note)
    assert (result.sent, result.removed) == (10, 0)
    assert counts(tool) == each_once(10)


@pytest.mark.parametrize("done", [True, False], ids=["after", "before"])
@pytest.mark.parametrize(("method", "number"), [("existing_tasks", 0), ("send", 0), ("send", 1), ("send", 2)])
def test_killed_at_a_call_the_next_push_does_the_rest(note: BatchNote, method: str, number: int, done: bool) -> None:
    tool = FakeAnnotationTool()
    pushed(tool, note, 3)
    tool.calls.counts.clear()
    tool.calls.plan = once(method, Failure(error=Killed(), done=done), number)
    with pytest.raises(Killed):
        pushed(tool, note, 15)
    pushed(tool, note, 15)
    assert counts(tool) == each_once(15)
    assert not note.path.exists()


def test_a_batch_that_arrives_later_than_anybody_waits_is_mended_by_the_next_push(note: BatchNote) -> None:
    tool = FakeAnnotationTool()
    project = tool.open(SPEC)
    pushed(tool, note, 3)
    tool.send(project, tasks(3))
    draft, newest = numbers(tool, project)[-2:]
    tool.annotate(project, newest, "contamination")
    tool.draft(project, draft)
    result = pushed(tool, note, 3)
    assert (result.sent, result.removed, result.twice) == (0, 3, 0)
    assert counts(tool) == each_once(3)
    assert {draft, newest} <= set(numbers(tool, project)), "what people worked at stays"


def test_what_people_worked_on_twice_is_kept_twice(note: BatchNote) -> None:
    tool = FakeAnnotationTool()
    project = tool.open(SPEC)
    for _ in range(2):
        tool.send(project, tasks(1))
    for number in numbers(tool, project):
        tool.annotate(project, number, "contamination")
    result = pushed(tool, note, 1)
    assert (result.removed, result.twice) == (0, 1)
    assert len(numbers(tool, project)) == 2


def test_a_later_round_waits_for_the_earlier_one(note: BatchNote) -> None:
    tool = FakeAnnotationTool()
    pushed(tool, note, 2)
    project = tool.open(SPEC)
    tool.annotate(project, numbers(tool, project)[0], "contamination")
    result = pushed(tool, note, 2, turn=2)
    assert (result.sent, result.held) == (1, 1)


def test_a_tool_that_stays_away_is_an_error_and_the_next_push_goes_on(note: BatchNote) -> None:
    tool = FakeAnnotationTool(
        lambda method, number: Failure(error=LostConnection("gone", "wait")) if method == "send" else None
    )
    with pytest.raises(LostConnection):
        pushed(tool, note)
    tool.calls.plan = lambda method, number: None
    assert pushed(tool, note).sent == 10


def test_a_task_that_the_tool_refuses_is_an_error(note: BatchNote) -> None:
    tool = FakeAnnotationTool(once("send", Failure(error=AnnotationToolError("400", "mend it"))))
    with pytest.raises(AnnotationToolError, match="400"):
        pushed(tool, note)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not JSON"),
        ('{"project": "1", "sent": 1}', "field keys is missing"),
        ('{"project": "1", "sent": "now", "keys": []}', "field sent: expected float, got str"),
        ('{"project": "1", "sent": 1, "keys": [["item-0", "first"]]}', "field keys"),
    ],
)
def test_a_damaged_note_is_named_with_what_is_wrong_and_the_way_out(note: BatchNote, content: str, told: str) -> None:
    note.path.write_text(content, encoding="utf-8")
    with pytest.raises(StorageError) as caught:
        pushed(FakeAnnotationTool(), note)
    assert caught.value.message.startswith(f"{note.path}: {told}")
    assert "rm " in caught.value.hint


def test_nobody_waits_for_a_batch_of_long_ago(note: BatchNote) -> None:
    tool = FakeAnnotationTool()
    content = {"project": tool.open(SPEC).uid, "sent": time.time() - 3600, "keys": [["item-0", 1]]}
    note.path.write_text(json.dumps(content), encoding="utf-8")
    assert pushed(tool, note, 1, settle=600).sent == 1


def test_what_lies_in_another_project_is_neither_sent_again_nor_overtaken(note: BatchNote) -> None:
    tool = FakeAnnotationTool()
    later = tasks(4, 2)
    elsewhere = {later[0].key: False, ("item-1", 1): False, ("item-2", 1): True}
    result = push(tool, tool.open(SPEC), later, note, elsewhere=elsewhere)
    assert (result.there, result.held, result.sent) == (1, 1, 2)
    assert [task.key[0] for task in tool.existing_tasks(tool.open(SPEC)) if task.key] == ["item-2", "item-3"]


def test_a_project_for_those_who_have_not_decided_is_another_one() -> None:
    tool = FakeAnnotationTool()
    first, other = tool.open(SPEC), tool.open(replace(SPEC, not_for=("ada", "bob")))
    assert first.number != other.number
    assert [project.number for project in tool.later(SPEC.name)] == [other.number]
    assert tool.open(replace(SPEC, not_for=("ada", "bob"))).number == other.number
