"""Answers as people have them: which files and tables are read, and what is refused with the readings that it has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import acbench
from acbench.errors import AcbenchError, TableError
from acbench.evaluation.answer_files import read
from acbench.evaluation.predictions import Answers, match
from acbench.evaluation.truth import OtherItems, Truth, TruthOptions, TruthRow, truth_of_rows

IMAGES = ("cup/Data/Images/001.JPG", "cup/Data/Images/002.JPG", "jar/Data/Images/001.JPG")
SAID = ("good", "chip", "crack")


def truth() -> Truth:
    """Three images of two categories."""
    rows = [
        TruthRow("", f"set-{n}", image.partition("/")[0], name)
        for n, (image, name) in enumerate(zip(IMAGES, SAID, strict=True))
    ]
    names = dict(zip((f"set-{n}" for n in range(3)), IMAGES, strict=True))
    return truth_of_rows("made", rows, TruthOptions(), OtherItems(images=names))


def answers(path: Path, column: str | None = None) -> Answers:
    """What a file says of them."""
    return match(read(path, column), truth(), column)


def as_csv(how: Callable[[str], str], *, head: str = "image,answer", sep: str = ",", above: str = "") -> str:
    """A table, with paths as `how` makes them."""
    rows = [sep.join((how(image), said)) for image, said in zip(IMAGES, SAID, strict=True)]
    return above + "\n".join([head.replace(",", sep), *rows]) + "\n"


def as_json(content: object) -> str:
    return json.dumps(content)


def plain(image: str) -> str:
    return image


def inside(image: str) -> str:
    """The category, and the path inside it."""
    category, _, rest = image.partition("/")
    return f"{category},{rest}"


NAMED = dict(zip(IMAGES, SAID, strict=True))
READ = {
    "paths": ("a.csv", as_csv(plain)),
    "./": ("a.csv", as_csv(lambda image: f"./{image}")),
    "absolute": ("a.csv", as_csv(lambda image: f"/data/sets/VisA/{image}")),
    "windows": ("a.csv", as_csv(lambda image: "D:\\data\\VisA\\" + image.replace("/", "\\"))),
    "backslashes": ("a.csv", as_csv(lambda image: image.replace("/", "\\"))),
    "another case of the extension": ("a.csv", as_csv(lambda image: image.replace(".JPG", ".jpg"))),
    "jpeg for jpg": ("a.csv", as_csv(lambda image: image.replace(".JPG", ".jpeg"))),
    "category and path inside it": ("a.csv", as_csv(inside, head="category,image,answer")),
    "category and whole path": ("a.csv", as_csv(lambda i: f"{i.partition('/')[0]},{i}", head="category,image,answer")),
    "other case": ("a.csv", as_csv(plain, head="IMAGE,Answer")),
    "spaces": ("a.csv", as_csv(plain, head=" Image Path , Predicted Label ")),
    "underscores": ("a.csv", as_csv(plain, head="image_path,pred_label")),
    "semicolons": ("a.csv", as_csv(plain, sep=";")),
    "tabs": ("a.tsv", as_csv(plain, sep="\t")),
    "sep=;": ("a.csv", as_csv(plain, sep=";", above="sep=;\n")),
    "sep=, with the mark of Excel": ("a.csv", "\ufeff" + as_csv(plain, above="SEP=,\r\n")),
    "ids": ("a.csv", "Item ID,prediction\nset-0,good\nset-1,chip\nset-2,crack\n"),
    "a list": ("a.json", as_json([{"image": key, "answer": said} for key, said in NAMED.items()])),
    "name and answer": ("a.json", as_json(NAMED)),
    "name and probabilities": ("a.json", as_json({key: {said: 0.9} for key, said in NAMED.items()})),
    "name and row": ("a.json", as_json({key: {"label": said, "confidence": 0.9} for key, said in NAMED.items()})),
    "columns": ("a.json", as_json({"image": [*NAMED], "answer": [*NAMED.values()]})),
    "columns of pandas": (
        "a.json",
        as_json({"image": dict(enumerate(NAMED)), "answer": dict(enumerate(NAMED.values()))}),
    ),
    "a list below a name": ("a.json", as_json({"predictions": [{"image": k, "answer": v} for k, v in NAMED.items()]})),
    "lines": ("a.jsonl", "\n".join(as_json({"image": key, "answer": said}) for key, said in NAMED.items())),
    "lists of one": ("a.jsonl", "\n".join(as_json({"image": key, "labels": [said]}) for key, said in NAMED.items())),
}


@pytest.mark.parametrize("form", READ)
def test_it_is_read(tmp_path: Path, form: str) -> None:
    name, content = READ[form]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    found = answers(path)
    assert {key: each.outcome.labels for key, each in found.by_item.items()} == {
        f"set-{n}": (said,) for n, said in enumerate(SAID)
    }


REFUSED = {
    "two columns of answers": ("a.csv", "image,answer,prediction\nx,y,z\n", ("`answer`", "`prediction`", "--column")),
    "two columns of one name": ("a.csv", "image,Image,answer\nx,y,z\n", ("'image'", "'Image'")),
    "a name of two images": ("a.csv", "image,answer\nData/Images/001.JPG,good\n", ("may be cup/", "or jar/", "root")),
    "the end of a path of two": ("a.csv", "image,answer\nImages/001.jpg,good\n", ("may be cup/", "or jar/")),
    "a file's name alone": ("a.csv", "image,answer\n002.JPG,good\n", ("may be cup/Data/Images/002.JPG;", "root")),
    "a percentage": (
        "a.csv",
        f"image,answer,confidence\n{IMAGES[0]},good,87\n",
        ("percentage", "another kind", "0 to 1"),
    ),
    "two costs": ("a.csv", "image,answer,cost,dollars\nx,y,1,2\n", ("`cost` and `dollars`", "leave one")),
    "a cost in words": ("a.csv", f"image,answer,cost\n{IMAGES[0]},good,much\n", ("line 2", "'much'", "0.75")),
    "a cost below nothing": ("a.csv", f"image,answer,cost\n{IMAGES[0]},good,-1\n", ("line 2", "not below 0")),
    "numbers under a name": ("a.json", '{"image": 3}', ("neither a list nor",)),
    "columns of two lengths": ("a.json", '{"image": ["a"], "answer": []}', ("neither a list nor",)),
}


@pytest.mark.parametrize("form", REFUSED)
def test_it_is_refused_with_its_readings(tmp_path: Path, form: str) -> None:
    name, content, whys = REFUSED[form]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TableError) as error:
        answers(path)
    assert all(why in str(error.value) for why in whys), str(error.value)


def test_what_is_read_and_what_is_not_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    head = "image,label,prediction,confidence,cost,notes,score"
    path.write_text(f"{head}\n" + "".join(f"{image},{s},{s},0.5,0.1,x,7\n" for image, s in NAMED.items()))
    assert answers(path).column == (
        "column `prediction`, not `label`, confidence `confidence`, cost `cost`; not read: `notes`, `score`"
    )


def test_a_line_is_counted_with_the_one_that_names_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sep=;\nimage;answer\nwho.png;good\n")
    with pytest.raises(TableError, match=r"line 3: who\.png is no item"):
        answers(path)


class TestNumbersBesideAnswers:
    """How sure an answer is and what it cost, from columns."""

    ROWS = tuple({"item_id": f"i{n}", "category": "cup", "label": ("good", "chip")[n % 2]} for n in range(4))

    def score(self, *rows: tuple[Any, ...], columns: tuple[str, ...]) -> Any:
        said = [{"item_id": f"i{n}", **dict(zip(columns, row, strict=True))} for n, row in enumerate(rows)]
        return acbench.score(self.ROWS, said, resamples=0)

    def test_confidences_without_probabilities(self) -> None:
        rows = (("good", 0.9), ("good", 0.8), ("good", 0.6), ("?", 0.2))
        found = self.score(*rows, columns=("answer", "Confidence"))
        facts = found.facts["confidence"]
        assert facts["answers"] == 4 and facts["top_k"] == {}
        shares = [(0.9, 1), (0.8, 0), (0.6, 1), (0.2, 0)]
        assert facts["calibration"]["brier"] == pytest.approx(sum((a - b) ** 2 for a, b in shares) / 4)
        assert [point["risk"] for point in facts["risk_coverage"]] == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
        assert facts["aurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
        assert "Confidences of 4 images: expected calibration error" in str(found)

    def test_a_stated_confidence_goes_before_the_probability_and_an_abstention_has_none(self) -> None:
        rows = (({"good": 0.9}, 0.4), ({"chip": 0.9}, None), ("", 0.7), ("chip", " "))
        facts = self.score(*rows, columns=("answer", "confidence")).facts["confidence"]
        assert facts["answers"] == 2
        assert facts["calibration"]["brier"] == pytest.approx((0.6**2 + 0.1**2) / 2)
        assert facts["top_k"]["1"]["value"] == pytest.approx(2 / 4)

    def test_the_cost_of_a_right_answer(self) -> None:
        found = self.score(("good", "0.5"), ("good", 0.25), ("good", ""), ("chip", 0), columns=("answer", "cost"))
        assert found.facts["cost"] == {"answers": 3, "right": 2, "dollars": 0.75, "dollars_per_right": 0.375}
        assert "Cost: 0.75 dollars for 3 answers, 0.375 dollars a right answer" in str(found)
        nothing = self.score(("chip", 1), ("good", 1), columns=("answer", "dollars"))
        assert nothing.facts["cost"]["dollars_per_right"] is None and "– dollars a right answer" in str(nothing)
        assert "cost" not in self.score(("chip",), ("chip",), columns=("answer",)).facts

    @pytest.mark.parametrize("value", [True, [], "nan%", float("inf"), 1.5])
    def test_what_is_no_confidence_is_refused(self, value: object) -> None:
        with pytest.raises(AcbenchError, match="prediction 0: `confidence` is"):
            self.score(("good", value), columns=("answer", "confidence"))


class TestOpenSet:
    """A class that the category does not have, as it was named and as often."""

    ROWS = tuple(
        {"item_id": f"{key}{n}", "category": key, "label": label}
        for key, labels in (("cup", ("good", "chip")), ("jar", ("good", "loose lid")))
        for n, label in enumerate(labels * 5)
    )

    def test_it_is_counted_and_named(self) -> None:
        said = {row["item_id"]: row["label"] for row in self.ROWS}
        said |= {"cup0": "Loose-Lid", "cup2": "loose lid", "cup4": "rust", "jar1": '{"labels": ["chip"], "x": 1}'}
        said |= {"jar3": "chip; loose lid", "jar5": "", "jar7": "{broken"}
        found = acbench.score(self.ROWS, said, resamples=0)
        facts = found.facts["open_set"]
        assert (facts["outside"]["value"], facts["elsewhere"]["value"]) == (6 / 20, 3 / 20)
        assert facts["elsewhere"]["low"] > 0 and facts["elsewhere"]["n"] == 20
        named = {(each["category"], each["answer"]): (each["items"], each["class_of"]) for each in facts["named"]}
        assert named == {
            ("cup", "Loose-Lid"): (2, ["jar"]),
            ("cup", "rust"): (1, []),
            ("jar", "chip"): (1, ["cup"]),
            ("jar", "chip; loose lid"): (1, []),
            ("jar", "{broken"): (1, []),
        }
        assert "cup: 'Loose-Lid', 2 times, a class of jar" in str(found) and "and 2 more: --json" in str(found)

    def test_without_such_answers_there_is_nothing_to_say(self) -> None:
        found = acbench.score(self.ROWS, {"cup0": "good", "cup2": "unsure"}, resamples=0)
        assert "open_set" not in found.facts
