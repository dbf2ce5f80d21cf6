"""Three people and a real Label Studio: two decide, a third decides what they dispute, and nobody is asked twice."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from acbench import schema
from acbench.integrations.label_studio.people import SERVICE_ADDRESS
from acbench.testing import toy_visa
from tests.support.commands import acbench
from tests.support.label_studio import ADA, PASSWORD, RealDesk, annotate, desk_at, signed_in

BOB, CY = "bob@example.org", "cy@example.org"
NAME = schema.load("visa_ac").categories["pcb4"].name


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def place(new_desk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, RealDesk]]:
    """A project with a queue, and its own Label Studio with three people."""
    project = tmp_path_factory.mktemp("project")
    root = toy_visa(project / "data")
    acbench(project, "relabel", "visa_ac", "--root", root, "--without", "neighbours", "--audit", "1")
    with desk_at(new_desk, project / ".acbench" / "desk") as desk:
        for address in (BOB, CY):
            made = acbench(project, "review", "people", "add", address, "--json", LABEL_STUDIO_PASSWORD=PASSWORD).facts
            assert made == {"url": desk.url, "address": address, "password": PASSWORD}
        yield project, desk


def projects(desk: RealDesk) -> dict[str, int]:
    """Title → number, of the category at hand."""
    with desk.client() as client:
        found = client.get("/api/projects/", params={"page_size": 100}).json()["results"]
    return {row["title"]: row["id"] for row in found if f": {NAME}" in row["title"]}


def next_task(browser: httpx.Client, project: int) -> dict[str, Any] | None:
    """What Label Studio asks next, as "Label All Tasks" does; None if it asks nothing more."""
    answer = browser.post("/api/dm/actions", params={"id": "next_task", "project": project}, json={})
    assert answer.status_code in {200, 404}, answer.text
    found: dict[str, Any] = answer.json()
    return found if answer.status_code == 200 else None


def decide_all(desk: RealDesk, address: str, project: int, answers: dict[str, str]) -> list[str]:
    """Decide whatever is asked of a person: `good`, or what `answers` says by item_id. Gives the items, sorted."""
    asked = []
    with signed_in(desk, address) as browser:
        while task := next_task(browser, project):
            asked.append(task["data"]["item_id"])
            annotate(browser, task["id"], answers.get(asked[-1], "good"), by=None)
    return sorted(asked)


def pulled(project: Path, *more: str, remarks: Sequence[str] = ()) -> dict[str, Any]:
    """What a pull counts. `remarks`: words that its remarks hold."""
    found = acbench(project, "review", "pull", "visa_ac", "--json", *more).facts
    assert all(words in " ".join(found["remarks"]) for words in remarks)
    return {name: count for name, count in found.items() if count and name != "remarks"}


def test_two_decide_a_third_adjudicates_and_nobody_is_asked_twice(place: tuple[Path, RealDesk]) -> None:
    project, desk = place
    acbench(project, "review", "push", "visa_ac", "--annotators", "2")
    (title,) = projects(desk)
    first = projects(desk)[title]
    with desk.client() as client:
        found = client.get("/api/tasks/", params={"project": first, "page_size": 100}).json()["tasks"]
    items = sorted(task["data"]["item_id"] for task in found)
    differ, unsure = items[0], items[1]
    assert len(items) > 3
    assert decide_all(desk, ADA, first, {differ: "missing", unsure: "unsure"}) == items
    assert decide_all(desk, BOB, first, {unsure: "unsure"}) == items
    assert pulled(project) == {"new": 2 * len(items)}

    said = acbench(project, "review", "push", "visa_ac").err
    assert "2 images of pcb4 wait for somebody else than ada and bob" in said
    assert len(projects(desk)) == 2, "what is not settled lies in a project of its own"
    (later,) = (number for name, number in projects(desk).items() if name.endswith(", not ada and bob"))
    for person in (ADA, BOB, CY):
        assert decide_all(desk, person, first, {}) == [], "the first round is over for everybody"
    with desk.client() as client:
        told = client.get(f"/api/projects/{later}").json()
        (task, _) = client.get("/api/tasks/", params={"project": later}).json()["tasks"]
        assert task["data"]["not_for"] == ["ada", "bob"]
        assert "Not for ada and bob" in task["data"]["asked"]
        assert (
            "Anybody but ada and bob" in told["expert_instruction"] and "anybody but ada and bob" in told["description"]
        )
        annotate(client, task["id"], "missing", by=ADA)
    told_of = ["ada decided this image before"]
    assert pulled(project, remarks=told_of) == {"same": 2 * len(items), "asked_before": 1}
    (kept,) = json.loads((project / ".acbench" / "visa_ac" / "refused_answers.json").read_bytes())
    assert (kept["author"], kept["item_id"]) == ("ada", task["data"]["item_id"])

    acbench(project, "review", "push", "visa_ac")
    asked = decide_all(desk, CY, later, {differ: "missing", unsure: "missing"})
    assert asked == [differ, unsure], "the answer of ada did not use up the question"
    assert pulled(project)["new"] == 2
    assert "pcb4" not in acbench(project, "review", "push", "visa_ac", "--json").facts, "all is settled"
    reviews = rows(project / "annotations" / "visa_ac" / "reviews.jsonl")
    assert len(reviews) == 2 * len(items) + 2
    assert len({(row["item_id"], row["reviewer"]) for row in reviews}) == len(reviews), "nobody decided twice"
    labels = {row["item_id"]: row for row in rows(project / "annotations" / "visa_ac" / "labels.jsonl")}
    assert [(labels[key]["status"], labels[key]["labels"]) for key in (differ, unsure)] == [
        ("accepted", ["missing"])
    ] * 2
    people = {row["name"]: row for row in acbench(project, "review", "people", "--json").facts}
    assert {name: row["decisions"].get("visa_ac", 0) for name, row in people.items()} == {
        "ada": len(items),
        "bob": len(items),
        "cy": 2,
    }
    assert people["cy"]["address"] == CY


def test_the_servers_own_account_is_nobody_until_somebody_claims_it(place: tuple[Path, RealDesk]) -> None:
    project, desk = place
    acbench(project, "review", "push", "visa_ac", "--annotators", "1")
    with desk.client() as client:
        found = client.get("/api/projects/", params={"page_size": 100}).json()["results"]
        number = next(row["id"] for row in found if row["task_number"] and f": {NAME}" not in row["title"])
        task = client.get("/api/tasks/", params={"project": number}).json()["tasks"][0]
        annotate(client, task["id"], "good", by=SERVICE_ADDRESS)
    assert pulled(project, remarks=["which is no person", "--claim NAME"])["nobody"] == 1
    assert acbench(project, "review", "pull", "visa_ac", "--claim", "acbench", status=1).err.startswith(
        "Error: 'acbench'"
    )
    assert pulled(project, "--claim", "dora")["new"] == 1
    assert "nobody" not in pulled(project), "what was taken over stays so"
    kept = rows(project / "annotations" / "visa_ac" / "reviews.jsonl")
    assert [row["reviewer"] for row in kept if row["item_id"] == task["data"]["item_id"]] == ["dora"]


def test_who_gets_in(place: tuple[Path, RealDesk]) -> None:
    project, desk = place
    with httpx.Client(base_url=desk.url) as stranger:
        page = stranger.get("/user/signup/").text
        token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        form = {"csrfmiddlewaretoken": token, "email": "eve@example.org", "password": PASSWORD}
        assert stranger.post("/user/signup/", data=form).status_code == 403
    said = acbench(project, "review", "people", "add", BOB, status=1).err
    assert "has an account" in said and "review people password" in said
    assert "Enter a valid email address" in acbench(project, "review", "people", "add", "bob", status=1).err
    new = acbench(project, "review", "people", "password", BOB, "--json").facts
    with signed_in(desk, BOB, new["password"]):
        pass
    data = desk.folder / "label-studio"
    for path in (
        data / "label_studio.sqlite3",
        data / ".env",
        desk.folder / "server.json",
        desk.folder / "label-studio.log",
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(desk.folder.stat().st_mode) == 0o700
