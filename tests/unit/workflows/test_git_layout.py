"""Labels and reviews as a file for each category: every command reads and writes them as it does the one file."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acbench.release.pseudonyms import load_key
from acbench.storage import git_table
from acbench.storage.project import Project
from acbench.testing.trees import TOY_MVTEC_AD, toy_mvtec_ad
from acbench.workflows.app_desk import Desk
from tests.support.commands import Done, here_in
from tests.support.releases import build

KEPT = Path("annotations/mvtec_ac")
RELABEL = ("relabel", "mvtec_ac", "--without", "neighbours", "--audit", "1")
TABLES = ("labels", "reviews")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which one person has decided about every anomalous image but the screws. Not to be changed."""
    project = tmp_path_factory.mktemp("decided")
    images = toy_mvtec_ad(project / "images", {**TOY_MVTEC_AD, "metal_nut": ("bent", "color")})
    here_in(project, *RELABEL, "--root", images)
    take(project, "ada", "bottle", "metal_nut")
    return project


@pytest.fixture
def one_file(decided: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(decided, tmp_path / "one"))


@pytest.fixture
def project(one_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it with a file for each category, which stays so."""
    monkeypatch.setattr(git_table, "MAX_BYTES", 100)
    take(one_file, "bob", "bottle")
    assert names(one_file) == [
        "labels.meta.json",
        *(f"{table}/{category}.jsonl" for table in TABLES for category in categories(table)),
    ]
    return one_file


def categories(table: str) -> tuple[str, ...]:
    return ("bottle", "metal_nut", "screw") if table == "labels" else ("bottle", "metal_nut")


def take(project: Path, who: str, *of: str) -> Done:
    """Confirm what the dataset says of the anomalous images of some categories."""
    rows = Project(project).benchmark("mvtec_ac").labels.read()
    table = project / "decisions.csv"
    wanted = (row for row in rows if row.image.startswith(of) and row.labels not in ((), ("good",)))
    lines = [f"{row.item_id},{row.labels[0]}" for row in wanted]
    assert lines
    table.write_text("\n".join(["item_id,label", *lines]) + "\n", encoding="utf-8")
    return here_in(project, "review", "take", "mvtec_ac", table, "--reviewer", who)


def names(project: Path) -> list[str]:
    return sorted(path.relative_to(project / KEPT).as_posix() for path in (project / KEPT).rglob("*") if path.is_file())


def inodes(project: Path) -> dict[str, int]:
    return {name: (project / KEPT / name).stat().st_ino for name in names(project)}


def records(project: Path, table: str) -> list[Any]:
    """All rows of labels or reviews, without when they were said."""
    paths = [project / KEPT / name for name in names(project) if name.startswith(table) and name.endswith(".jsonl")]
    rows = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted(({**row, "when": ""} for row in rows), key=lambda row: (row["item_id"], row.get("reviewer", "")))


def status(project: Path) -> Any:
    return json.loads(here_in(project, "status", "mvtec_ac", "--json").out)["mvtec_ac"]


def test_the_same_is_in_both_layouts(decided: Path, project: Path, tmp_path: Path, monkeypatch: Any) -> None:
    other = Path(shutil.copytree(decided, tmp_path / "other"))
    monkeypatch.setattr(git_table, "MAX_BYTES", 10**6)
    Project(other).benchmark("mvtec_ac").reviews.write(Project(project).benchmark("mvtec_ac").reviews.read())
    here_in(other, *RELABEL)
    monkeypatch.setattr(git_table, "MAX_BYTES", 100)
    assert names(other) == ["labels.jsonl", "labels.meta.json", "reviews.jsonl"]
    for table in TABLES:
        assert records(project, table) == records(other, table)
    work = "../../.acbench/mvtec_ac"
    for name in ("labels.meta.json", f"{work}/queue.csv", f"{work}/report.json"):
        assert (project / KEPT / name).read_bytes() == (other / KEPT / name).read_bytes(), name
    for command in (("review", "people", "--json"), ("review", "report", "mvtec_ac", "--json")):
        assert here_in(project, *command).out == here_in(other, *command).out
    key = Path(".acbench/mvtec_ac/pseudonyms.key")
    load_key(project / key)
    shutil.copy(project / key, other / key)
    one, two = (build(each, "mvtec_ac", version="1.0.0").folder for each in (project, other))
    published = {path.name: path.read_bytes() for path in one.rglob("*.parquet")}
    assert published == {path.name: path.read_bytes() for path in two.rglob("*.parquet")} and published


def test_a_run_with_nothing_to_do_writes_nothing(project: Path) -> None:
    before = inodes(project)
    here_in(project, *RELABEL)
    assert inodes(project) == before
    assert status(project)["notes"] == []
    states = {file["path"]: file["state"] for file in status(project)["artifacts"]}
    assert {path: state for path, state in states.items() if path.startswith(str(KEPT))} == {
        **{str(KEPT / f"labels/{category}.jsonl"): "as made" for category in categories("labels")},
        str(KEPT / "labels.meta.json"): "as made",
    }


def test_decisions_about_one_category_write_its_files(project: Path) -> None:
    before = inodes(project)
    done = take(project, "eve", "screw")
    assert done.out.rstrip().endswith(str(project / KEPT / "reviews"))
    after = inodes(project)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"labels/screw.jsonl", "labels.meta.json", "reviews/screw.jsonl"}
    assert "labels" in here_in(project, *RELABEL).out


def test_a_press_in_the_app_does_too(project: Path) -> None:
    before = inodes(project)
    item = next(row for row in records(project, "labels") if "screw/test/" in row["image"])
    desk = Desk(project, "mvtec_ac", "zoe")
    desk.decide(item["item_id"], ["unsure"], where="x", note="", seconds=1.0)
    assert [row["reviewer"] for row in records(project, "reviews") if row["item_id"] == item["item_id"]] == ["zoe"]
    assert desk.open_items([item["item_id"]]) == []
    after = inodes(project)
    assert {name for name in after if after[name] != before.get(name)} == {"reviews/screw.jsonl"}


def test_it_goes_back_to_the_same_bytes(decided: Path, project: Path, tmp_path: Path, monkeypatch: Any) -> None:
    expected = {name: (decided / KEPT / name).read_bytes() for name in names(decided)}
    other = Path(shutil.copytree(decided, tmp_path / "other"))
    take(other, "zoe", "metal_nut")
    assert "reviews.jsonl" not in names(other) and other.joinpath(KEPT, "labels/screw.jsonl").exists()
    monkeypatch.setattr(git_table, "MAX_BYTES", 10**6)
    for row in (other / KEPT / "reviews").glob("*.jsonl"):
        kept = [line for line in row.read_text().splitlines(keepends=True) if '"reviewer": "zoe"' not in line]
        row.write_text("".join(kept))
    for copy in (other / ".acbench/mvtec_ac").glob("reviews-*.jsonl"):
        copy.unlink()
    here_in(other, *RELABEL)
    assert {name: (other / KEPT / name).read_bytes() for name in names(other) if "reviews" not in name} == {
        name: data for name, data in expected.items() if "reviews" not in name
    }
    assert records(other, "reviews") == records(decided, "reviews")


def test_an_export_names_the_files_of_now(decided: Path, project: Path, tmp_path: Path, monkeypatch: Any) -> None:
    other, out = Path(shutil.copytree(decided, tmp_path / "other")), tmp_path / "out"

    def exported(*more: str) -> dict[str, int]:
        here_in(other, *RELABEL, "--out", out, *more)
        entries = json.loads((out / "records.json").read_text())["records"]
        return {entry["name"]: entry["rows"] for entry in entries if entry["kind"] in ("Label", "Review")}

    rows = {table: len(records(other, table)) for table in TABLES}
    monkeypatch.setattr(git_table, "MAX_BYTES", 10**6)
    assert exported() == {f"{table}.jsonl": rows[table] for table in TABLES}
    monkeypatch.setattr(git_table, "MAX_BYTES", 100)
    take(other, "bob", "bottle")
    named = exported()
    assert set(named) == {f"{table}/{category}.jsonl" for table in TABLES for category in categories(table)}
    assert sum(named.values()) == sum(len(records(other, table)) for table in TABLES)
    assert all((out / name).read_bytes() == (other / KEPT / name).read_bytes() for name in named)
    assert (out / "labels.jsonl").exists(), "other files at the destination stay"
    before = (out / "records.json").read_bytes()
    assert "holds the same records already" in here_in(other, *RELABEL, "--out", out).err
    assert (out / "records.json").read_bytes() == before


class TestLost:
    def back(self, told: str, mark: str) -> None:
        """Type what the message says."""
        command = told.partition(mark)[2].partition("\n")[0]
        assert command, told
        subprocess.run(command, shell=True, check=True)

    def test_a_file_that_is_gone_stops_a_run_and_comes_back(self, project: Path) -> None:
        rows, before = records(project, "reviews"), names(project)
        (project / KEPT / "reviews/metal_nut.jsonl").unlink()
        told = here_in(project, *RELABEL, status=1).err
        assert "that the last run found in it" in told and "ada said" in told
        self.back(told, "get them back: ")
        here_in(project, *RELABEL)
        assert records(project, "reviews") == rows and names(project) == before

    def test_all_of_them(self, project: Path) -> None:
        rows = records(project, "reviews")
        shutil.rmtree(project / KEPT / "reviews")
        told = here_in(project, *RELABEL, status=1).err
        assert "reviews.jsonl is gone" in told
        self.back(told, "get them back: ")
        here_in(project, *RELABEL)
        assert records(project, "reviews") == rows

    def test_a_damaged_one_is_set_aside_for_the_copy(self, project: Path) -> None:
        rows = records(project, "reviews")
        path = project / KEPT / "reviews/bottle.jsonl"
        path.write_bytes(path.read_bytes()[:-30])
        told = here_in(project, *RELABEL, status=1).err
        assert f"{path}, line " in told and "not JSON" in told
        self.back(told, "or take the copy of the last run: ")
        here_in(project, *RELABEL)
        aside = project / KEPT / "reviews.aside"
        assert {path.name for path in aside.iterdir()} == {"bottle.jsonl", "metal_nut.jsonl"}
        shutil.rmtree(aside)
        assert records(project, "reviews") == rows

    def test_labels_that_are_gone_are_made_anew(self, project: Path) -> None:
        expected = {name: (project / KEPT / name).read_bytes() for name in names(project)}
        (project / KEPT / "labels/bottle.jsonl").unlink()
        here_in(project, *RELABEL)
        assert {name: (project / KEPT / name).read_bytes() for name in names(project)} == expected

    def test_an_edit_of_a_label_is_kept_aside(self, project: Path) -> None:
        path = project / KEPT / "labels/bottle.jsonl"
        expected, edited = path.read_bytes(), path.read_bytes().replace(b'"accepted"', b'"excluded"', 1)
        path.write_bytes(edited)
        told = here_in(project, *RELABEL).err
        assert "labels/bottle.jsonl is not as the last run here left it" in told
        (copy,) = (project / ".acbench/mvtec_ac").glob("labels-before-*.jsonl")
        assert copy.read_bytes() == edited and path.read_bytes() == expected


def repository(folder: Path) -> Callable[..., str]:
    """Git in a folder, of which it has the annotations."""

    def run(*arguments: str, status: int = 0) -> str:
        names_ = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
        done = subprocess.run(("git", *names_, *arguments), cwd=folder, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    if not (folder / ".git").exists():
        (folder / ".gitignore").write_text("*\n!.gitignore\n!annotations/**\n")
        run("init", "-q")
        run("add", "-f", "annotations")
        run("commit", "-qm", "decided")
    return run


class TestMerged:
    @pytest.fixture
    def git(self, one_file: Path) -> Callable[..., str]:
        """Git in the project, of which it has the annotations."""

        return repository(one_file)

    def test_decisions_of_two_branches_are_all_kept(
        self, one_file: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git("checkout", "-qb", "eve")
        take(one_file, "eve", "screw")
        git("commit", "-qam", "eve")
        git("checkout", "-q", "main")
        here_in(one_file, *RELABEL, status=1)  # what eve said is gone here: her branch is another
        for copy in (one_file / ".acbench/mvtec_ac").glob("reviews-*.jsonl"):
            copy.unlink()
        monkeypatch.setattr(git_table, "MAX_BYTES", 100)
        take(one_file, "bob", "bottle")
        git("add", "-A", "-f", "annotations")
        git("commit", "-qm", "bob")
        git("merge", "-q", "eve", status=1)  # the one file was changed there, and is no more, or another's, here
        for path in (one_file / KEPT).rglob("*.jsonl"):
            marks = ("<<<<<<<", "=======", ">>>>>>>")
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join(line for line in lines if not line.startswith(marks)))
        git("add", "-A", "-f", "annotations")
        git("commit", "-qm", "merged")
        assert "labels.jsonl" in names(one_file) or "reviews.jsonl" in names(one_file)
        people = {row["name"] for row in json.loads(here_in(one_file, "review", "people", "--json").out)}
        assert people == {"ada", "bob", "eve"}
        told = here_in(one_file, *RELABEL).err
        assert "decisions lay in one file and in files of categories" in told
        assert {"labels.jsonl", "reviews.jsonl"}.isdisjoint(names(one_file))
        said = {(row["reviewer"], row["item_id"].split("-")[1]) for row in records(one_file, "reviews")}
        assert said == {("ada", "bottle"), ("ada", "metal_nut"), ("bob", "bottle"), ("eve", "screw")}
        label = next(row for row in records(one_file, "labels") if row["image"].startswith("screw/test/s"))
        assert label["decided_by"] == "people" and status(one_file)["notes"] == []

    @pytest.mark.parametrize("size", [100, 10**6])
    def test_labels_that_a_clone_made_of_other_images_are_counted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        monkeypatch.setattr(git_table, "MAX_BYTES", size)
        one, other = tmp_path / "bottles", tmp_path / "nuts"
        here_in(one, *RELABEL, "--root", toy_mvtec_ad(tmp_path / "a", {"bottle": ("contamination",)}))
        git = repository(one)
        git("clone", "-q", str(one), str(other))
        here_in(other, *RELABEL, "--root", toy_mvtec_ad(tmp_path / "b", {"metal_nut": ("bent",)}))
        there = repository(other)
        there("add", "-A", "-f", "annotations")
        there("commit", "-qm", "nuts")
        counts = KEPT / "labels.meta.json"
        own = (one / counts).read_bytes()
        git("pull", "-q", "--no-rebase", "--no-ff", "--no-commit", str(other), "main")
        git("checkout", "HEAD", "--", str(counts))  # as whoever keeps their own side of a conflict
        git("commit", "-qm", "merged")
        rows = records(one, "labels")
        assert rows == records(other, "labels") and (one / counts).read_bytes() == own
        here_in(one, *RELABEL)
        assert records(one, "labels") == rows
        assert (one / counts).read_bytes() == (other / counts).read_bytes() != own
        before = inodes(one)
        here_in(one, *RELABEL)
        assert inodes(one) == before

    def test_labels_that_differ_are_refused_to_readers_and_made_anew(
        self, project: Path, decided: Path, tmp_path: Path
    ) -> None:
        shutil.copy(decided / KEPT / "labels.jsonl", project / KEPT)  # of before bob
        answers = tmp_path / "answers.csv"
        answers.write_text("item_id,label\nx,good\n")
        told = here_in(project, "score", "mvtec_ac", "--predictions", answers, status=1).err
        assert "there are two rows of mvtec_ad-bottle-" in told and "acbench relabel mvtec_ac" in told
        expected = {name: (project / KEPT / name).read_bytes() for name in names(project) if name != "labels.jsonl"}
        here_in(project, *RELABEL)
        assert {name: (project / KEPT / name).read_bytes() for name in names(project)} == expected
