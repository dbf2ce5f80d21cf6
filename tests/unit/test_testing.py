"""What acbench ships for tests of plugins: importing it needs no test dependency, and it is what the protocols ask."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from acbench.errors import AcbenchError, AnnotationToolError
from acbench.release.hub import Hub, HubError
from acbench.review.annotation_tool import AnnotationTool, ProjectSpec, Task
from acbench.testing import FakeAnnotationTool, FakeEndpoint, FakeHub, FakeModels
from tests.support.commands import python

LIGHT = {"acbench", "msgspec", "numpy", "PIL", "typing_extensions"}
SPEC = ProjectSpec(benchmark="toy", category="cup", title="Toy: cup", form="<View/>", instructions="look")


def test_its_import_is_light() -> None:
    code = """
import sys
before = set(sys.modules)
import acbench.testing
print(*{name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))
"""
    assert set(python(code).out.split()) <= LIGHT


def test_a_model_that_was_not_chosen_is_an_error() -> None:
    models = FakeModels()
    for ask in (lambda: models.embedder, models.patches, models.clip, models.llm_client):
        with pytest.raises(AcbenchError, match="was chosen"):
            ask()


def test_the_endpoint_answers_and_counts() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]}
    with FakeEndpoint() as endpoint:
        answer = httpx.post(f"{endpoint.url}/chat/completions", json=body).json()
    assert json.loads(answer["choices"][0]["message"]["content"])["labels"] == ["good"]
    assert endpoint.requests == [body] and endpoint.paid_by_text == {"hello": 1} and endpoint.dollars > 0


def test_the_annotation_tool_keeps_tasks_and_decisions() -> None:
    fake = FakeAnnotationTool()
    tool: AnnotationTool = fake
    assert tool.find("toy/cup") is None
    project = tool.open(SPEC)
    tool.send(project, [Task(item_id="a", round=1, data={"item_id": "a", "round": 1})])
    (task,) = tool.existing_tasks(project)
    fake.annotate(project, task.number, "chip")
    fake.draft(project, task.number)
    (answer,) = tool.annotated_tasks(project)
    assert (answer.annotations[0].result[0]["value"], answer.drafts) == ({"choices": ["chip"]}, 1)
    assert tool.pictures(project, [Path("x/a.jpg")]) == {Path("x/a.jpg"): "/pictures/a.jpg"}
    fake.edit_form(project, "<View>mine</View>")
    with pytest.raises(AnnotationToolError, match="edited by hand"):
        tool.open(SPEC)
    assert tool.open(SPEC, restore_form=True).form_is_ours
    tool.remove(project, [task.number])
    found = tool.find("toy/cup")
    assert found is not None and found.tasks == 0


def test_the_hub_keeps_commits_and_tags(tmp_path: Path) -> None:
    fake = FakeHub()
    hub: Hub = fake
    assert hub.at() is None
    hub.create(private=False)
    (tmp_path / "a.txt").write_text("a")
    head = hub.at()
    assert head is not None
    hub.commit(tmp_path, ["a.txt"], [], head.commit, "one")
    hub.tag("v1", fake.commits[-1].oid)
    assert hub.release("v1").read("a.txt", 10) == hub.release("v1").open("a.txt").read() == b"a"
    with pytest.raises(HubError):
        hub.commit(tmp_path, ["a.txt"], [], head.commit, "two")
    with pytest.raises(HubError):
        hub.at("v2")


def test_a_behaviour_is_served_by_name() -> None:
    command = [sys.executable, "-m", "acbench.testing", "--behaviour", "takes small requests"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            schema = {"properties": {"labels": {"items": {"enum": ["chip"]}}}}
            body = {
                "model": "m",
                "messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}]}],
                "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
            }
            assert httpx.post(f"{url}/chat/completions", json=body).status_code == 413
        finally:
            process.kill()
