"""Scoring against a release, which is what the others have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acbench.records import Label
from acbench.storage.tables import read
from acbench.testing import toy_visa
from tests.support.commands import here
from tests.support.releases import build, rehash

Score = Callable[..., str]
RELEASE = ".acbench/visa_ac/release"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release of it, and answers. Not to be changed."""
    project = tmp_path_factory.mktemp("project")
    build(project, root=toy_visa(project / "images"))
    labels = read(project / "annotations/visa_ac/labels.jsonl", Label)
    lines = [f"{label.image},{' + '.join(label.labels) or 'good'}\n" for label in labels]
    (project / "answers.csv").write_text("".join(["image,label\n", *lines]))
    return project


@pytest.fixture
def score(project: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    """Run the command in the project's folder; gives its output, or what it said if it ends otherwise than told."""

    def run(*arguments: str, status: int = 0) -> str:
        monkeypatch.chdir(project)
        done = here("score", *arguments)
        assert done.status == status, done.said
        return done.out if status == 0 else done.err

    return run


ANSWERS = ("--predictions", "answers.csv")


def copied(project: Path, folder: Path, *, known: bool = True, status: str = "") -> None:
    """The release there as well; every test image has that status. Unless `known`, its schema is not the bundled one,
    and not in it, as in format 2."""
    shutil.copytree(project / RELEASE, folder, dirs_exist_ok=True)
    if not known:
        manifest = json.loads((folder / "release.json").read_bytes())
        del manifest["files"]["label_schema.yaml"]
        (folder / "label_schema.yaml").unlink()
        (folder / "release.json").write_text(json.dumps({**manifest, "schema_digest": "0" * 16}))
    for table in folder.rglob("test-*.parquet") if status else ():
        rows = pq.read_table(table)
        column = pa.array([status] * len(rows))
        pq.write_table(rows.set_column(rows.column_names.index("status"), "status", column), table)
        rehash(folder, table.relative_to(folder).as_posix())


@pytest.mark.parametrize("view", ["published", "sets"])
@pytest.mark.parametrize("more", [(), ("--category", "pcb4")])
def test_a_release_scores_as_the_project_it_is_of(score: Score, view: str, more: tuple[str, ...]) -> None:
    of_project, of_release = (
        json.loads(score(*given, *ANSWERS, *more, "--view", view, "--json"))
        for given in (("visa_ac",), ("--truth", RELEASE))
    )
    assert of_project["counts"]["pooled"]["items"] > 0
    assert of_project.pop("part") and of_release.pop("part") is None  # a release is whole as it is
    assert of_release == of_project


def test_it_is_named_and_leaves_nothing_unless_told(score: Score, project: Path, tmp_path: Path) -> None:
    before = sorted(project.rglob("*"))
    assert f"Truth: VisA-AC 1.0.0, {RELEASE}\n" in score("--truth", RELEASE, *ANSWERS)
    assert sorted(project.rglob("*")) == before
    score("visa_ac", "--truth", RELEASE, *ANSWERS, "--out", str(tmp_path / "score"))
    assert (tmp_path / "score" / "score.json").is_file()


def test_without_its_schema_the_published_classes_are_known(score: Score, project: Path, tmp_path: Path) -> None:
    copied(project, tmp_path, known=False)
    whole, bare = (json.loads(score("--truth", str(each), *ANSWERS, "--json")) for each in (RELEASE, tmp_path))
    assert bare["scores"]["accuracy"]["pooled"] == whole["scores"]["accuracy"]["pooled"]
    assert (
        bare["hashes"]["labels"] == whole["hashes"]["labels"] and bare["hashes"]["schema"] != whole["hashes"]["schema"]
    )
    assert "without its schema: class ids alone are known" in score("--truth", str(tmp_path), *ANSWERS)
    assert "sets of classes need the schema" in score("--truth", str(tmp_path), *ANSWERS, "--view", "sets", status=1)


@pytest.mark.parametrize("known", [True, False], ids=["with its schema", "without"])
def test_a_status_that_there_is_none_of_is_said(score: Score, project: Path, tmp_path: Path, known: bool) -> None:
    copied(project, tmp_path, known=known, status="\x1b[31mfine")
    said = score("--truth", str(tmp_path), *ANSWERS, status=1)
    assert "there is no status '\\x1b[31mfine'" in said and "\x1b" not in said


@pytest.mark.parametrize("known", [True, False], ids=["with its schema", "without"])
def test_a_part_of_a_release_is_about_that_part(score: Score, project: Path, tmp_path: Path, known: bool) -> None:
    copied(project, tmp_path, known=known)
    whole, pcb4, candle = (
        json.loads(score("--truth", str(tmp_path), *ANSWERS, *more, "--json"))
        for more in ((), ("--category", "pcb4"), ("--category", "candle"))
    )
    assert pcb4["categories"] == ["pcb4"] and pcb4["hashes"]["schema"] == whole["hashes"]["schema"]
    for why, count in whole["left_out"].items():
        assert count == pcb4["left_out"].get(why, 0) + candle["left_out"].get(why, 0)
    assert "there is no category 'teapot'" in score(
        "--truth", str(tmp_path), *ANSWERS, "--category", "teapot", status=1
    )
    copied(project, tmp_path, known=known, status="pending")
    said = score("--truth", str(tmp_path), *ANSWERS, status=1)
    assert "no item of visa_ac has an accepted label\n  → give another release" in said


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--truth", "images"), 1, "images: release.json: there is no such file"),
        (("--truth", "nosuch"), 1, "neither a folder nor ORG/NAME"),
        (("--truth", "no/such.csv"), 1, "no/such.csv"),
        (("mvtec_ac", "--truth", RELEASE), 1, "is a release of visa_ac, not of mvtec_ac"),
        (("--truth", RELEASE, "--category", "teapot"), 1, "there is no category 'teapot'"),
    ],
)
def test_what_is_no_release_is_said(score: Score, arguments: tuple[str, ...], status: int, message: str) -> None:
    assert message in score(*arguments, *ANSWERS, status=status)


def test_a_name_keeps_scores_apart(score: Score, project: Path) -> None:
    folder = project / ".acbench/visa_ac/scores"
    for name in ("mine", "theirs/../x"):
        assert score("visa_ac", *ANSWERS, "--name", name).startswith(f"{name} on visa_ac: ")
    assert {path.name for path in folder.iterdir()} >= {"mine", "theirs_.._x"}
    assert json.loads((folder / "mine" / "score.json").read_text())["system"] == "mine"


@pytest.mark.parametrize(
    "arguments",
    [
        ("visa_ac", *ANSWERS, "--name", " "),
        ("visa_ac", "--compare", "a.csv", "b.csv", "--name", "x"),
        ("visa_ac", "--system", "velm", "--detector", "oracle"),
        ("visa_ac", "--system", "velm", "--false-alarms", "0.1"),
        ("visa_ac", "--system", "velm", "--gate", "10:1"),
        ("visa_ac", "--system", "majority", "--gate", "10:1", "--false-alarms", "0.1"),
        ("visa_ac", "--system", "majority", "--gate", "10"),
        ("visa_ac", "--system", "majority", "--gate", "10:0"),
        ("visa_ac", "--system", "velm", "--input-size", "96"),
        ("visa_ac", "--truth", "x.csv", *ANSWERS),
    ],
)
def test_what_would_be_ignored_is_wrong_usage(score: Score, arguments: tuple[str, ...]) -> None:
    assert "Usage: " in score(*arguments, status=2)
