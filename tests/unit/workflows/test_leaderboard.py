"""Scores in a card and in a leaderboard: what the release gives, whatever somebody has written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acbench.errors import ReleaseError
from acbench.release import leaderboard as entries
from acbench.release.entries import read_entries, read_manifest
from acbench.release.folder import ReleaseFolder
from acbench.release.leaderboard import ANSWERS, SCORE
from acbench.testing import toy_mvtec_ad
from acbench.workflows.leaderboard import Leaderboard, check
from tests.support.commands import here
from tests.support.releases import build

ANSWER = {"broken_large": "broken_large", "contamination": "broken_large", "good": "good"}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("project")
    return build(project, "mvtec_ac", root=toy_mvtec_ad(project / "images"), categories=("bottle",)).folder


@pytest.fixture(scope="module")
def answers(release: Path) -> bytes:
    """What a system says that takes every anomaly for a large breakage."""
    truth = ReleaseFolder(release)
    found = read_entries(truth, read_manifest(truth)).values()
    rows = [(each.item_id, ANSWER[each.labels[0]]) for each in found if each.split == "test" and each.label]
    return entries.answers_csv(sorted(rows))


def entry(release: Path, place: Path, answers: bytes, *, name: str = "mine", edit: Callable[[Any], None] | None = None
          ) -> tuple[ReleaseFolder, str]:  # fmt: skip
    """An entry in a folder of its own, with a score that somebody has edited."""
    file = place / "answers.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(answers)
    command = ("score", "--truth", release, "--predictions", file, "--localisation", "none", "--leaderboard")
    facts = here(*command, "--name", name, "--json").facts
    path = entries.folder_of("1.0.0", name, answers)
    score = json.loads(entries.score_json("1.0.0", answers, facts))
    if edit:
        edit(score)
    (place / path).mkdir(parents=True)
    (place / path / ANSWERS).write_bytes(answers)
    (place / path / SCORE).write_text(json.dumps(score))
    return ReleaseFolder(place), path


def found(release: Path, folder: ReleaseFolder) -> list[str]:
    """What is wrong with the entries in a folder."""
    opened = ReleaseFolder(release)
    board = Leaderboard(folder, folder.files(), lambda version: opened, None)
    return [("✗ " if each.failed else "! ") + each.detail for each in check(board, read_manifest(opened))]


def test_an_entry_that_is_what_it_says(release: Path, tmp_path: Path, answers: bytes) -> None:
    folder, path = entry(release, tmp_path, answers)
    assert entries.entries_in(folder.files()) == [path]
    assert found(release, folder) == []


def first(score: dict[str, Any], key: str, value: object) -> None:
    score["scores"]["accuracy"]["mean"][key] = value


FORGED: list[tuple[str, Callable[[Any], None], str]] = [
    ("a better figure", lambda score: first(score, "value", 1.0), "accuracy (mean): it says value 1.0"),
    ("a figure less", lambda score: score["scores"].pop("macro_f1"), "macro_f1"),
    ("other counts", lambda score: score["counts"]["pooled"].update(right=99), "its counts are not those"),
    ("fewer images", lambda score: score.update(items=1), "its items are not those"),
    ("other labels", lambda score: score["hashes"].update(labels="0" * 16), "labels that it was scored by"),
    ("another hash", lambda score: score["hashes"].update(predictions="0" * 16), "its hashes are not those"),
    ("another name", lambda score: score.update(system="theirs"), "its folder is not that of"),
    ("another version", lambda score: score.update(version="2.0.0"), "its folder is not that of"),
    ("ground truth", lambda score: score.update(localisation="ground_truth"), "no leaderboard entry"),
    ("a share above one", lambda score: first(score, "value", 7.0), "cannot be"),
    ("no name", lambda score: score.update(system="\x1b[2J"), "no name"),
    ("a text for a number", lambda score: score.update(items="many"), "items"),
]


@pytest.mark.parametrize(("edit", "told"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_an_entry_that_its_answers_do_not_give(
    release: Path, tmp_path: Path, answers: bytes, edit: Callable[[Any], None], told: str
) -> None:
    folder, _ = entry(release, tmp_path, answers, edit=edit)
    wrong = found(release, folder)
    assert len(wrong) == 1 and wrong[0].startswith("✗") and told in wrong[0]


@pytest.mark.parametrize(
    "data",
    [b"", b"item_id,prediction\nx", b"item_id,prediction,more\n", b'item_id,prediction\n"a\n', b"\xff\xfe",
     b"item_id,prediction\nx,%s\n" % (b"y" * 2_000)],
    ids=["empty", "one cell", "a column more", "a quote open", "no text", "a long cell"],
)  # fmt: skip
def test_answers_that_are_none(release: Path, tmp_path: Path, answers: bytes, data: bytes) -> None:
    folder, path = entry(release, tmp_path, answers)
    (tmp_path / path / ANSWERS).write_bytes(data)
    assert found(release, folder)[0].startswith("✗"), "its hash tells"
    moved = tmp_path / entries.folder_of("1.0.0", "mine", data)
    (tmp_path / path).rename(moved)
    wrong = found(release, folder)
    assert len(wrong) == 1 and wrong[0].startswith("✗")


def test_half_an_entry_and_one_without_end(release: Path, tmp_path: Path, answers: bytes) -> None:
    folder, path = entry(release, tmp_path, answers)
    with (tmp_path / path / SCORE).open("ab") as file:
        file.truncate(entries.MAX_SCORE + 1)
    assert found(release, folder)[0].startswith("✗")
    (tmp_path / path / SCORE).unlink()
    assert found(release, folder)[0].startswith("✗")


def test_what_another_acbench_computed_is_compared_without_its_intervals(
    release: Path, tmp_path: Path, answers: bytes
) -> None:
    def older(score: Any) -> None:
        score["acbench"] = "0.0.1"
        first(score, "low", 0.0)

    folder, _ = entry(release, tmp_path, answers, edit=older)
    assert [each[:2] for each in found(release, folder)] == ["! "]
    assert "its intervals" in found(release, folder)[0]


def test_a_version_out_of_reach_is_said(release: Path, tmp_path: Path, answers: bytes) -> None:
    folder, _ = entry(release, tmp_path, answers)

    def out_of_reach(version: str) -> ReleaseFolder:
        raise ReleaseError(f"no {version} here")

    board = Leaderboard(folder, folder.files(), out_of_reach, None)
    told = list(check(board, read_manifest(ReleaseFolder(release))))
    assert [each.failed for each in told] == [False]
    assert "against version 1.0.0: no 1.0.0 here" in told[0].detail


def test_paths_of_entries_are_told_from_others() -> None:
    good = f"leaderboard/v1.0.0/a-b/{'0' * 16}"
    assert entries.is_entry(f"{good}/{SCORE}") and entries.is_entry(f"{good}/{ANSWERS}")
    for path in (f"{good}/run.py", f"{good}/../{SCORE}", f"leaderboard/v1/a/{'0' * 16}/{SCORE}",
                 f"leaderboard/v1.0.0/../{'0' * 16}/{SCORE}", f"x/{good}/{SCORE}", f"{good}/{SCORE}\n"):  # fmt: skip
        assert not entries.is_entry(path)


@pytest.mark.parametrize(
    ("name", "slug"),
    [("GPT-4o (low)", "gpt-4o-low"), ("../..", "system"), ("日本", "system"), ("x" * 200, "x" * 64), (".a.", "a")],
)
def test_any_name_has_a_folder(name: str, slug: str) -> None:
    path = entries.folder_of("1.0.0", name, b"")
    assert path.split("/")[2] == slug
    assert entries.is_entry(f"{path}/{SCORE}")


def test_the_baselines_of_the_card_are_what_acbench_score_gives(release: Path, tmp_path: Path) -> None:
    folder = ReleaseFolder(release)
    found = [each for each in read_entries(folder, read_manifest(folder)).values() if each.split == "test"]
    said = tmp_path / "majority.csv"
    with said.open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "label"])
        writer.writerows((each.item_id, "good") for each in found if each.label)
    scored = here("score", "--truth", release, "--predictions", said, "--json").facts
    accuracy = f"{100 * scored['scores']['accuracy']['mean']['value']:.1f}"
    card = (release / "README.md").read_text()
    assert f"| majority | {accuracy}" in card
    for name in ("labels", "split", "schema"):
        assert f"{name} `{scored['hashes'][name]}`" in card
