"""Wherever a run is killed, the next one brings the same bytes as if nothing had happened."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psutil
import pytest

from tests.support.commands import Done, DyingCommands, acbench, here, made
from tests.support.sample import copied, project_with_images

RELABEL = ("relabel", "sample", "--category", "washer", "--limit", "30", "--audit", "0.4")
FEW = ("relabel", "sample", "--category", "washer", "--limit", "4", "--without", "neighbours")
WORK = Path(".acbench/sample")
RENDERING = (1, 2, 3, 40, 200, 301)
"""Steps at which a run is killed that renders 152 images."""
WORKING = (
    *("INTO runs", "INTO files", "/items.parquet", "INTO embeddings", "/.neighbours", "/neighbours.parquet"),
    *("/.labels.jsonl", "/labels.jsonl", "/.triage.parquet", "/evidence/", "queue.csv", "report.json", "settings.json"),
)
"""Parts of the steps at which a run is killed that has its images, in their order."""
PRELOADED = ("tests.support.preloaded",)
"""What the runs import, imported once for all of them."""


@pytest.fixture(scope="module")
def dying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DyingCommands]:
    with DyingCommands(tmp_path_factory.mktemp("dying"), *PRELOADED) as commands:
        yield commands


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, sample_images: Path) -> Path:
    """A project in which one run did everything. Not to be changed."""
    project = project_with_images(tmp_path_factory.mktemp("whole"), sample_images)
    finish(project, *RELABEL)
    return project


@pytest.fixture
def answered(whole: Path, tmp_path: Path) -> Path:
    """A copy of it with a filled-in queue."""
    project = copied(whole, tmp_path / "answered")
    queue = project / WORK / "queue.csv"
    with queue.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with queue.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "label": "dent" if number % 3 else "unsure"} for number, row in enumerate(rows))
    return project


def finish(project: Path, *arguments: object) -> Done:
    """Run a command to its end; what was done before does not look edited to it."""
    done = acbench(project, *arguments)
    assert "is not as the last run here left it" not in done.err
    return done


def assert_same(project: Path, expected: dict[str, bytes]) -> None:
    files = made(project)
    assert list(files) == list(expected)
    assert [name for name, content in files.items() if content != expected[name]] == []


def test_killed_at_many_steps_a_run_goes_on_to_the_same_end(dying: DyingCommands, whole: Path, tmp_path: Path) -> None:
    """From an empty folder, with the sample to be rendered and images to be looked at by a model."""
    project = tmp_path / "project"
    for step in (*RENDERING, *WORKING):
        assert dying.killed(project, step, *RELABEL), f"there is no step {step}: {dying.output}"
    finish(project, *RELABEL)
    assert_same(project, made(whole))
    runs = acbench(project, "runs", "--json").facts
    assert runs[0]["outcome"] == "done"
    assert [run["outcome"] for run in runs].count("killed") >= len(WORKING) - 1


def test_killed_at_each_step_a_run_goes_on_to_the_same_end(
    dying: DyingCommands, sample_images: Path, tmp_path: Path
) -> None:
    whole = project_with_images(tmp_path / "whole", sample_images)
    assert not dying.killed(whole, 0, *FEW)
    expected = made(whole)
    for step in count(1):
        project = project_with_images(tmp_path / f"{step}", sample_images)
        if not dying.killed(project, step, *FEW):
            break
        assert not dying.killed(project, 0, *FEW)
        assert "is not as the last run here left it" not in dying.output
        assert_same(project, expected)
        shutil.rmtree(project)
    assert step > 30, "steps are not seen"


def test_killed_while_it_takes_reviews_in_each_decision_is_there_once(
    dying: DyingCommands, answered: Path, tmp_path: Path
) -> None:
    project = copied(answered, tmp_path / "project")
    queue = WORK / "queue.csv"
    finish(answered, *RELABEL, "--reviews", str(answered / queue), "--reviewer", "ada")
    expected = made(answered)
    decisions = [json.loads(line) for line in expected["annotations/sample/reviews.jsonl"].splitlines()]
    assert len({(decision["item_id"], decision["round"]) for decision in decisions}) == len(decisions) > 8
    assert {decision["round"] for decision in decisions} == {1}
    take = (*RELABEL, "--reviews", str(project / queue), "--reviewer", "ada")
    kills = next(step for step in count(1) if not dying.killed(project, step, *take)) - 1
    assert kills > 5
    finish(project, *take)
    assert_same(project, expected)


@pytest.fixture(scope="module")
def dying_small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DyingCommands]:
    """Commands that give each category a file of its own."""
    with DyingCommands(tmp_path_factory.mktemp("small"), *PRELOADED, "tests.support.small_files") as commands:
        yield commands


@pytest.mark.parametrize("change", ["split", "join"])
def test_killed_at_each_step_of_a_change_of_layout_nothing_is_lost(
    dying: DyingCommands, dying_small: DyingCommands, sample_images: Path, tmp_path: Path, change: str
) -> None:
    """Decisions come in, and by that labels and reviews become files of categories, or one file again."""
    start = project_with_images(tmp_path / "start", sample_images)
    before, after = (dying, dying_small) if change == "split" else (dying_small, dying)
    relabel = ("relabel", "sample", "--limit", "2", "--without", "neighbours", "--audit", "0.2")
    assert not before.killed(start, 0, *relabel)
    paths = sorted((start / "annotations/sample").rglob("labels*/*.jsonl")) or [
        start / "annotations/sample/labels.jsonl"
    ]
    rows = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    for number, who in enumerate(("ada", "bob"), start=1):
        said = [f"{row['item_id']},unsure" for row in rows[number::2]]
        (tmp_path / f"{who}.csv").write_text("\n".join(["item_id,label", *said]) + "\n", encoding="utf-8")
    take = ("review", "take", "sample", tmp_path / "ada.csv", "--reviewer", "ada")
    assert not before.killed(start, 0, *take)
    take = ("review", "take", "sample", tmp_path / "bob.csv", "--reviewer", "bob")
    whole = copied(start, tmp_path / "whole")
    assert not after.killed(whole, 0, *take)
    expected = annotations(whole)
    assert [name for name in expected if "/" in name] == (
        [f"{table}/{category}.jsonl" for table in ("labels", "reviews") for category in ("fabric", "washer")]
        if change == "split"
        else []
    )
    for step in count(1):
        project = copied(start, tmp_path / f"{step}")
        if not after.killed(project, step, *take):
            break
        said = {(row["item_id"], row["reviewer"]) for row in decisions(annotations(project))}
        assert {(row["item_id"], row["reviewer"]) for row in decisions(annotations(start))} <= said
        assert not after.killed(project, 0, *take)
        assert "is not as the last run here left it" not in after.output
        assert annotations(project) == expected
        shutil.rmtree(project)
    assert step > 20, "steps are not seen"


def annotations(project: Path) -> dict[str, bytes]:
    """Name → content of what is kept in git, without when it was said."""
    folder = project / "annotations/sample"
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: re.sub(rb'"when": "[^"]*"', b'"when": ""', data) for name, data in sorted(found.items())
            if not name.endswith(".part")}  # fmt: skip


def decisions(files: dict[str, bytes]) -> list[dict[str, str]]:
    return [
        json.loads(line) for name, data in files.items() if name.startswith("reviews") for line in data.splitlines()
    ]


@pytest.mark.parametrize("step", ["/images", "/.neighbours"], ids=["rendering", "proposing"])
def test_it_can_be_stopped_and_meanwhile_nobody_else_gets_in(
    dying: DyingCommands, whole: Path, sample_images: Path, tmp_path: Path, step: str
) -> None:
    """The run holds still at a step while another tries. (At a change of the ledger, SQLite would swallow Ctrl-C.)"""
    project = tmp_path / "project"
    if step != "/images":
        project_with_images(project, sample_images)
    process = dying.start(project, step, *RELABEL, signal_name="SIGSTOP")
    until = time.monotonic() + 120
    while psutil.Process(process).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < until
        time.sleep(0.02)
    other = here(*RELABEL, "--project", project)
    assert other.status == 1
    assert f"another acbench is at work in {project} (process {process})" in other.err
    for name in (signal.SIGINT, signal.SIGCONT):
        os.kill(process, name)
    assert dying.status() == 130
    assert "Stopped. What was done is kept" in dying.output
    (run,) = acbench(project, "runs", "--json").facts
    assert run["outcome"] == "stopped"
    if step != "/images":
        finish(project, *RELABEL)
        assert_same(project, made(whole))
