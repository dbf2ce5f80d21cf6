"""`acbench report` as people call it: its size, whom it names, and what it says of what it left out."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from acbench.testing import toy_mvtec_ad
from tests.support.commands import here_in

WORK = Path(".acbench/mvtec_ac")
NAME = "Ada Lovelace"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of toys of which Ada has decided three images: one otherwise, of one she is unsure."""
    folder = tmp_path_factory.mktemp("project")
    root = toy_mvtec_ad(tmp_path_factory.mktemp("data"), train=1, good=1, each=2)
    here_in(folder, "relabel", "mvtec_ac", "--root", root, "--without", "neighbours", "--audit", "1")
    with (folder / WORK / "queue.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["image"].startswith("bottle/test/broken_large")]
    first, second, *_ = rows
    first |= {"label": "contamination", "note": f"so says {NAME}"}
    second["label"] = "unsure"
    with (folder / "done.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, first)
        writer.writeheader()
        writer.writerows([first, second])
    here_in(folder, "review", "take", "mvtec_ac", folder / "done.csv", "--reviewer", NAME)
    return folder


def test_it_names_those_who_decided_and_says_so(project: Path) -> None:
    done = here_in(project, "report", "mvtec_ac")
    assert "It names 1 person who decided; --pseudonyms names nobody." in done.out
    assert NAME in (project / WORK / "report.html").read_text(encoding="utf-8")


def test_with_pseudonyms_it_names_nobody(project: Path, tmp_path: Path) -> None:
    pages = []
    for name in ("one.html", "two.html"):
        done = here_in(project, "report", "mvtec_ac", "--pseudonyms", "--out", tmp_path / name)
        assert "It names" not in done.out
        pages.append((tmp_path / name).read_text(encoding="utf-8"))
    assert NAME not in pages[0] and "so says reviewer-" in pages[0] and "unsure: reviewer-" in pages[0]
    assert pages[0] == pages[1]


def test_what_has_no_room_is_named(project: Path, tmp_path: Path) -> None:
    page = tmp_path / "small.html"
    facts = here_in(project, "report", "mvtec_ac", "--json", "--out", page).facts
    assert (facts["file"], facts["bytes"]) == (str(page), page.stat().st_size)
    assert facts["images"] == facts["pictures"] == 10 and facts["large"] == 10
    bare = facts["bytes"] - sum(len(part) for part in page.read_text().split('"') if len(part) > 2000)
    done = here_in(project, "report", "mvtec_ac", "--max-size", str(bare + 9000), "--out", page)
    assert page.stat().st_size <= bare + 9000
    assert "have no room for the pictures of mvtec_ad-" in done.out and "give a larger --max-size" in done.out
    done = here_in(project, "report", "mvtec_ac", "--max-size", "12kB", status=1)
    assert "without any picture" in done.err and "--max-size 1MB" in done.err


@pytest.mark.parametrize("size", ["much", "0", "-1MB", "20 miles", "9e9", "4GB", ""])
def test_a_size_that_is_none_is_refused(project: Path, size: str) -> None:
    done = here_in(project, "report", "mvtec_ac", f"--max-size={size}", status=2)
    assert "--max-size" in done.err and ("20MB" in done.err or "between nothing and 1GB" in done.err)


@pytest.mark.parametrize("size", ["20MB", "20 mb", "19.5MiB", "20000000"])
def test_a_size_has_any_common_unit(project: Path, size: str) -> None:
    assert here_in(project, "report", "mvtec_ac", "--max-size", size, "--json").facts["bytes"] < 20_500_000


def test_the_error_by_day_falls_and_ends_with_what_the_plan_says_now(project: Path, tmp_path: Path) -> None:
    """Replayed from the dates of the decisions: the last day is today's figure, the first is that without decisions."""

    from acbench.workflows.relabel import relabel
    from acbench.workflows.report_error import errors_by_day
    from tests.support.releases import at_work

    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    (reviews,) = (copy / "annotations").glob("*/reviews.jsonl")
    rows = [json.loads(line) for line in reviews.read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows):
        row["when"] = f"2026-01-{1 + number % 3:02}T10:00:00+00:00"
    reviews.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with at_work(copy, reviews.parent.name) as run:
        report, queue = relabel(run)
        found = errors_by_day(queue)
    days = sorted({row["when"][:10] for row in rows})
    assert [each.day for each in found] == ["2025-12-31", *days]
    assert report.plan is not None and found[-1].expected == pytest.approx(report.plan.curve[0].expected)
    assert found[0].decided == 0 and [each.decided for each in found] == sorted(each.decided for each in found)
    assert found[-1].decided == report.plan.decided > 0
