"""A wrong label of a release: from whoever finds it to those who maintain the benchmark, by commands."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from acbench.testing import toy_mvtec_ad
from tests.support.commands import Done, here
from tests.support.releases import build

IMAGE = "bottle/test/broken_large/000.png"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release of labels only."""
    folder = tmp_path_factory.mktemp("project")
    build(folder, "mvtec_ac", root=toy_mvtec_ad(folder / "images"), categories=("bottle",))
    return folder


def correct(project: Path, file: Path, image: str, label: str, because: str = "a reason", *more: str) -> Done:
    release = project / ".acbench/mvtec_ac/release"
    return here("correct", release, image, "--label", label, "--because", because, "--out", file, *more)


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))


def test_what_somebody_reports_is_what_a_maintainer_takes_in(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "corrections.csv"
    assert correct(project, file, IMAGE, "contamination", "=a thread; see the rim").status == 0
    told = correct(project, file, "bottle\\test\\good\\000.PNG", "bad_image")
    assert "good → bad_image" in told.out and "has 2 rows" in told.out
    assert [(row["image"], row["current"], row["label"]) for row in rows(file)] == [
        (IMAGE, "broken_large", "contamination"), ("bottle/test/good/000.png", "good", "bad_image"),
    ]  # fmt: skip
    assert rows(file)[0]["note"] == "'=a thread; see the rim", "no spreadsheet runs it"
    command = told.out.splitlines()[-1].split()
    assert command == ["acbench", "relabel", "mvtec_ac", "--reviews", str(file), "--reviewer", "NAME"]
    taken = here(*command[1:-1], "ada", "--without", "neighbours", "--project", project)
    assert taken.status == 0 and "Reviews: 2 new" in taken.said
    kept = [json.loads(line) for line in (project / "annotations/mvtec_ac/reviews.jsonl").read_text().splitlines()]
    assert sorted((each["reviewer"], each["verdict"], *each["labels"]) for each in kept) == [
        ("ada", "bad_image"), ("ada", "label", "contamination"),
    ]  # fmt: skip


def test_a_name_is_written_by_whoever_has_it(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "corrections.csv"
    told = correct(project, file, IMAGE, "contamination", "x", "--reviewer", "bob")
    assert rows(file)[0]["reviewer"] == "bob"
    assert "--reviewer NAME" not in told.out
    assert correct(project, file, IMAGE, "contamination").status == 0, "somebody else may say something of it, too"
    assert [row["reviewer"] for row in rows(file)] == ["bob", ""]


def test_the_same_twice_is_one_row_and_something_else_is_refused(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "corrections.csv"
    correct(project, file, IMAGE, "contamination")
    before = file.read_bytes()
    assert "said so already" in correct(project, file, IMAGE, "contamination").out
    other = correct(project, file, IMAGE, "good")
    assert other.status == 1 and "line 2" in other.err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("image", "label", "because", "told"),
    [
        (IMAGE, "scratch", "x", "no class of bottle"),
        (IMAGE, "broken_large", "x", "is broken_large in"),
        ("bottle/test/broken_large/900.png", "good", "x", "such as bottle/test/broken_large/00"),
        (IMAGE, "good", "  ", "needs its reason"),
        (IMAGE, "good + contamination", "x", "do not go together"),
    ],
)
def test_what_cannot_be_is_refused(
    project: Path, tmp_path: Path, image: str, label: str, because: str, told: str
) -> None:
    file = tmp_path / "corrections.csv"
    refused = correct(project, file, image, label, because)
    assert refused.status == 1 and told in refused.err
    assert not file.exists()


def test_without_the_schema_the_classes_of_the_release_are_known(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acbench.workflows.correct.bundled_schema", lambda manifest: None)
    assert correct(project, tmp_path / "held.csv", IMAGE, "broken_small").status == 0, "the release holds its schema"
    monkeypatch.setattr("acbench.workflows.correct.released_schema", lambda release, manifest: None)
    file = tmp_path / "corrections.csv"
    assert "--schema FILE" in correct(project, file, IMAGE, "broken_small").err
    assert correct(project, file, IMAGE, "contamination").status == 0
    assert correct(project, tmp_path / "other.csv", IMAGE, "broken_small", "x", "--schema", "mvtec_ac").status == 0


def test_a_file_of_something_else_is_not_written_to(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("a,b\n1,2\n")
    refused = correct(project, file, IMAGE, "contamination")
    assert refused.status == 1 and "has no column" in refused.err
    assert file.read_text() == "a,b\n1,2\n"
