"""What people decided is not lost in silence: a file that lost rows, a merge, an edit of the schema."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from acbench.storage.bundled import bundled_folder
from acbench.testing import toy_mvtec_ad
from tests.support.commands import Done, here_in

RELABEL = ("--without", "neighbours", "--category", "bottle")
KEPT = Path("annotations/mvtec_ac")
SAID = {"000": "contamination", "001": "good", "002": "unsure"}


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a schema of its own and two people's decisions about broken bottles. Not to be changed."""
    project = tmp_path_factory.mktemp("decided")
    toy_mvtec_ad(project / "images")
    text = bundled_folder("label_schemas").joinpath("mvtec_ac.yaml").read_text(encoding="utf-8")
    (project / "schema.yaml").write_text(text, encoding="utf-8")
    relabelled(project)
    take(project, "ada", "broken_large")
    take(project, "bob", "broken_large")
    return project


@pytest.fixture
def project(decided: Path, tmp_path: Path) -> Path:
    """A copy of that project."""
    return Path(shutil.copytree(decided, tmp_path / "project"))


def schema(project: Path) -> str:
    return str(project / "schema.yaml")


def relabelled(project: Path, audit: float = 0.5, *, status: int = 0) -> Done:
    root = project / "images"
    return here_in(project, "relabel", schema(project), "--root", root, *RELABEL, "--audit", audit, status=status)


def take(project: Path, who: str, label: str, **note: str) -> Done:
    """Decide the two bottles that are broken."""
    items = [row for row in rows(project / KEPT / "labels.jsonl") if "/broken_large/" in row["image"]]
    assert items
    table = project / "decisions.csv"
    lines = [f"{row['item_id']},{label},{note.get('note', '')}" for row in items]
    table.write_text("\n".join(["item_id,label,note", *lines]) + "\n", encoding="utf-8")
    return here_in(project, "review", "take", schema(project), table, "--reviewer", who)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rename_in_schema(project: Path, change: str = "") -> None:
    """Call `broken_large` of bottles `crushed` from now on; `change` says so, or nothing does."""
    path = project / "schema.yaml"
    head, bottle, rest = path.read_text(encoding="utf-8").partition("  bottle:\n")
    own, cable, others = rest.partition("\n  cable:\n")
    own = own.replace("broken_large", "crushed").replace("    changes:\n", f"    changes:\n{change}")
    if change:
        own = own.replace("source: [crushed]", "source: [broken_large]")
    path.write_text("".join([head, bottle, own, cable, others]), encoding="utf-8")


class TestLost:
    def spoil(self, path: Path, how: str) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        assert len(lines) > 1
        if how == "deleted":
            path.unlink()
        else:
            path.write_bytes(b"" if how == "emptied" else b"".join(lines[:-1]))

    @pytest.mark.parametrize("how", ["emptied", "deleted", "cut"])
    @pytest.mark.parametrize("command", ["relabel", "take", "report"])
    def test_decisions_that_are_gone_stop_a_run_which_says_how_to_get_them_back(
        self, project: Path, how: str, command: str
    ) -> None:
        path = project / KEPT / "reviews.jsonl"
        whole, labels = path.read_bytes(), (project / KEPT / "labels.jsonl").read_bytes()
        self.spoil(path, how)
        before = path.read_bytes() if path.exists() else None
        arguments = {
            "relabel": ("relabel", schema(project)),
            "take": ("review", "take", schema(project), project / "decisions.csv", "--reviewer", "eve"),
            "report": ("review", "report", schema(project)),
        }[command]
        told = here_in(project, *arguments, status=1).err
        lost = len(whole.splitlines()) if how != "cut" else 1
        assert ("one decision is" if lost == 1 else f"{lost} decisions are") in told and "bob said broken_large" in told
        assert (project / KEPT / "labels.jsonl").read_bytes() == labels
        assert (path.read_bytes() if path.exists() else None) == before
        back = told.partition("get them back: ")[2].partition("\n")[0].split()
        assert back[0] == "cp"
        shutil.copy(back[1], back[2])
        assert path.read_bytes() == whole
        relabelled(project)
        assert path.read_bytes() == whole and (project / KEPT / "labels.jsonl").read_bytes() == labels

    def test_a_line_that_was_cut_in_the_middle_is_told_with_the_copy(self, project: Path) -> None:
        path = project / KEPT / "reviews.jsonl"
        path.write_bytes(path.read_bytes()[:-40])
        told = here_in(project, "relabel", schema(project), status=1).err
        assert "not JSON" in told and "or take the copy of the last run: cp " in told

    def test_they_may_be_given_up(self, project: Path) -> None:
        path = project / KEPT / "reviews.jsonl"
        path.write_bytes(b"")
        told = here_in(project, "relabel", schema(project), status=1).err
        for move in told.partition("what tells of them: ")[2].split("&&"):
            command, there, aside = move.split()
            assert command == "mv" and not Path(aside).exists()
            Path(there).rename(aside)
        assert len(list((project / ".acbench").rglob("reviews-*.aside"))) == 1, "the decisions are still there"
        relabelled(project)
        assert all(row["decided_by"] != "people" for row in rows(project / KEPT / "labels.jsonl"))

    def test_a_new_clone_without_the_reviews_is_told_by_its_labels(self, project: Path) -> None:
        shutil.rmtree(project / ".acbench")
        (project / KEPT / "reviews.jsonl").write_bytes(b"")
        told = relabelled(project, status=1).err
        assert "says that people decided" in told and "broken_large/000.png: broken_large, decided by ada" in told
        assert "git log -- " in told
        (project / KEPT / "labels.jsonl").unlink()
        relabelled(project)

    def test_more_rows_and_other_words_are_no_loss(self, project: Path) -> None:
        path = project / KEPT / "reviews.jsonl"
        text = path.read_text(encoding="utf-8").replace('"note": ""', '"note": "mended"')
        path.write_text(text + text.replace('"ada"', '"eve"'), encoding="utf-8")
        relabelled(project)

    def test_a_copy_that_was_damaged_is_no_proof(self, project: Path) -> None:
        (copy,) = (project / ".acbench" / "mvtec_ac").glob("reviews-*.jsonl")
        copy.write_bytes(b"rubbish\n")
        with (project / KEPT / "reviews.jsonl").open("ab") as file:
            file.write(b"\n")
        assert "was damaged" in relabelled(project).err
        relabelled(project)


class TestMerged:
    def test_rows_of_one_round_that_differ_are_named(self, project: Path) -> None:
        path = project / KEPT / "reviews.jsonl"
        first, *_ = path.read_text(encoding="utf-8").splitlines()
        other = json.loads(first) | {"labels": ["contamination"], "when": "2099-01-01T00:00:00+00:00"}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(other) + "\n")
        told = relabelled(project).err
        assert f"ada, round 1, {other['item_id']}: broken_large, and contamination" in told

    def test_marks_of_a_merge_are_said_and_what_to_do(self, project: Path) -> None:
        for name, hint in (("reviews.jsonl", "keep the rows of both"), ("labels.jsonl", "it is made anew by machines")):
            path = project / KEPT / name
            text = path.read_text(encoding="utf-8")
            path.write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n", encoding="utf-8")
            told = here_in(project, "relabel", schema(project), status=1).err
            assert "line 1: a merge of two branches was left half done here (<<<<<<< HEAD)" in told and hint in told
            path.write_text(text, encoding="utf-8")


class TestSchemaEdits:
    def test_a_class_that_is_gone_takes_no_decision_with_it_and_is_told(self, project: Path) -> None:
        before = (project / KEPT / "reviews.jsonl").read_bytes()
        rename_in_schema(project)
        told = relabelled(project).err
        count = len(before.splitlines())
        said = f"{count} decisions name classes that the schema no longer has (bottle: broken_large)"
        assert said in told
        assert (project / KEPT / "reviews.jsonl").read_bytes() == before
        assert said in here_in(project, "status", "mvtec_ac").out
        queue = (project / ".acbench" / "mvtec_ac" / "queue.csv").read_text(encoding="utf-8-sig").splitlines()
        assert "flagged" in queue[1] and "decided broken_large, which the schema no longer has" in queue[1]
        label = next(row for row in rows(project / KEPT / "labels.jsonl") if "/broken_large/" in row["image"])
        assert label["status"] == "pending" and "ada said broken_large" in label["reason"]

    def test_a_class_that_was_renamed_is_read_by_its_new_name(self, project: Path) -> None:
        before = (project / KEPT / "reviews.jsonl").read_bytes()
        rename_in_schema(
            project, "      - {kind: rename, source: broken_large, into: crushed, reason: a better word}\n"
        )
        told = relabelled(project)
        assert "no longer has" not in told.err
        label = next(row for row in rows(project / KEPT / "labels.jsonl") if "/broken_large/" in row["image"])
        assert (label["status"], label["labels"], label["decided_by"]) == ("accepted", ["crushed"], "people")
        assert take(project, "ada", "crushed").out.startswith("0 new, 0 changed, ")
        assert take(project, "ada", "broken_large").out.startswith("0 new, 0 changed, ")
        assert (project / KEPT / "reviews.jsonl").read_bytes() == before
        facts = json.loads(here_in(project, "review", "report", schema(project), "--json").out)
        assert set(facts["by_category"]["bottle"]["by_class"]) == {"crushed"}


def test_an_image_that_machines_had_settled_and_people_dispute_is_in_the_queue(project: Path) -> None:
    relabelled(project, 0)

    def waiting() -> list[dict[str, str]]:
        with (project / ".acbench" / "mvtec_ac" / "queue.csv").open(encoding="utf-8-sig", newline="") as file:
            return [row for row in csv.DictReader(file) if "/broken_large/" in row["image"]]

    assert waiting() == []
    for who, label in (("eve", "contamination"), ("bob", "contamination"), ("zoe", "good")):
        take(project, who, label)
    assert waiting()
    for row in waiting():
        assert (row["why"], row["detail"]) == ("flagged", "people have looked at it and not settled it")
        assert row["current"] == "", "what people said is not told to the next one"


def test_status_tells_what_is_so_after_decisions_came_in(project: Path) -> None:
    status = json.loads(here_in(project, "status", "mvtec_ac", "--json").out)["mvtec_ac"]
    assert status["notes"] == []
    take(project, "eve", "contamination")
    now = json.loads(here_in(project, "status", "mvtec_ac", "--json").out)["mvtec_ac"]
    assert now["notes"] == []
    take(project, "bob", "contamination")
    after = json.loads(here_in(project, "status", "mvtec_ac", "--json").out)["mvtec_ac"]
    assert after["labels"]["all"] == status["labels"]["all"]
    path = project / KEPT / "reviews.jsonl"
    with path.open("a", encoding="utf-8") as file:
        file.write(path.read_text(encoding="utf-8").replace('"ada"', '"zoe"'))
    (note,) = json.loads(here_in(project, "status", "mvtec_ac", "--json").out)["mvtec_ac"]["notes"]
    assert "reviews.jsonl is not as the last relabel found it" in note


def test_what_a_stranger_wrote_does_not_reach_the_terminal(project: Path) -> None:
    take(project, "eve", "broken_large", note="\x1b[31mred\x07 \u202etxt.exe")
    row = next(row for row in rows(project / KEPT / "reviews.jsonl") if row["reviewer"] == "eve")
    assert row["note"] == "[31mred txt.exe"
    told = here_in(
        project, "review", "take", schema(project), project / "decisions.csv", "--reviewer", "a\x1b[1mda", status=1
    ).said
    assert "is no name" in told and "\x1b" not in told
