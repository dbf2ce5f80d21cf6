"""`acbench plan` on the sample, and what other commands say of it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from acbench.data.sample import render as sample
from tests.support.commands import here, here_in
from tests.support.sample import copied, project_with_images

QUEUE = Path(".acbench/sample/queue.csv")
ERROR = "0.05"


@pytest.fixture(scope="module")
def planned(sample_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a plan. Not to be changed."""
    project = project_with_images(tmp_path_factory.mktemp("planned"), sample_images)
    said = here_in(project, "plan", "sample", "--error", ERROR).out
    assert "people still see" in said and "more images seen" in said and "annotations/sample/plan.json" in said
    return project


@pytest.fixture
def project(planned: Path, tmp_path: Path) -> Path:
    return copied(planned, tmp_path / "project")


def answered(project: Path) -> Path:
    """The queue as somebody fills it in who sees what the images show."""
    truth = sample.truth()
    with (project / QUEUE).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    path = project / "answers.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "label": " + ".join(truth.get(row["image"], ("good",)))} for row in rows)
    return path


def test_its_json_says_all_that_the_screen_says(project: Path) -> None:
    facts = here_in(project, "plan", "sample", "--json").facts
    assert facts["state"] == "followed" and facts["error"] == float(ERROR), "the error is kept"
    assert facts["to_see"] == facts["pending"] + facts["doubtful"] + facts["audit"] < facts["everything"]
    assert facts["minutes"] is None and "not known" in facts["pace"]
    assert Path(facts["picture"]).exists() and facts["curve"][0]["images"] == 0
    said = here_in(project, "plan", "sample").out
    assert facts["why"] in said and facts["rule"] in said


def test_people_who_follow_it_find_the_planted_errors_and_come_to_an_end(project: Path) -> None:
    for _ in range(6):
        report = here_in(project, "relabel", "sample", "--json").facts
        assert report["queue"]["waiting"] == report["plan"]["to_see"]
        if not report["plan"]["to_see"]:
            break
        here_in(project, "relabel", "sample", "--reviews", answered(project), "--reviewer", "ada")
    assert report["plan"]["holds"] and report["plan"]["at_most"] <= report["plan"]["allowed"]
    assert report["plan"]["everything"] > 20, "so many nobody has looked at"
    said = here_in(project, "relabel", "sample").out
    assert "the queue ends here: at most" in said and "The labels stand" in said
    assert "the queue ends here: at most" in here_in(project, "status", "sample").out
    assert "Next: the labels stand" in here_in(project, "plan", "sample").out


def test_it_can_be_dropped(project: Path) -> None:
    assert "the plan was dropped" in here_in(project, "plan", "sample", "--drop").out
    assert "make it: acbench plan sample" in here_in(project, "relabel", "sample").out


@pytest.mark.parametrize(
    "options", [("--error", "0"), ("--error", "0.9"), ("--drop", "--anew"), ("--drop", "--error", "0.1")]
)
def test_wrong_usage(options: tuple[str, ...], tmp_path: Path) -> None:
    done = here("plan", "sample", *options, "--project", tmp_path)
    assert done.status == 2 and done.out == ""


def test_compare_shows_what_calibrating_does(project: Path) -> None:
    here_in(project, "relabel", "sample", "--reviews", answered(project), "--reviewer", "ada")
    facts = here_in(project, "compare", "sample", "--json").facts["proposers"]["neighbours"]["reliability"]
    assert facts["judged_by"] == "people" and facts["before"]["n"] == facts["people"] == facts["after"]["n"]
    assert {"error", "brier", "log_loss", "curve"} <= facts["before"].keys() & facts["after"].keys()
    said = here_in(project, "compare", "sample").out
    assert "scores, as they are → calibrated" in said and "Platt scaling" in said
