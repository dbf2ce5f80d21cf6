"""Whatever happens to a file of a project, a command says which file it is and what to do, or makes it again.

Each command meets a few of the ways in which a file can be damaged, chosen by a seed. ACBENCH_DAMAGES=200 tries more,
ACBENCH_DAMAGE_SEED=2 others.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from acbench.data import copied as copied_datasets
from acbench.data import linked
from acbench.data.sample import render
from acbench.errors import StorageError
from acbench.integrations.fiftyone import dataset as app_dataset
from acbench.integrations.label_studio import server
from acbench.review.annotation_tool import ToolProject
from acbench.review.pull import read_undecided, read_unread, write_undecided, write_unread
from acbench.review.push import BatchNote
from tests.support import damage
from tests.support.commands import here, here_in
from tests.support.sample import copied, project_with_images

MOST = int(os.environ.get("ACBENCH_DAMAGES", "5"))
"""Damages of each kind that a command meets."""
SEED = os.environ.get("ACBENCH_DAMAGE_SEED", "1")
ALWAYS = ("a folder", "empty", "only [[[[[[[[[[")
"""Damages that every command meets."""
VALUES = ("x", "", "{", "[" * 9999, "null", -1, 2**62, 1.5, b"\xff\xfe", "NaN")
"""What stands in the ledger where another value should."""
WORK, KEPT = Path(".acbench/sample"), Path("annotations/sample")
RELABEL = ("relabel", "sample")
SCORE = ("score", "sample", "--system", "majority")

MACHINES: dict[Path, tuple[tuple[str, ...], ...]] = {
    WORK / "items.parquet": (RELABEL,),
    WORK / "findings.parquet": (RELABEL,),
    WORK / "proposals/source_label.parquet": (RELABEL,),
    WORK / "triage.parquet": (RELABEL,),
    WORK / "report.json": (RELABEL, ("status", "sample")),
    WORK / "lost_classes.txt": (RELABEL,),
    WORK / "predictions/majority.parquet": (SCORE,),
    WORK / "predictions/majority.json": (SCORE,),
    KEPT / "labels.meta.json": (RELABEL,),
}
"""Files that machines make again → commands that read them; the first makes them."""
PEOPLES: dict[Path, tuple[tuple[str, ...], ...]] = {
    WORK / "settings.json": (RELABEL,),
    Path(".acbench/llm.json"): (RELABEL, ("llm", "list"), ("llm", "add", "other", "--model", "gpt-4o")),
    KEPT / "reviews.jsonl": (RELABEL, ("status", "sample"), ("review", "people")),
    KEPT / "plan.json": (RELABEL,),
    KEPT / "labels.jsonl": (SCORE,),
}
"""Files that people made, or that hold what is not at hand → commands that only read them."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, sample_images: Path) -> Path:
    """A project with all that a project can hold without a server. Not to be changed."""
    project = project_with_images(tmp_path_factory.mktemp("whole"), sample_images)
    here_in(project, *RELABEL, "--limit", "3", "--without", "neighbours", "--audit", "0.5")
    rows = [json.loads(line) for line in (project / KEPT / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    table = project / "decisions.csv"
    table.write_text("item_id,label\n" + "".join(f"{row['item_id']},unsure\n" for row in rows[::3]), encoding="utf-8")
    here_in(project, "review", "take", "sample", table, "--reviewer", "ada")
    here_in(project, "plan", "sample")
    here_in(project, *RELABEL)
    here_in(project, *SCORE)
    here_in(project, "llm", "add", "mini", "--model", "gpt-4o-mini", "--price", "0.15/0.60")
    return project


@pytest.fixture(scope="module")
def project(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it, to be brought back with `reset`."""
    return copied(whole, tmp_path_factory.mktemp("damaged") / "project")


def reset(project: Path, whole: Path) -> None:
    """Bring a copy back, but for images and pictures, which nothing here changes."""

    def files(folder: Path) -> set[Path]:
        found = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
        return {path.relative_to(folder) for path in found if not {"images", "evidence"} & {*path.parts}}

    for name in files(project) - files(whole):
        (project / name).unlink()
    for name in files(whole):
        damage.restore(whole / name, project / name)


def chosen(path: Path, command: tuple[str, ...]) -> Iterator[damage.Damage]:
    """Some ways to damage a file, others for each command."""
    random_ = random.Random(f"{SEED} {path.name} {command}")
    found = damage.ways(path, random_)
    always = [each for each in found if each.name in ALWAYS]
    others = [each for each in found if each.name not in ALWAYS]
    return iter([*always, *random_.sample(others, min(MOST, len(others)))])


def content(path: Path) -> bytes | str:
    return str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else "a folder"


@pytest.mark.parametrize("name", MACHINES, ids=lambda name: name.name)
def test_what_machines_made_is_made_again_or_named(project: Path, whole: Path, name: Path) -> None:
    for command in MACHINES[name]:
        for each in chosen(whole / name, command):
            reset(project, whole)
            each.do(project / name)
            done = here(*command, "--project", project)
            about = f"{name.name}: {each.name}: {' '.join(command)}: {done.said}"
            assert done.status in (0, 1), about
            if done.status:
                assert str(project / name) in done.err and "\n  → " in done.err, about
            elif command == MACHINES[name][0]:
                assert (project / name).read_bytes() == (whole / name).read_bytes(), about


@pytest.mark.parametrize("name", PEOPLES, ids=lambda name: name.name)
def test_what_people_made_is_named_and_stays(project: Path, whole: Path, name: Path) -> None:
    for command in PEOPLES[name]:
        for each in chosen(whole / name, command):
            reset(project, whole)
            each.do(project / name)
            before = content(project / name)
            done = here(*command, "--project", project)
            about = f"{name.name}: {each.name}: {' '.join(command)}: {done.said}"
            if done.status == 1:
                assert each.may_be_sound or str(project / name) in done.err, about
                assert "\n  → " in done.err and content(project / name) == before, about
            elif done.status:
                assert done.status == 3 and each.may_be_sound, about
            elif each.name in ("cut", "zeros", "garbage", "a folder", "UTF-16", "a link to itself"):
                assert name.suffix == ".jsonl" and each.name == "cut", about  # between two lines


def test_labels_that_cannot_be_read_are_not_overwritten(project: Path, whole: Path) -> None:
    """They may be of images that are not at hand."""
    name = KEPT / "labels.jsonl"
    for each in chosen(whole / name, RELABEL):
        reset(project, whole)
        each.do(project / name)
        before = content(project / name)
        done = here(*RELABEL, "--project", project)
        about = f"{each.name}: {done.said}"
        if done.status:
            assert str(project / name) in done.err and "\n  → " in done.err and content(project / name) == before, about
        else:  # with the row of another image, perhaps
            rows = (project / name).read_bytes().splitlines()
            assert set((whole / name).read_bytes().splitlines()) <= set(rows), about


def test_a_copy_of_the_reviews_that_is_damaged_is_made_anew(project: Path, whole: Path) -> None:
    (name,) = (path.relative_to(whole) for path in (whole / WORK).glob("reviews-*.jsonl"))
    for each in chosen(whole / name, RELABEL):
        reset(project, whole)
        each.do(project / name)
        done = here(*RELABEL, "--project", project)
        assert done.status == 0 or name.name in done.err, f"{each.name}: {done.said}"
        assert (project / KEPT / "reviews.jsonl").read_bytes() == (whole / KEPT / "reviews.jsonl").read_bytes()


def test_rows_of_the_ledger_that_no_version_wrote_are_no_fault(project: Path, whole: Path) -> None:
    """Its pages are sound and a value is not, as where somebody has edited it."""
    reset(project, whole)
    with closing(sqlite3.connect(project / ".acbench/ledger.sqlite")) as ledger:
        tables = [row[0] for row in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [(table, row[1]) for table in tables for row in ledger.execute(f"PRAGMA table_info({table})")]
    assert len(columns) > 30
    random_ = random.Random(SEED)
    for table, column in columns:
        for value in random_.sample(VALUES, min(len(VALUES), -(-MOST // 5))):
            reset(project, whole)
            place = project / ".acbench/ledger.sqlite"
            with closing(sqlite3.connect(place, isolation_level=None)) as ledger, suppress(sqlite3.Error):
                ledger.execute(f"UPDATE {table} SET {column} = ?", (value,))  # several rows may not get one key
            for command in (RELABEL, ("runs",)):
                done = here(*command, "--project", project)
                about = f"{table}.{column} = {value!r:.20}: {' '.join(command)}: {done.said}"
                assert done.status == 0 or (done.status == 1 and "ledger" in done.err and "\n  → " in done.err), about


class TestSmallFiles:
    """Files that only servers and foreign programs lead to: they are read without them."""

    TOOL = ToolProject(number=1, uid="12345678", title="t", tasks=1, annotators=1, form_is_ours=True)

    def tries(self, path: Path, read: Callable[[], Any]) -> None:
        whole = path.with_name("whole" + path.suffix)
        shutil.copy(path, whole)
        random_ = random.Random(SEED)
        for each in damage.ways(whole, random_):
            damage.restore(whole, path)
            each.do(path)
            try:
                read()
            except StorageError as error:
                assert str(path) in error.message and error.hint, each.name

    def test_of_the_annotation_tool(self, tmp_path: Path) -> None:
        path = tmp_path / "undecided.json"
        write_undecided(path, [("sample-washer-0123456789ab", 1)])
        self.tries(path, lambda: read_undecided(path))
        path = tmp_path / "unread.json"
        write_unread(path, {"unknown_class": 2})
        self.tries(path, lambda: read_unread(path))

    def test_of_a_batch_under_way(self, tmp_path: Path) -> None:
        path = tmp_path / "sent.json"
        path.write_text(json.dumps({"project": "12345678", "sent": 1.5, "keys": [["sample-washer-0123456789ab", 1]]}))
        note = BatchNote(path)
        self.tries(path, lambda: note.pending(self.TOOL))

    def test_of_the_server(self, tmp_path: Path) -> None:
        path = tmp_path / "server.json"
        path.write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": 1, "public": ""}))
        self.tries(path, lambda: server._last_started(tmp_path))

    def test_of_the_app(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(app_dataset, "find_dataset", lambda name: None)
        path = tmp_path / "app.json"
        path.write_text(json.dumps({"dataset": "acbench-x", "project": str(tmp_path)}))
        self.tries(path, lambda: app_dataset.dataset_of("sample", tmp_path, path))

    def test_of_copies(self, tmp_path: Path) -> None:
        (tmp_path / "set").mkdir()
        path = tmp_path / f"set{linked._KEYS}"
        path.write_text(json.dumps({"a.png": "0123"}))
        self.tries(path, lambda: linked._known(tmp_path / "set"))
        path = copied_datasets._key_file(tmp_path / "set")
        path.write_text(json.dumps("0123"))
        self.tries(path, lambda: copied_datasets._is_complete(tmp_path / "set", "0123"))

    def test_of_the_sample(self, tmp_path: Path) -> None:
        path = tmp_path / render.MARKER
        path.write_text(json.dumps({"version": "1"}))
        self.tries(path, lambda: render._version(tmp_path))
