"""`acbench score` at work: what is judged first, what it keeps, and what several systems leave on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from acbench.evaluation.answer_parsing import Outcome
from acbench.evaluation.answer_table import ParsedAnswer
from acbench.evaluation.cost import with_costs
from acbench.evaluation.predictions import Answers
from acbench.records import Prediction
from acbench.storage import git_table, stored_rows, tables
from acbench.storage.ledger import Ledger
from acbench.storage.project import labels_in
from acbench.testing import toy_mvtec_ad
from acbench.workflows.baselines import kept_costs
from tests.support.commands import here

TRUTH = "category,image,label\n" + "".join(
    f"cup,{n}.png,{name}\n" for n, name in enumerate(("good", "chip", "crack") * 20)
)

TOYS = {"cup": ("chip", "crack"), "jar": ("dent",)}
TOY_SCHEMA = "title: Toy\nattribution: Nobody.\nlicence: CC0-1.0\nimage_licence: CC0-1.0\ncategories:\n" + "".join(
    f"  {key}:\n    classes:\n" + "".join(f"      - {{id: {name}, definition: A {name}.}}\n" for name in names)
    for key, names in TOYS.items()
)


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where commands are run."""
    monkeypatch.chdir(tmp_path)
    Path("truth.csv").write_text(TRUTH)


def answered(name: str, wrong: int) -> str:
    """The file of a system that is wrong about the first images."""
    said = (("good", "chip", "crack")[(n + (n < wrong)) % 3] for n in range(60))
    path = Path(f"{name}.csv")
    path.write_text("image,answer\n" + "".join(f"cup/{n}.png,{each}\n" for n, each in enumerate(said)))
    return path.name


class TestSeveralSystems:
    def test_tables_and_picture_tell_the_same(self, tmp_path: Path) -> None:
        files = (answered("worst", 40), answered("second", 9), answered("best", 6))
        shown = here("score", "--truth", "truth.csv", *files, "--out", "out")
        assert shown.status == 0, shown.said
        assert "Not told apart: best, second\n" in shown.out and "ranks.png" in shown.out
        facts = json.loads((tmp_path / "out/ranking.json").read_text())
        assert facts["groups"] == [["best", "second"]] and facts["ranks"]["worst"] == [3, 3]
        assert facts == here("score", "--truth", "truth.csv", *files, "--format", "json").facts
        for name, form in (("ranking.md", "markdown"), ("ranking.tex", "latex")):
            printed = here("score", "--truth", "truth.csv", *files, "--format", form).out
            assert (tmp_path / "out" / name).read_text() == printed
        with Image.open("out/ranks.png") as picture:
            assert min(picture.size) > 150

    def test_the_same_answers_give_the_same_bytes(self, tmp_path: Path) -> None:
        files = (answered("a", 3), answered("b", 30))
        for folder, given in (("one", files), ("two", files[::-1])):
            here("score", "--truth", "truth.csv", *given, "--out", folder)
        assert {path.name for path in (tmp_path / "one").iterdir()} >= {"ranks.png", "ranking.tex"}
        for path in (tmp_path / "one").iterdir():
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name

    def test_of_a_benchmark_they_lie_in_its_workspace(self, tmp_path: Path) -> None:
        root = toy_mvtec_ad(tmp_path / "toy")
        assert here("relabel", "mvtec_ac", "--root", root, "--without", "neighbours").status == 0
        assert here("score", "mvtec_ac", "majority").status == 0
        labels = [json.loads(line) for line in Path("annotations/mvtec_ac/labels.jsonl").read_text().splitlines()]
        Path("a.csv").write_text("image,answer\n" + "".join(f"{each['image']},good\n" for each in labels))
        done = here("score", "mvtec_ac", "majority", "a.csv")
        assert done.status == 0, done.said
        assert (tmp_path / ".acbench/mvtec_ac/ranking/ranks.png").exists()


class TestLargeTables:
    """Labels in a file for each category, and items that stay on disk."""

    @pytest.fixture
    def answers(self, tmp_path: Path) -> Path:
        """Of a benchmark whose paths do not tell the split: nearly all answers are right, one item has none."""
        toy_mvtec_ad(tmp_path / "toy", TOYS)
        Path("toy.yaml").write_text(TOY_SCHEMA)
        assert here("relabel", "toy.yaml", "--root", "toy", "--without", "neighbours").status == 0
        labels = labels_in(tmp_path / "annotations/toy").read()
        path = tmp_path / "a.csv"
        path.write_text("image,answer\n" + "".join(f"{each.image},{each.labels[0]}\n" for each in labels[1:]))
        return path

    def test_they_give_the_same_score(self, answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        given = ("score", "toy.yaml", "--predictions", answers, "--json")
        one = here(*given)
        assert one.status in (0, 3) and one.facts["items"] > 5 and one.facts["answers_not_scored"] > 2, one.said
        monkeypatch.setattr(git_table, "MAX_BYTES", 10)
        monkeypatch.setattr(stored_rows, "WHOLE", 5)
        table = labels_in(tmp_path / "annotations/toy")
        before = table.file.read_bytes()
        table.write(table.read())
        assert len(table.parts) > 1 and not table.file.exists()
        assert here(*given).out == one.out
        assert "annotations/toy/labels\n" in here(*given[:-1]).out
        table.file.write_bytes(before)
        assert here(*given).out == one.out, "also where both are there"

    def test_an_image_that_was_never_read_is_named(self, answers: Path, tmp_path: Path) -> None:
        (tmp_path / ".acbench/toy/items.parquet").unlink()
        done = here("score", "toy.yaml", "--predictions", answers)
        assert done.status == 1 and "which split is " in done.err and "acbench ingest toy" in done.err, done.said


class TestWhatIsJudgedFirst:
    """Nothing here has images, labels or a network, and each message is about what was typed."""

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (("visa_ac", "MAJOR"), "there is no file MAJOR, and no system of that name\n  → systems: clip, few_shot"),
            (("visa_ac", "--system", "majorty"), "did you mean majority? systems: "),
            (("visa_ac", "x.csv"), "x.csv is not there"),
            (("visa_ac", "x.csv", "majority"), "x.csv is not there"),
            (("visa_ac", "truth.csv", "majorty"), "did you mean majority?"),
            (("visa_ac", "--compare", "truth.csv", "nobody"), "there is no file nobody"),
            (("--truth", "ORG/NAME", "--predictions", "x.csv"), "x.csv is not there"),
            (("visa_ac", "--system", "majority", "--category", "candel"), "there is no category 'candel'"),
            (("visa_ac", "--system", "majority", "--negligible", "candle/x"), "visa_ac has no such class"),
            (("visa_ac", "--system", "majority", "--aliases", "x.csv"), "x.csv does not exist"),
            (("visa_ac", "--system", "clip"), "no model was chosen for clip"),
            (("visa_ac", "--system", "few_shot", "--detector", "oracle", "--leaderboard"), "that is an oracle"),
            (("visa_ac", "--system", "few_shot", "--category", "candle", "--leaderboard"), "has all categories"),
            (("visa_ac", "truth.csv", "--leaderboard"), "has to state who told the system"),
        ],
    )
    def test_it_is_an_error(self, arguments: tuple[str, ...], why: str) -> None:
        done = here("score", *arguments)
        assert done.status == 1 and why in done.err, done.said

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (("visa_ac", "--system", "few_shot", "--detector", "heatmaps:nowhere"), "there is no folder nowhere"),
            (("visa_ac", "truth.csv", "--shots", "4"), "--shots goes with a baseline that runs"),
            (("visa_ac", "truth.csv", "--root", "."), "--root goes with a baseline that runs"),
            (("visa_ac", "a.csv", "b.csv", "--detector", "none"), "--detector goes with a baseline that runs"),
            (("visa_ac", "--system", "majority", "--backbone", "timm:x"), "--backbone is not used by majority"),
            (("visa_ac", "--system", "clip", "--shots", "4"), "--shots is not used by clip"),
            (("visa_ac", "--system", "few_shot", "--clip-model", "x"), "--clip-model is not used by few_shot"),
            (("visa_ac", "--system", "velm", "--shots", "4"), "--shots goes with `acbench velm`"),
            (("visa_ac", "--system", "majority", "--localisation", "none"), "--localisation goes with a file"),
            (("visa_ac", "--compare", "a.csv", "b.csv", "--severity", "5"), "--severity goes with figures"),
            (("visa_ac", "--compare", "a.csv", "b.csv", "--out", "x"), "--out goes with figures"),
            (("visa_ac", "truth.csv", "--severity", "5", "--negligible", "a/b"), "give one of them"),
            (("--truth", "truth.csv", "--view", "sets", "truth.csv"), "--view goes with a label schema"),
        ],
    )
    def test_what_nothing_would_use_is_wrong_usage(self, arguments: tuple[str, ...], why: str) -> None:
        done = here("score", *arguments)
        assert done.status == 2 and why in done.err, done.said

    def test_a_variable_for_other_commands_is_no_wrong_usage(self) -> None:
        done = here("score", "--truth", "truth.csv", answered("a", 3), ACBENCH_SCORE_SHOTS="5")
        assert done.status == 0, done.said


class TestWhatItKeeps:
    def settings(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(Path(".acbench/mvtec_ac/settings.json").read_text())
        return found

    def test_where_images_are_if_nobody_knew_and_nothing_else(self, tmp_path: Path) -> None:
        one, other = (toy_mvtec_ad(tmp_path / name) for name in ("one", "other"))
        assert here("score", "mvtec_ac", "--system", "majority", "--root", one).status == 3, "of a few images"
        before = self.settings()
        assert before["root"] == str(one)
        done = here("score", "mvtec_ac", "--system", "few_shot", "--root", other, "--backbone", "timm:none_such")
        assert done.status == 1, done.said
        done = here("score", "mvtec_ac", "--system", "majority", "--root", other)
        assert done.status == 3 and self.settings() == before, done.said


def test_what_kept_answers_cost_is_told_once(tmp_path: Path) -> None:
    """Two images whose question is the same were paid for once."""
    rows = [
        Prediction(item_id=item_id, system="velm@1", raw="good", labels=("good",), parse="ok", calls=calls)
        for item_id, calls in (("a", ("1",)), ("b", ("1",)), ("c", ("2",)), ("d", ()))
    ]
    path, ledger = tmp_path / "velm.parquet", tmp_path / "ledger.sqlite"
    tables.write(path, rows, Prediction, key=lambda row: row.item_id)
    assert kept_costs(ledger, path) == {} and not ledger.exists()
    with Ledger(ledger) as opened:
        for call, cost in (("1", 0.5), ("2", 0.25)):
            opened.calls.claim(call, "m", "me")
            opened.calls.settle(call, answer="{}", cost=cost)
    assert kept_costs(ledger, path) == {"a": 0.5, "b": 0.0, "c": 0.25, "d": 0.0}
    answers = Answers({name: ParsedAnswer("good", Outcome("ok", ("good",))) for name in "ax"}, 0)
    assert [each.dollars for each in with_costs(answers, {"a": 0.5}).by_item.values()] == [0.5, None]


def test_a_price_that_is_not_known_is_no_cost(tmp_path: Path) -> None:
    row = Prediction(item_id="a", system="velm@1", raw="good", labels=("good",), parse="ok", calls=("1",))
    path, ledger = tmp_path / "velm.parquet", tmp_path / "ledger.sqlite"
    tables.write(path, [row], Prediction, key=lambda row: row.item_id)
    with Ledger(ledger) as opened:
        opened.calls.claim("1", "m", "me")
        opened.calls.settle("1", answer="{}", cost=0.0)
    assert kept_costs(ledger, path) == {}
