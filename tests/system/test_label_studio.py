"""The whole way with a real Label Studio and a real browser: push, decide by API and by key, pull, labels."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from acbench.errors import AnnotationToolError
from acbench.integrations.label_studio import server as servers
from acbench.schema.form import EMPTY, label_studio_form
from acbench.schema.guide import instructions
from acbench.storage.bundled import bundled_folder
from acbench.testing import toy_mvtec_ad, toy_visa
from tests.support.browser import open_page
from tests.support.commands import DyingCommands, acbench, finish, start
from tests.support.label_studio import (
    ADA,
    PASSWORD,
    RealDesk,
    annotate,
    desk_at,
    free_port,
    require_label_studio,
    tasks,
    wanted,
)
from tests.support.proxy import CUT, lossy_proxy, prefix_proxy
from tests.support.records import BOTTLE

BENCHMARKS = {"mvtec_ac": toy_mvtec_ad, "visa_ac": toy_visa}
RELABEL = ("--without", "neighbours", "--audit", "1")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def place(new_desk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, RealDesk]]:
    """A project with both benchmarks relabelled, and its own desk at work."""
    project = tmp_path_factory.mktemp("project")
    for name, draw in BENCHMARKS.items():
        acbench(project, "relabel", name, "--root", str(draw(project / "data" / name)), *RELABEL)
    with desk_at(new_desk, project / ".acbench" / "desk") as desk:
        yield project, desk


@pytest.fixture(scope="module")
def real_desk(place: tuple[Path, RealDesk]) -> RealDesk:
    """The same desk: what these tests put there has names of its own."""
    return place[1]


def tasks_of(desk: RealDesk, title: str) -> tuple[int, list[dict[str, Any]]]:
    """Number of the project whose title begins so, and its tasks."""
    with desk.client() as client:
        projects = client.get("/api/projects/", params={"page_size": 100}).json()["results"]
        (number,) = [row["id"] for row in projects if row["title"].startswith(title)]
        found = client.get("/api/tasks/", params={"project": number, "page_size": 1000, "fields": "all"})
        return number, found.json()["tasks"]


def what_does_not_go_together_is_not_submitted(page: Page, key: str) -> None:
    """With Normal or Unsure besides, Ctrl+Enter brings a warning and sends nothing; Esc closes it, as it says, and then
    the key takes away what is wrong. (A click would be lost while the warning still moves.)"""
    other = "u" if key == "0" else "0"
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if asked.method == "POST" else None)
    page.keyboard.press(other)
    expect(page.locator(".acb-clash h4:visible")).to_have_text(re.compile("goes with nothing else"))
    page.keyboard.press("Control+Enter")
    warning = page.get_by_role("dialog")
    expect(warning).to_contain_text("goes with nothing else")
    expect(warning).to_contain_text("Esc closes this")
    expect(warning.get_by_role("button")).to_be_focused()
    page.keyboard.press("Escape")
    expect(warning).to_have_count(0)
    page.keyboard.press(other)
    expect(page.locator(".acb-clash h4:visible")).to_have_count(0)
    assert not [url for url in sent if url.partition("?")[0].endswith("/annotations")]


def look_closer(page: Page) -> None:
    """As the page says: Ctrl + mouse wheel."""
    picture = page.locator(".acb-close .lsf-image img")
    page.evaluate(PAINTED)  # else its width may still be one that the layout changes by itself
    before = picture.evaluate("each => each.style.width")
    page.locator(".acb-close .konvajs-content").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    expect(picture).not_to_have_css("width", before)


def log_in(page: Page, desk: RealDesk, url: str = "") -> None:
    page.goto(f"{url or desk.url}/user/login")
    page.fill("input[name=email]", ADA)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)


BEGUN = """task => window.Htx?.task?.id === task && Htx.annotationStore.selected?.type === "annotation" """
"""Whether the page shows a task with the annotation that Label Studio begins for it."""
BEGUN_FROM = """predictions => Htx.annotationStore.predictions.length === predictions
    && Htx.annotationStore.selected.parent_prediction !== null"""
"""Whether that annotation was begun from one of its predictions. A task that is opened from the list has first, for a
moment, an empty annotation and no predictions."""
SHOWN = """() => document.querySelectorAll(".acb-side input:checked").length === Htx.annotationStore.selected.results
    .flatMap(part => part.serialize()?.value.choices ?? []).length"""
"""Whether the page shows as many choices as that annotation holds."""
LOADED = "[...document.querySelectorAll('.acb-pictures img')].filter(i => i.naturalWidth).length == 4"
PAINTED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def wait_for_annotation(page: Page, task: dict[str, Any], *, from_list: bool) -> None:
    """Wait until the form is that of the annotation which Label Studio begins for a task."""
    page.wait_for_function(BEGUN, arg=task["id"])
    if from_list:
        page.wait_for_function(BEGUN_FROM, arg=len(task["predictions"]))
    expect(page.locator(".acb-side input")).not_to_have_count(0)
    expect(page.locator("button[name=submit]")).to_be_visible()
    page.evaluate(PAINTED)
    page.wait_for_function(SHOWN)


def expect_chosen(page: Page, count: int) -> None:
    """So many choices are made, on a page whose form has been waited for."""
    expect(page.locator(".acb-side input:checked")).to_have_count(count)


def open_from_the_list(page: Page, desk: RealDesk, project: int, task: dict[str, Any]) -> None:
    """As a click on its row does, which makes Label Studio fill in the form by itself if it can."""
    page.goto(f"{desk.url}/projects/{project}/data?task={task['id']}")
    wait_for_annotation(page, task, from_list=True)


def line_of(words: str) -> re.Pattern[str]:
    """What is found in a text with a line that holds one of these words alone, as the heads of a table do."""
    return re.compile(rf"^\s*({words})\s*$", re.MULTILINE)


def the_list_gives_nothing_away(page: Page, desk: RealDesk, project: int, task: dict[str, Any]) -> None:
    """Of the columns of a task's data, only what says nothing of any proposal. `task` is one of the list."""
    page.set_viewport_size({"width": 2560, "height": 900})
    page.goto(f"{desk.url}/projects/{project}/data")
    expect(page.get_by_text("Asked because").first).to_be_visible()
    expect(page.get_by_text(task["data"]["item_id"]).first).to_be_visible()
    seen = page.locator("body")
    expect(seen).to_contain_text(line_of("item_id"), use_inner_text=True)
    expect(seen).not_to_contain_text(line_of("proposals|shown|proposed|why|blind"), use_inner_text=True)
    expect(seen).not_to_contain_text(re.compile("says|source_label|mvtec_fs"), use_inner_text=True)
    page.set_viewport_size({"width": 1440, "height": 900})


def decide_in_the_browser(
    desk: RealDesk, project: int, name: str, key: str, *, next_task: dict[str, Any], shown: dict[str, Any]
) -> None:
    """Log in, go to the next task, look at it, choose with the mouse, twice with the key, and submit. `shown`: a task
    with predictions."""
    with open_page() as page:
        log_in(page, desk)
        the_list_gives_nothing_away(page, desk, project, shown)
        open_from_the_list(page, desk, project, shown)
        expect_chosen(page, 0)
        expect(page.get_by_text(EMPTY, exact=True).first).to_be_visible()  # the tabs of what others chose
        page.goto(f"{desk.url}/projects/{project}/data?labeling=1")
        wait_for_annotation(page, next_task, from_list=False)
        page.wait_for_function(LOADED)
        expect(page.locator(".ant-collapse-header").first).to_be_visible()
        expect(page.locator(".ant-collapse-content-active")).to_have_count(0)  # proposals are not in one's face
        expect_chosen(page, 0)
        expect(page.locator(".acb-asked h4")).to_have_text(re.compile("^Asked "))
        look_closer(page)
        box = page.locator(f".acb-side input[name='{name}']")
        box.click()
        expect(box).to_be_checked()
        for checked in (False, True):
            page.keyboard.press(key)
            expect(box).to_be_checked(checked=checked)
        what_does_not_go_together_is_not_submitted(page, key)
        with page.expect_response(
            lambda answer: answer.request.method == "POST" and "annotations" in answer.url
        ) as sent:
            page.click("button[name=submit]")
        assert sent.value.status == 201


@pytest.mark.parametrize(
    ("benchmark", "title", "chosen", "name", "key", "meant"),
    [
        ("mvtec_ac", "MVTec-AC: Bottle", "broken_small", "Contamination", "3", "contamination"),
        ("visa_ac", "VisA-AC: Candle", "good", "Normal", "0", "good"),
    ],
)
def test_from_queue_to_labels(
    place: tuple[Path, RealDesk], benchmark: str, title: str, chosen: str, name: str, key: str, meant: str
) -> None:
    project, desk = place
    waiting = acbench(project, "review", "queue", benchmark, "--json").facts
    pushed = acbench(project, "review", "push", benchmark, "--blind", "0.5", "--json").facts
    assert sum(each["sent"] for each in pushed.values()) == len(waiting) > 7
    assert 0 < sum(each["blind"] for each in pushed.values()) < len(waiting)
    assert "0 tasks sent" in acbench(project, "review", "push", benchmark).out
    number, tasks = tasks_of(desk, title)
    for task in tasks:
        assert bool(task["data"]["shown"]) == bool(task["predictions"]) == (not task["data"]["blind"])
        texts = json.dumps([task["data"][name] for name in ("item_id", "image", "contour", "crop", "reference")])
        assert not any(word in texts for word in ("good", "broken", "contamination", "Anomaly", "Normal", "wax"))
        if task["data"]["blind"]:
            assert "source_label" not in json.dumps(task["data"])
    with desk.client() as client:
        annotate(client, tasks[0]["id"], chosen)
        annotate(client, tasks[2]["id"], was_cancelled=True)
        picture = client.get(tasks[0]["data"]["crop"])
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    shown = next(task for task in reversed(tasks) if len(task["predictions"]) > 1)
    assert shown not in tasks[:3]
    decide_in_the_browser(desk, number, name, key, next_task=tasks[1], shown=shown)
    pulled = acbench(project, "review", "pull", benchmark, "--json").facts
    assert {name: count for name, count in pulled.items() if count} == {"new": 2, "skipped": 1}
    kept = {row["item_id"]: row for row in rows(project / "annotations" / benchmark / "reviews.jsonl")}
    assert [kept[task["data"]["item_id"]]["labels"] for task in tasks[:2]] == [[chosen], [meant]]
    assert {row["reviewer"] for row in kept.values()} == {"ada"}
    assert all(row["seconds"] > 0 and row["when"] and row["desk"].startswith("label-studio:") for row in kept.values())
    labels = {row["item_id"]: row for row in rows(project / "annotations" / benchmark / "labels.jsonl")}
    for task, label in zip(tasks[:2], (chosen, meant), strict=True):
        sight = "blind" if task["data"]["blind"] else "proposals to unfold"
        found = labels[task["data"]["item_id"]]
        assert (found["labels"], found["decided_by"]) == ([label], "people")
        assert found["reason"] == f"decided by ada ({sight})"
    again = acbench(project, "review", "pull", benchmark, "--json").facts
    assert {name: count for name, count in again.items() if count} == {"same": 2, "skipped": 1}
    report = acbench(project, "review", "report", benchmark, "--json").facts
    assert report["images"] == 2
    again = acbench(project, "review", "push", benchmark, "--json").facts
    assert sum(each["sent"] for each in again.values()) == 1, "what was skipped is put up again"
    assert "0 tasks sent" in acbench(project, "review", "push", benchmark).out


def test_relabel_pulls_and_pushes_as_part_of_its_cycle(place: tuple[Path, RealDesk]) -> None:
    project, desk = place
    command = ("relabel", "mvtec_ac", *RELABEL, "--review", "label-studio", "--json")
    first = acbench(project, *command).facts
    _, tasks = tasks_of(desk, "MVTec-AC: Screw")
    assert len(tasks) == 6
    with desk.client() as client:
        annotate(client, tasks[-1]["id"], "good")
    second = acbench(project, *command).facts
    assert second["desk"]["pulled"]["new"] == 1
    assert second["desk"]["pushed"]["screw"]["sent"] == 0
    assert second["decided_by_people"] == first["decided_by_people"] + 1


def test_no_edit_of_the_schema_or_the_form_takes_a_decision_back(new_desk: Path, tmp_path: Path) -> None:
    """Between push and pull a class gets another id: without a word, then with one. Only a deletion withdraws."""
    project, schema_file = tmp_path / "project", tmp_path / "project" / "schema.yaml"
    root = str(toy_mvtec_ad(project / "data"))
    text = bundled_folder("label_schemas").joinpath("mvtec_ac.yaml").read_text(encoding="utf-8")
    head, bottle, rest = text.partition("  bottle:\n")
    own, cable, others = rest.partition("\n  cable:\n")
    renamed = own.replace("broken_large", "crushed")
    change = "      - {kind: rename, source: broken_large, into: crushed, reason: a better word}\n"
    told = renamed.replace("    changes:\n", f"    changes:\n{change}").replace("[crushed]", "[broken_large]", 1)

    def write_schema(part: str) -> None:
        schema_file.write_text("".join([head, bottle, part, cable, others]), encoding="utf-8")

    write_schema(own)
    acbench(project, "relabel", schema_file, "--root", root, "--category", "bottle", *RELABEL)
    kept = project / "annotations" / "mvtec_ac" / "reviews.jsonl"
    with desk_at(new_desk, project / ".acbench" / "desk") as desk:
        acbench(project, "review", "push", schema_file)
        number, tasks = tasks_of(desk, "MVTec-AC: Bottle")
        with desk.client() as client:
            first, second, _ = (
                annotate(client, task["id"], chosen)
                for task, chosen in zip(tasks, ("broken_large", "broken_large", "good"), strict=False)
            )
            acbench(project, "review", "pull", schema_file)
            said = rows(kept)
            assert [row["verdict"] for row in said] == ["label"] * 3
            annotate(client, tasks[3]["id"], "broken_large")
            write_schema(renamed)
            pulled = acbench(project, "review", "pull", schema_file)
            found = rows(kept)
            assert len(found) == 4 and all(row in found for row in said)
            assert [row["labels"] for row in found].count(["broken_large"]) == 3
            gone = "3 decisions name classes that the schema no longer has (bottle: broken_large)"
            assert gone in pulled.err and gone in acbench(project, "status", "mvtec_ac").out
            write_schema(told)
            before = kept.read_bytes()
            assert "no longer has" not in acbench(project, "review", "pull", schema_file).said
            labels = {row["item_id"]: row for row in rows(project / "annotations" / "mvtec_ac" / "labels.jsonl")}
            decided = [labels[task["data"]["item_id"]] for task in tasks[:4]]
            assert [label["labels"] for label in decided] == [["crushed"], ["crushed"], ["good"], ["crushed"]]
            form = client.get(f"/api/projects/{number}/").json()["label_config"]
            form = form.replace("</View>", '<Rating name="doubt" toName="image"/></View>', 1)
            client.patch(f"/api/projects/{number}/", json={"label_config": form}).raise_for_status()
            doubt = {"from_name": "doubt", "to_name": "image", "type": "rating", "value": {"rating": 3}}
            place = f"/api/annotations/{second['id']}/"
            client.patch(place, json={"result": [*second["result"], doubt]}).raise_for_status()
            asked = acbench(project, "review", "pull", schema_file)
            assert "'doubt', which is not in acbench's form" in asked.said
            assert kept.read_bytes() == before
            assert "could not read 1 annotations (1 edited form)" in acbench(project, "status", "mvtec_ac").out
            client.delete(f"/api/annotations/{first['id']}/").raise_for_status()
        assert acbench(project, "review", "pull", schema_file, "--json").facts["withdrawn"] == 1
    after = [row for row in rows(kept) if row not in found]
    assert [(row["verdict"], row["item_id"]) for row in after] == [("withdrawn", tasks[0]["data"]["item_id"])]


def test_a_pull_killed_at_each_step_loses_and_doubles_nothing(place: tuple[Path, RealDesk], tmp_path: Path) -> None:
    project, desk = place
    acbench(project, "review", "push", "mvtec_ac")
    _, tasks = tasks_of(desk, "MVTec-AC: Screw")
    with desk.client() as client:
        for task in tasks:
            annotate(client, task["id"], "good")
    with DyingCommands(tmp_path, "acbench.integrations.label_studio.tool", "acbench.workflows.annotate") as dying:
        kills = next(step for step in count(1) if not dying.killed(project, step, "review", "pull", "mvtec_ac")) - 1
    assert kills > 3, "steps are not seen"
    found = rows(project / "annotations" / "mvtec_ac" / "reviews.jsonl")
    desks = [row["desk"] for row in found]
    assert len(set(desks)) == len(desks)
    decided = {row["item_id"] for row in found}
    assert {task["data"]["item_id"] for task in tasks} <= decided


def test_a_server_killed_while_it_is_read_is_told_and_nothing_is_written(
    new_desk: Path, place: tuple[Path, RealDesk], tmp_path: Path
) -> None:
    project = Path(
        shutil.copytree(place[0], tmp_path / "project", ignore=shutil.ignore_patterns("server.json", "label-studio"))
    )
    shutil.rmtree(project / ".acbench" / "desk")
    path = project / "annotations" / "mvtec_ac" / "reviews.jsonl"
    before = path.read_bytes()
    with desk_at(new_desk, project / ".acbench" / "desk") as own:
        environment = {"LABEL_STUDIO_URL": own.url, "LABEL_STUDIO_API_KEY": own.key}
        acbench(project, "review", "push", "mvtec_ac", **environment)
        for number in (1, 3, 4):
            if number > 1:
                own.restart()
            requests = count(1)
            with lossy_proxy(
                own.url, lambda *_, n=number, all=requests: CUT if next(all) == n else None, after=own.kill
            ) as url:
                said = acbench(
                    project, "review", "pull", "mvtec_ac", status=1, **environment | {"LABEL_STUDIO_URL": url}
                ).err
            assert "\n  → " in said
            assert path.read_bytes() == before
        told = acbench(project, "review", "pull", "mvtec_ac", status=1, **environment).err
        assert "no Label Studio answers at" in told and "acbench review serve" in told
        own.restart()
        acbench(project, "review", "pull", "mvtec_ac")
    assert path.read_bytes() == before


def test_behind_a_path_of_a_reverse_proxy_pictures_load(
    new_desk: Path, place: tuple[Path, RealDesk], tmp_path: Path
) -> None:
    left = shutil.ignore_patterns("desk", "lock")
    project = Path(shutil.copytree(place[0], tmp_path / "project", ignore=left))
    with (
        prefix_proxy("/ls") as (url, leads_to),
        desk_at(new_desk, project / ".acbench" / "desk", public=url) as own,
    ):
        leads_to(own.url)
        pushed = acbench(project, "review", "push", "visa_ac").out
        assert f" → {url}" in pushed, "people are told where they find it"
        number, tasks = tasks_of(own, "VisA-AC: Candle")
        assert all(task["data"]["crop"].startswith("/ls/data/local-files/?d=") for task in tasks)
        with open_page() as page:
            log_in(page, own, url)
            page.goto(f"{url}/projects/{number}/data?labeling=1")
            page.wait_for_function(LOADED)
        remote = {"LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": own.key}
        assert "0 tasks sent" in acbench(project, "review", "push", "visa_ac", **remote).out
        (sent,) = own.desk(url, served=False).pictures(own.desk().open(wanted("sent")), [one_picture(own)]).values()
        assert sent.startswith("/ls/data/upload/")
    with desk_at(new_desk, tmp_path / "unaware") as own, prefix_proxy("/ls") as (url, leads_to):
        leads_to(own.url)
        remote = {"LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": own.key}
        said = acbench(project, "review", "push", "visa_ac", status=1, **remote).err
        assert "pictures would not load for people" in said and "ends with 404" in said and "LABEL_STUDIO_HOST" in said
        with own.client() as client:
            rows = client.get("/api/projects/", params={"page_size": 100}).json()["results"]
        assert not any(row["task_number"] for row in rows), "no task holds such an address"


def one_picture(desk: RealDesk) -> Path:
    """One of those that it shows."""
    return next(desk.pictures.rglob("*.crop.jpg"))


class TestWhatGoesWrong:
    def test_no_desk_at_all(self, place: tuple[Path, RealDesk], tmp_path: Path) -> None:
        project = tmp_path / "alone"
        project.mkdir()
        shutil.copytree(place[0] / "annotations", project / "annotations")
        root = str(place[0] / "data" / "mvtec_ac")
        acbench(project, "ingest", "mvtec_ac", "--root", root)
        said = acbench(project, "review", "push", "mvtec_ac", status=1).err
        assert "no Label Studio runs for this project\n  → start one and leave it running: acbench review serve" in said

    def test_a_wrong_key(self, place: tuple[Path, RealDesk]) -> None:
        project, desk = place
        wrong = {"LABEL_STUDIO_URL": desk.url, "LABEL_STUDIO_API_KEY": "0" * 40}
        said = acbench(project, "review", "pull", "mvtec_ac", status=1, **wrong).err
        assert "refuses the key in LABEL_STUDIO_API_KEY" in said and "Account & Settings" in said
        assert "0" * 40 not in said

    def test_a_key_that_is_not_there(self, place: tuple[Path, RealDesk]) -> None:
        said = acbench(place[0], "review", "pull", "mvtec_ac", status=1, LABEL_STUDIO_URL="http://127.0.0.1:9").err
        assert "LABEL_STUDIO_API_KEY is not set" in said

    def test_the_program_is_missing(self, tmp_path: Path) -> None:
        said = acbench(tmp_path, "review", "serve", status=1, PATH=str(tmp_path)).err
        assert f"Label Studio is not installed\n  → {servers.INSTALL}" in said

    def test_a_form_edited_by_hand(self, real_desk: RealDesk) -> None:
        desk = real_desk.desk()
        project = desk.open(wanted("edited"))
        other = label_studio_form(BOTTLE).replace("Contamination", "Dirt")
        with real_desk.client() as client:
            client.patch(f"/api/projects/{project.number}/", json={"label_config": other, "title": "My own name"})
        with pytest.raises(AnnotationToolError, match="'My own name', was edited by hand") as caught:
            desk.open(wanted("edited"))
        assert "--restore-form" in caught.value.hint
        restored = desk.open(wanted("edited"), restore_form=True)
        assert (restored.number, restored.form_is_ours) == (project.number, True)

    def test_two_projects_for_one_category(self, real_desk: RealDesk) -> None:
        desk = real_desk.desk()
        desk.open(wanted("double"))
        with real_desk.client() as client:
            rows = client.get("/api/projects/", params={"page_size": 100}).json()["results"]
            (row,) = [row for row in rows if row["title"] == "Test: double"]
            client.post("/api/projects/", json={"title": "copy", "description": row["description"]})
        with pytest.raises(AnnotationToolError, match="both hold the tasks of test/double"):
            desk.find("test/double")


def test_a_newer_schema_changes_the_form_of_a_project_that_nobody_edited(real_desk: RealDesk) -> None:
    desk = real_desk.desk()
    first = desk.open(wanted("newer"))
    newer = label_studio_form(BOTTLE).replace("Contamination", "Foreign matter")
    second = desk.open(wanted("newer", form=newer, annotators=3))
    assert (second.number, second.form_is_ours, second.annotators) == (first.number, True, 3)


def test_a_project_says_what_it_is_and_is_found_by_its_line_alone(real_desk: RealDesk) -> None:
    desk = real_desk.desk()
    words = "Test: what do these show? [acbench test/another form 00000000]"
    first = desk.open(wanted("words", description=words))
    with real_desk.client() as client:
        row = client.get(f"/api/projects/{first.number}/").json()
    assert row["description"].startswith("Test: what do these show? (")
    assert row["expert_instruction"] == instructions(BOTTLE), "else every push would change it"
    assert desk.find("test/another") is None
    assert desk.open(wanted("words")).number == first.number


def test_the_list_of_tasks_is_made_once_and_is_then_the_annotators_own(real_desk: RealDesk) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("listed", hidden_fields=("proposals",)))
    with real_desk.client() as client:
        (view,) = client.get("/api/dm/views/", params={"project": project.number}).json()
        assert "tasks:data.proposals" in view["data"]["hiddenColumns"]["explore"]
        own = {**view["data"], "title": "mine", "hiddenColumns": {"explore": [], "labeling": []}}
        client.put(f"/api/dm/views/{view['id']}/", json={"data": own, "project": project.number}).raise_for_status()
        desk.open(wanted("listed", hidden_fields=("proposals",)))
        (view,) = client.get("/api/dm/views/", params={"project": project.number}).json()
    assert view["data"]["title"] == "mine"


def test_a_form_that_was_filled_in_from_the_list_is_empty_after_the_next_push(real_desk: RealDesk) -> None:
    """Projects of earlier versions name one of the proposers, whose answer Label Studio takes over."""
    desk = real_desk.desk()
    project = desk.open(wanted("filled"))
    first, second, third, *_ = (task for task in tasks(9) if task.predictions)
    with real_desk.client() as client:
        place = f"/api/projects/{project.number}"
        client.post(f"{place}/import", json=[first.payload()])
        assert client.get(f"{place}/").json()["model_version"] == "clip@00000000"
        for each in (second, third):
            empty = {"model_version": EMPTY, "result": []}
            desk.send(desk.open(wanted("filled")), [replace(each, predictions=[*each.predictions, empty])])
            assert client.get(f"{place}/").json()["model_version"] == EMPTY
    number, opened = tasks_of(real_desk, project.title)
    assert [len(task["predictions"]) for task in opened] == [1, 2, 2]
    with open_page() as page:
        log_in(page, real_desk)
        for task, chosen in zip(opened, (1, 0, 0), strict=True):  # the first shows that what is filled in is seen
            open_from_the_list(page, real_desk, number, task)
            expect_chosen(page, chosen)


def test_a_draft_is_work_and_no_decision(real_desk: RealDesk) -> None:
    desk = real_desk.desk()
    project = desk.open(wanted("draft"))
    desk.send(project, tasks(2))
    first, _ = desk.existing_tasks(project)
    with real_desk.client() as client:
        answer = client.post(f"/api/tasks/{first.number}/drafts", json={"result": [], "lead_time": 1})
        assert answer.status_code == 201, answer.text
    assert [each.annotations for each in desk.existing_tasks(project, drafts=True)] == [1, 0]
    assert [(each.drafts, list(each.annotations)) for each in desk.annotated_tasks(project)] == [(1, []), (0, [])]


def test_a_personal_access_token_works_as_well(real_desk: RealDesk) -> None:
    with real_desk.client() as client:
        client.post("/api/jwt/settings", json={"api_tokens_enabled": True, "legacy_api_tokens_enabled": True})
        answer = client.post("/api/token/", json={})
    assert answer.status_code == 201, answer.text
    assert real_desk.desk(key=answer.json()["token"]).open(wanted("personal")).tasks == 0


def test_pictures_are_sent_to_a_server_that_cannot_see_them_and_only_once(real_desk: RealDesk, tmp_path: Path) -> None:
    toy = toy_mvtec_ad(tmp_path / "toy")
    pictures = [
        Path(shutil.copy(path, tmp_path / f"item-{path.stem}.crop.jpg")) for path in toy.glob("bottle/test/good/*.png")
    ]
    assert len(pictures) == 2
    desk = real_desk.desk(served=False)
    project = desk.open(wanted("uploads"))
    sent = desk.pictures(project, pictures[:1])
    both = desk.pictures(project, pictures)
    assert desk.pictures(project, pictures) == both == {**both, **sent}
    with real_desk.client() as client:
        for path, address in both.items():
            assert client.get(address).content == path.read_bytes()
    assert len(set(both.values())) == 2
    assert desk.open(wanted("uploads")).tasks == 0


class TestServe:
    def test_it_starts_tells_how_to_log_in_and_ends_with_its_server(self, new_desk: Path, tmp_path: Path) -> None:
        require_label_studio()
        shutil.copytree(new_desk, tmp_path / ".acbench" / "desk")
        port = free_port()
        process = start(tmp_path, "review", "serve", "--port", port, "--user", ADA)
        assert process.stdout is not None
        assert process.stdout.readline() == f"http://127.0.0.1:{port}\n"
        assert ADA in process.stdout.readline()
        found = servers.running(tmp_path / ".acbench" / "desk")
        assert found is not None and found.url == f"http://127.0.0.1:{port}"
        said = acbench(tmp_path, "review", "serve", "--port", str(free_port()), status=1).err
        assert "runs already" in said
        process.terminate()
        assert found.key not in finish(process, 130, seconds=30).said
        assert servers.running(tmp_path / ".acbench" / "desk") is None

    def test_a_port_in_use(self, real_desk: RealDesk, tmp_path: Path) -> None:
        said = acbench(tmp_path, "review", "serve", "--port", str(real_desk.port), status=1).err
        assert f"port {real_desk.port} is in use" in said

    def test_nothing_but_pictures_is_shown(self, real_desk: RealDesk) -> None:
        outside = real_desk.folder / "outside.txt"
        outside.write_text("secret", encoding="utf-8")
        with real_desk.client() as client:
            for path in ("../outside.txt", "..%2Foutside.txt", str(outside), "label-studio/label_studio.sqlite3"):
                answer = client.get(f"/data/local-files/?d={path}")
                assert answer.status_code >= 400 and b"secret" not in answer.content, path
