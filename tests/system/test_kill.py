"""Whenever a run is killed, the next one brings the same bytes as if nothing had happened."""

from __future__ import annotations

import csv
import json
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.commands import Done, killed, made, start

RELABEL = ("relabel", "sample", "--category", "washer", "--limit", "30")
WORK = Path(".acbench/sample")
MARKER = WORK / "images/sample.json"
"""Its rendering is done."""
RENDERING = [random.Random(seed).uniform(0.2, 3) for seed in range(3)]
WORKING = [random.Random(seed).uniform(0.2, 4) for seed in range(3, 18)]
REVIEWING = [random.Random(seed).uniform(0.2, 1.2) for seed in range(18, 28)]
"""Seconds from the start of each command to its end."""
DYING = """
import os, signal, sys
from acbench.storage import tables as store
from acbench.cli import main
from acbench.storage.ledger import Ledger

left = int(sys.argv.pop(1))


def dying(work):
    def step(*arguments):
        global left
        work(*arguments)
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
    return step


store.write_bytes, Ledger.made = dying(store.write_bytes), dying(Ledger.made)
main()
"""
"""acbench, but killed after so many steps: a file is written, then the ledger is told."""


def finish(process: subprocess.Popen[str], status: int = 0) -> Done:
    """Wait for its end; what was done before it does not look edited."""
    done = commands.finish(process, status)
    assert "is not as the last run here left it" not in done.err
    return done


def wait_for(path: Path) -> None:
    """Until there is something in a file."""
    until = time.monotonic() + 120
    while not (path.is_file() and path.stat().st_size):
        assert time.monotonic() < until, f"{path} does not come"
        time.sleep(0.01)


def assert_same(project: Path, expected: dict[str, bytes]) -> None:
    found = made(project)
    assert list(found) == list(expected)
    assert [name for name, content in found.items() if content != expected[name]] == []


def renew(project: Path) -> None:
    """Take away all but the images."""
    images = project / WORK / "images"
    images.rename(project / "images")
    shutil.rmtree(project / ".acbench")
    shutil.rmtree(project / "annotations")
    images.parent.mkdir(parents=True)
    (project / "images").rename(images)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which one run did everything. Not to be changed."""
    project = tmp_path_factory.mktemp("whole")
    finish(start(project, *RELABEL))
    return project


@pytest.fixture
def answered(whole: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it with a filled-in queue."""
    project = Path(shutil.copytree(whole, tmp_path / "answered"))
    queue = project / WORK / "queue.csv"
    with queue.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with queue.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "label": "dent" if number % 3 else "unsure"} for number, row in enumerate(rows))
    yield project


def test_killed_at_any_moment_a_run_goes_on_to_the_same_end(whole: Path, tmp_path: Path) -> None:
    expected = made(whole)
    project = tmp_path / "project"
    for seconds in RENDERING:
        assert killed(start(project, *RELABEL), seconds)
    process = start(project, *RELABEL)
    wait_for(project / MARKER)
    assert killed(process, 0.3)
    ends = 0
    for seconds in WORKING:
        if not killed(start(project, *RELABEL), seconds):
            ends += 1
            assert_same(project, expected)
            renew(project)
    finish(start(project, *RELABEL))
    assert_same(project, expected)
    runs = finish(start(project, "runs", "--json")).facts
    assert runs[0]["outcome"] == "done"
    assert ends or [run["outcome"] for run in runs].count("killed") > len(WORKING) / 2


def test_killed_after_each_step_a_run_goes_on_to_the_same_end(whole: Path, tmp_path: Path) -> None:
    few = ("relabel", "sample", "--limit", "6", "--without", "neighbours")
    one, other = (tmp_path / name for name in ("one", "other"))
    for project in (one, other):
        shutil.copytree(whole / WORK / "images", project / WORK / "images")
    finish(start(one, *few))
    expected = made(one)
    steps, done = 0, False
    while not done:
        for step in (1, 2):  # 2: recorded, so that the next run goes one file further
            process = start(other, *few, program=("-c", DYING, str(step)))
            process.communicate()
            done = process.returncode == 0
            assert done or process.returncode == -signal.SIGKILL
            steps += not done
            assert steps < 200, "it does not get any further"
    assert steps > 20
    finish(start(other, *few))
    assert_same(other, expected)


def test_killed_while_it_takes_reviews_in_each_decision_is_there_once(answered: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(answered, tmp_path / "project"))
    queue = WORK / "queue.csv"
    finish(start(answered, *RELABEL, "--reviews", str(answered / queue), "--reviewer", "ada"))
    expected = made(answered)
    decisions = [json.loads(line) for line in expected["annotations/sample/reviews.jsonl"].splitlines()]
    assert len({(each["item_id"], each["round"]) for each in decisions}) == len(decisions) > 8
    assert {each["round"] for each in decisions} == {1}
    take = (*RELABEL, "--reviews", str(project / queue), "--reviewer", "ada")
    for seconds in REVIEWING:
        killed(start(project, *take), seconds)
    finish(start(project, *take))
    assert_same(project, expected)


@pytest.mark.parametrize("moment", ["rendering", "embedding"])
def test_it_can_be_stopped_and_meanwhile_nobody_else_gets_in(whole: Path, tmp_path: Path, moment: str) -> None:
    project = tmp_path / "project"
    if moment == "embedding":
        shutil.copytree(whole / WORK / "images", project / WORK / "images")
    process = start(project, *RELABEL)
    wait_for(project / ".acbench/lock")
    other = finish(start(project, *RELABEL), status=1).err
    assert f"another acbench is at work in {project} (process {process.pid})" in other
    time.sleep(1 if moment == "rendering" else 2)
    process.send_signal(signal.SIGINT)
    assert "Stopped. What was done is kept" in finish(process, status=130).err
    (run,) = finish(start(project, "runs", "--json")).facts
    assert run["outcome"] == "stopped"
    if moment == "embedding":
        finish(start(project, *RELABEL))
        assert_same(project, made(whole))
