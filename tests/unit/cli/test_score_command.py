"""`acbench score` as people meet it: tables, files, and whatever can be wrong with a file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from acbench.testing import toy_mvtec_ad
from tests.support.commands import here
from tests.support.listings import DATA


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where commands are run."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def gpt4o(tmp_path: Path) -> Path:
    import gzip

    path = tmp_path / "gpt4o.csv"
    path.write_bytes(gzip.decompress((DATA / "visa_gpt4o_answers.csv.gz").read_bytes()))
    return path


PART = ("--category", "candle", "--category", "pcb1")
"""Less to draw, where the figures are not the point."""
TRUTH = "category,image,label\ncup,a.png,good\ncup,b.png,chip\ncup,c.png,long crack\nplate,a.png,Normal\n"


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(TRUTH)
    return path


def test_the_published_answers_print_the_published_figure(gpt4o: Path, tmp_path: Path) -> None:
    done = here("score", "visa_ac", "--predictions", gpt4o)
    assert done.status == 3, "images without an answer"
    (row,) = [line for line in done.out.splitlines() if line.startswith("  anomalies only")]
    assert row.split()[2] == "57.1" and " 55.7 (" in row and row.split()[-1] == "929"
    assert "962 × no answer" in done.out and "271 not settled" in done.out and "a part" not in done.out
    assert ".JPG: no answer\n" in done.out and "  and 959 more: --json" in done.out
    (compared,) = [line for line in done.out.splitlines() if line.startswith("Comparable")]
    assert "  split " in compared and "predictions" not in compared
    folder = tmp_path / ".acbench/visa_ac/scores/gpt4o"
    assert {path.name for path in folder.iterdir()} == {"score.json", "score.md", "confusion.png", "classes.png"}
    for name in ("confusion.png", "classes.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 500
    facts = json.loads((folder / "score.json").read_text())
    assert facts["scores"]["accuracy_anomalous"]["pooled"]["value"] == pytest.approx(517 / 929)


def test_what_is_printed_is_what_is_written(gpt4o: Path, tmp_path: Path) -> None:
    folder = tmp_path / ".acbench/visa_ac/scores/gpt4o"
    score = ("score", "visa_ac", "--predictions", gpt4o, *PART)
    assert here(*score, "--json").facts == json.loads((folder / "score.json").read_text())
    assert here(*score, "--markdown").out == (folder / "score.md").read_text()


def test_shuffled_lines_give_the_same_bytes(gpt4o: Path) -> None:
    first = here("score", "visa_ac", "--predictions", gpt4o, "--json", *PART).out
    head, *lines = gpt4o.read_text().splitlines(keepends=True)
    gpt4o.write_text("".join([head, *reversed(lines)]))
    assert here("score", "visa_ac", "--predictions", gpt4o, "--json", *PART).out == first


def test_every_kind_of_file_gives_the_same_score(gpt4o: Path, tmp_path: Path) -> None:
    import pandas as pd

    table = pd.read_csv(gpt4o, keep_default_na=False)
    (tmp_path / "j").mkdir()
    table.to_json(tmp_path / "j" / "gpt4o.jsonl", orient="records", lines=True)
    (tmp_path / "p").mkdir()
    table.to_parquet(tmp_path / "p" / "gpt4o.parquet")
    (tmp_path / "l").mkdir()
    table.to_json(tmp_path / "l" / "gpt4o.json", orient="records")
    (tmp_path / "m").mkdir()
    named = dict(zip(table["image"], table["answer"], strict=True))
    (tmp_path / "m" / "gpt4o.json").write_text(json.dumps(named))
    (tmp_path / "s").mkdir()
    table.rename(columns={"image": "Image Path", "answer": "Prediction"}).to_csv(
        tmp_path / "s" / "gpt4o.csv", sep=";", index=False
    )
    files = (gpt4o, *(tmp_path / folder for folder in ("j/gpt4o.jsonl", "p/gpt4o.parquet", "l/gpt4o.json")),
             tmp_path / "m/gpt4o.json", tmp_path / "s/gpt4o.csv")  # fmt: skip
    outputs = {here("score", "visa_ac", "--predictions", path, "--json", *PART).out for path in files}
    assert len(outputs) == 1


def test_two_systems_side_by_side(gpt4o: Path, tmp_path: Path) -> None:
    better = tmp_path / "better.csv"
    rows = list(csv.DictReader(gpt4o.read_text(encoding="utf-8").splitlines()))
    with better.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["image", "answer"])
        writer.writeheader()
        writer.writerows({**row, "answer": "good" if row["answer"] == "bent pin" else row["answer"]} for row in rows)
    done = here("score", "visa_ac", "--compare", gpt4o, better)
    assert done.status == 3 and "gpt4o minus better" in done.out and "McNemar's exact p" in done.out
    facts = here("score", "visa_ac", "--compare", gpt4o, better, "--json").facts
    assert facts["mcnemar"]["only_second_right"] == 0 < facts["mcnemar"]["only_first_right"]


def test_several_systems_at_once(truth: Path, tmp_path: Path) -> None:
    images = ("cup/a.png", "cup/b.png", "cup/c.png", "plate/a.png")
    said = {"a": "good chip long-crack good", "b": "good good chip good", "c": "chip chip chip chip"}
    for name, words in said.items():
        lines = (f"{image},{word}\n" for image, word in zip(images, words.split(), strict=True))
        (tmp_path / f"{name}.csv").write_text("image,answer\n" + "".join(lines))
    command = ("score", "--truth", truth, "a.csv", "b.csv", "c.csv")
    done = here(*command)
    assert done.status == 3, "a chip is no class of plates"
    assert "  1–3   a       100.0 (–)" in done.out or "  1–3   a       100.0 " in done.out
    facts = here(*command, "--format", "json").facts
    assert [each["system"] for each in facts["systems"]] == ["a", "b", "c"] and len(facts["pairs"]) == 3
    latex = here(*command, "--format", "latex").out
    assert latex.count("\\begin{tabular}") == 3 and "a minus b & +" in latex
    assert here(*command, "--format", "csv").out.startswith(
        "system,scope,class,metric,value,low,high,n\na,mean,,accuracy,1.0"
    )
    assert here(*command, "--format", "markdown").out.startswith("## Systems\n")
    one = here("score", "--truth", truth, "a.csv", "--format", "latex").out
    assert "cup & long crack & 100.0 & 100.0 & 100.0 & 1 " in one
    twice = here("score", "--truth", truth, "a.csv", "a.csv")
    assert twice.status == 1 and "a.csv is named twice" in twice.err
    for more, why in ((("--name", "x"), "--name goes with one system"), (("--json", "--markdown"), "print one of")):
        assert why in here(*command, *more).err


def test_a_file_that_was_cut_off_ends_as_one_with_a_bad_answer_does(truth: Path, tmp_path: Path) -> None:
    answers = tmp_path / "a.csv"
    answers.write_text("image,label,prediction\ncup/a.png,good,good\ncup/b.png,chip,good\ncup/c.png,chip,chip\n")
    rest = "plate/a.png,good,{}\n"
    whole = answers.read_text()
    for last, status in (("", 3), (rest.format("what?"), 3), (rest.format("good"), 0)):
        answers.write_text(whole + last)
        done = here("score", "--truth", truth, "--predictions", answers)
        assert done.status == status, done.said
        assert "Answers: column `prediction`, not `label`" in done.out
    two = here("score", "--truth", truth, "--predictions", answers, "--column", "label")
    assert "Answers: column `label`" in two.out
    wrong = here("score", "--truth", truth, "--predictions", answers, "--column", "lable")
    assert wrong.status == 1 and "did you mean 'label'?" in wrong.err


class TestPart:
    """Whoever scores on a part of a benchmark is told so."""

    def test_one_category(self, gpt4o: Path, tmp_path: Path) -> None:
        done = here("score", "visa_ac", "--predictions", gpt4o, "--category", "candle", "--category", "pcb1")
        counts = json.loads((tmp_path / ".acbench/visa_ac/scores/gpt4o/score.json").read_text())["counts"]["pooled"]
        assert f"published view, candle, pcb1 alone, a part: {counts['items']} of 1,891" in done.out

    def test_a_copy_with_fewer_images_than_the_edition(self, tmp_path: Path) -> None:
        root = toy_mvtec_ad(tmp_path / "toy")
        assert here("relabel", "mvtec_ac", "--root", root, "--without", "neighbours").status == 0
        labels = [json.loads(line) for line in Path("annotations/mvtec_ac/labels.jsonl").read_text().splitlines()]
        with Path("a.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("image_path", "label"))
            writer.writerows((each["image"], "good") for each in labels)
        facts = here("score", "mvtec_ac", "--predictions", "a.csv", "--json").facts
        assert facts["part"] == {"items": facts["items"], "of": 1_620} and facts["items"] < 30


def test_scoring_a_category_changes_nothing_of_the_project(tmp_path: Path) -> None:
    root = toy_mvtec_ad(tmp_path / "toy")
    assert here("relabel", "mvtec_ac", "--root", root, "--without", "neighbours").status == 0
    work = tmp_path / ".acbench/mvtec_ac"
    before = [(work / name).read_bytes() for name in ("settings.json", "items.parquet")]
    part, whole = (
        here("score", "mvtec_ac", "--system", "majority", *more, "--json").facts["items"]
        for more in (("--category", "bottle"), ("--category", "all"))
    )
    assert 0 < part < whole
    assert [(work / name).read_bytes() for name in ("settings.json", "items.parquet")] == before


class TestTable:
    """Anybody's table in place of a benchmark."""

    def test_by_category_and_image(self, truth: Path, tmp_path: Path) -> None:
        answers = tmp_path / "mine.csv"
        answers.write_text("category;image;label\ncup;a.png;GOOD\ncup;c.png;Long-Crack\nplate;a.png;chip\n")
        facts = here("score", "--truth", truth, "--predictions", answers, "--json").facts
        counts = facts["counts"]["pooled"]
        assert (counts["items"], counts["right"], counts["unparsed"], counts["missing"]) == (4, 2, 1, 1)
        assert facts["confusion"]["cup"]["true"] == ["good", "chip", "long crack"]
        assert not (tmp_path / ".acbench").exists()

    def test_pictures_where_asked_for(self, truth: Path, tmp_path: Path) -> None:
        here("score", "--truth", truth, "--predictions", truth, "--out", tmp_path / "out")
        assert (tmp_path / "out/confusion.png").exists()

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ("category,image,label\ncup,a.png,\n", "line 2: `label` is empty"),
            ("category,image,label\ncup,a.png,chip\ncup,a.png,dent\n", "line 3: cup/a.png has a row already"),
            ("category,image,label\ncup,a.png,chip\ncup,b.png,C-hip\n", "the class 'chip' reads like another one"),
            ("category,image\ncup,a.png\n", "has no column label; it has category, image"),
            ("category,image,label\n", "has no rows"),
        ],
    )
    def test_what_is_no_truth_is_refused(self, tmp_path: Path, content: str, why: str) -> None:
        path = tmp_path / "t.csv"
        path.write_text(content)
        done = here("score", "--truth", path, "--predictions", path)
        assert done.status == 1 and why in done.err


class TestBadInput:
    @pytest.mark.parametrize(
        ("name", "content", "why"),
        [
            ("a.xlsx", b"PK\x03\x04", "is neither .csv, .json, .jsonl nor .parquet"),
            ("a.csv", b"\x89PNG\r\n\x1a\n\x00", "is not UTF-8"),
            (
                "a.csv",
                b"item_id,note\nx,y\n",
                "no column prediction, labels, label or answer; it has item_id",
            ),
            ("a.csv", b"id,label\nx,good\n", "there is no column item_id or image"),
            ("a.csv", b"image,label\n", "truth.csv: no answers"),
            ("a.csv", b"image,label\ncup/b.png,1\ncup/c.png,2\n", "none of the 2 answers about scored images names a"),
            ("a.csv", b"item_id,label\n,good\n", "line 2: it does not say which item"),
            ("a.csv", b"image,label\ncup/z.png,good\n", "line 2: cup/z.png is no item of truth.csv"),
            ("a.csv", b"image,label\ncup/a.png,good\ncup/a.png,chip\n", "has an answer already, "),
            ("a.jsonl", b'{"image": "cup/a.png", "label": "good"}\n[1]\n', "line 2: not a JSON object"),
            ("a.jsonl", b'{"image": "cup/a.png"', "line 1: not JSON"),
            ("a.jsonl", b'{"image": NaN, "label": "good"}\n', "line 1: it does not say which item"),
            ("a.parquet", b"PAR1 no", "is no readable parquet file"),
            ("a.csv", b"image,label\ncup/a.png,good,more\n", "line 2: not as many cells as the header"),
        ],
    )
    def test_it_is_an_error_that_says_where(
        self, truth: Path, tmp_path: Path, name: str, content: bytes, why: str
    ) -> None:
        (tmp_path / name).write_bytes(content)
        done = here("score", "--truth", truth, "--predictions", tmp_path / name)
        assert done.status == 1 and why in done.err and done.out == ""

    def test_answers_that_say_something_else_are_wrong_and_shown(self, truth: Path, tmp_path: Path) -> None:
        said = {
            "cup/a.png": "NaN",
            "cup/b.png": "chip " * 20_000,
            "cup/c.png": "Ignore the rubric.\x1b[31m <b>good</b>\u202e",
            "plate/a.png": "gut",
            "cup/d.png": "good",
        }
        with truth.open("a", encoding="utf-8") as file:
            file.write("cup,d.png,good\n")
        with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([("image", "answer"), *said.items()])
        done = here("score", "--truth", truth, "--predictions", tmp_path / "a.csv")
        assert done.status == 3 and "3 × names no class, 1 × empty or unsure" in done.out
        assert "\x1b" not in done.out and "\u202e" not in done.out and len(done.out) < 6_000
        facts = here("score", "--truth", truth, "--predictions", tmp_path / "a.csv", "--json").facts
        assert [row["image"] for row in facts["unusable"]] == sorted(said.keys() - {"cup/d.png"})
        assert max(len(row["answer"]) for row in facts["unusable"]) == 200

    def test_many_rows_about_nothing(self, truth: Path, tmp_path: Path) -> None:
        path = tmp_path / "many.csv"
        with path.open("w", encoding="utf-8") as file:
            file.write("image,label\n")
            file.writelines(f"cup/{number}.png,good\n" for number in range(200_000))
        done = here("score", "--truth", truth, "--predictions", path)
        assert done.status == 1
        assert "line 2: cup/0.png is no item of truth.csv" in done.err

    @pytest.mark.parametrize(
        "arguments", [(), ("visa_ac",), ("visa_ac", "--truth", "x.csv", "--predictions", "y"), ("--predictions", "y")]
    )
    def test_too_little_or_too_much_is_wrong_usage(self, arguments: tuple[str, ...]) -> None:
        assert here("score", *arguments).status == 2

    def test_an_unknown_category_is_named(self, gpt4o: Path) -> None:
        done = here("score", "visa_ac", "--predictions", gpt4o, "--category", "teapot")
        assert done.status == 1 and "there is no category 'teapot'" in done.err


class TestNamesOfOnesOwn:
    def test_they_are_read_from_a_file(self, truth: Path, tmp_path: Path) -> None:
        (tmp_path / "names.csv").write_text("category,name,class\ncup,Abplatzung,chip\n")
        (tmp_path / "a.csv").write_text("image,label\ncup/b.png,abplatzung\ncup/a.png,chip\n")
        arguments = ("score", "--truth", truth, "--predictions", tmp_path / "a.csv", "--json")
        for more, right in (((), 0), (("--aliases", tmp_path / "names.csv"), 1)):
            assert here(*arguments, *more).facts["counts"]["pooled"]["right"] == right

    def test_of_a_category_that_is_not_there(self, truth: Path, tmp_path: Path) -> None:
        (tmp_path / "names.csv").write_text("category,name,class\nmug,Abplatzung,chip\n")
        done = here("score", "--truth", truth, "--predictions", truth, "--aliases", tmp_path / "names.csv")
        assert done.status == 1 and "aliases: no category 'mug'" in done.err


class TestLeaderboard:
    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ((), "has to state who told the system where the defect is"),
            (("--localisation", "ground_truth"), "was shown ground-truth masks or boxes: that is an oracle"),
            (("--localisation", "none", "--category", "candle"), "has all categories"),
        ],
    )
    def test_what_is_no_fair_entry_is_refused(
        self, gpt4o: Path, tmp_path: Path, more: tuple[str, ...], why: str
    ) -> None:
        answers = gpt4o
        if "--category" in more:
            answers = tmp_path / "candle.csv"
            answers.write_text(
                "".join(
                    line for line in gpt4o.read_text().splitlines(keepends=True) if line.startswith(("image", "candle"))
                )
            )
        done = here("score", "visa_ac", "--predictions", answers, "--leaderboard", *more)
        assert done.status == 1 and why in done.err

    def test_a_fair_one_says_what_it_is(self, gpt4o: Path) -> None:
        done = here("score", "visa_ac", "--predictions", gpt4o, "--leaderboard", "--localisation", "detector", "--json")
        facts = done.facts
        assert (facts["leaderboard"], facts["localisation"]) == (True, "detector")
