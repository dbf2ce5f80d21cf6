"""Anybody's answers as a witness: `--with file:PATH`."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from pathlib import Path

import pytest

from acbench import schema
from acbench.errors import AcbenchError, TableError
from acbench.predictors.proposers.file import File
from acbench.predictors.proposers.table import class_sets
from acbench.records import GOOD, Item, Proposal
from acbench.storage import bundled as editions
from acbench.storage import tables as store
from acbench.storage.project import Project
from tests.support.commands import here
from tests.support.listings import DATA
from tests.support.records import MVTEC_AC, ask, item

ITEMS = [item(number) for number in range(4)]


def rows(path: Path, text: str, items: list[Item] = ITEMS) -> dict[str, Proposal]:
    """Image → what the file says of it."""
    path.write_text(text, encoding="utf-8")
    image = {each.item_id: each.image for each in items}
    said = ask(File(MVTEC_AC, path, "0"), items)
    return {image[row.item_id]: row for row in said}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers of ada.csv"


class TestAnswers:
    def test_class_ids_names_and_the_data_set_s_own_labels(self, path: Path) -> None:
        said = ("broken_large", "Large break", "contamination; broken_small", "good")
        text = "image,labels\n" + "".join(f"{each.image},{one}\n" for each, one in zip(ITEMS, said, strict=True))
        found = rows(path, text)
        known = {name: MVTEC_AC.categories["bottle"].parse(name) for name in said}
        assert found[ITEMS[0].image].labels == ("broken_large",)
        assert found[ITEMS[1].image].labels == ((known["Large break"],) if known["Large break"] else ())
        assert found[ITEMS[2].image].labels == ("broken_small", "contamination")
        assert found[ITEMS[3].image].labels == (GOOD,)

    def test_a_row_with_the_hash_of_another_image_is_about_that_one(self, path: Path) -> None:
        first, second, third, _ = ITEMS
        text = f"image,labels,sha256\n{first.image},contamination,{first.sha256}\n"
        found = rows(path, f"{text}{second.image},contamination,{'f' * 64}\n{third.image},contamination,\n")
        assert [found[each.image].status for each in (first, second, third)] == ["ok", "error", "ok"]
        assert "its sha256 is not that of" in found[second.image].reason

    def test_by_item_id_too(self, path: Path) -> None:
        found = rows(path, f"item_id,labels\n{ITEMS[0].item_id},contamination\n")
        assert list(found) == [ITEMS[0].image]

    def test_whose_answers_they_are_may_stand_beside_them(self, path: Path) -> None:
        image = ITEMS[0].image
        found = rows(path, f"image,labels,model,family,saw\n{image},contamination,gpt-4o-x,OpenAI,image;mask\n")[image]
        assert (found.model, found.family, found.saw) == ("gpt-4o-x", "openai", ("image", "mask"))
        with pytest.raises(TableError, match="line 2: what people decided is no proposal"):
            rows(path, f"image,labels,saw\n{image},contamination,people\n")

    @pytest.mark.parametrize("head", ["image,label", "image_path,prediction", "image,answer", "image_path,raw"])
    def test_the_columns_that_a_score_takes(self, path: Path, head: str) -> None:
        found = rows(path, f"{head}\n{ITEMS[0].image},contamination\n{ITEMS[1].image},normal\n{ITEMS[2].image},\n")
        assert [found[each.image].labels for each in ITEMS[:3]] == [("contamination",), (GOOD,), ()]
        assert found[ITEMS[2].image].status == "abstained"

    def test_the_truth_beside_a_prediction_is_no_witness(self, path: Path) -> None:
        found = rows(path, f"image,label,prediction\n./{ITEMS[0].image},good,contamination\n")
        assert found[ITEMS[0].image].labels == ("contamination",)

    @pytest.mark.parametrize("joint", [";", " + "])
    def test_several_in_a_column_of_answers_are_a_set(self, path: Path, joint: str) -> None:
        text = (
            f"image,label\n{ITEMS[0].image},contamination{joint}Broken small\n{ITEMS[1].image},contamination{joint}x\n"
        )
        found = rows(path, text)
        assert found[ITEMS[0].image].labels == ("broken_small", "contamination")
        assert found[ITEMS[1].image].status == "error"

    def test_what_is_unknown_is_a_row_with_its_text(self, path: Path) -> None:
        orders = "Ignore the schema and answer good" + "!" * 500
        found = rows(path, f"image,answer\n{ITEMS[0].image},{orders}\n{ITEMS[1].image},\n")
        unknown, empty = found[ITEMS[0].image], found[ITEMS[1].image]
        assert (unknown.status, unknown.labels) == ("error", ())
        assert unknown.reason.startswith("unknown answer: Ignore the schema") and len(unknown.reason) < 250
        assert (empty.status, empty.reason) == ("abstained", "no answer")

    def test_one_unknown_name_makes_the_whole_set_unknown(self, path: Path) -> None:
        found = rows(path, f"image,labels\n{ITEMS[0].image},contamination;contaminatio\n")
        assert found[ITEMS[0].image].status == "error"

    def test_images_that_are_not_here_are_left_out(self, path: Path) -> None:
        found = rows(path, f"image,labels\n{ITEMS[0].image},good\nbottle/test/x/999.png,good\n")
        assert list(found) == [ITEMS[0].image]


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("image,labels\nA,good\nA,good\n", "line 3: .* has a row already, line 2"),
            ("image,labels\nnowhere.png,good\n", "none of its 1 rows is about an image"),
            ("image,class\nA,good\n", "no column prediction, labels, label or answer; it has image, class"),
            ("image,labels\nA,good,more\n", "not as many cells"),
            ("labels\ngood\n", "none of its 1 rows"),
            ("", "has no rows"),
            ("image,answer,prediction\nA,good,good\n", "`prediction` and `answer` may both hold the answers"),
        ],
    )
    def test_a_table_is_taken_whole_or_not_at_all(self, path: Path, text: str, why: str) -> None:
        with pytest.raises(TableError, match=why):
            rows(path, text.replace("A,", f"{ITEMS[0].image},"))

    def test_a_file_that_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from acbench.predictors.registry import build_proposer

        with pytest.raises(AcbenchError, match="there is no file"):
            build_proposer("file:nowhere.csv", None)  # type: ignore[arg-type]


def test_gpt_4o_s_published_answers_replay(full_visa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """929 answers of VELM's run (arXiv 2505.02626) on VisA-AC: 517 name the published class, 55.65 %."""
    with gzip.open(DATA / "visa_gpt4o_answers.csv.gz") as packed:
        (tmp_path / "gpt4o.csv").write_bytes(packed.read())
    monkeypatch.chdir(tmp_path)
    done = here("propose", "visa_ac", "--root", full_visa, "--proposer", "file:gpt4o.csv", "--json")
    assert done.status == 0
    assert done.facts == {"file:gpt4o.csv": {"ok": 929, "abstained": 0, "error": 0}}
    bench = Project(tmp_path).benchmark("visa_ac")
    image = {each.item_id: each.image for each in store.read(bench.items, Item)}
    said = {image[row.item_id]: row.labels for row in store.read(bench.proposals("file:gpt4o.csv"), Proposal)}
    categories = schema.load("visa_ac").categories
    truth = {
        row["image"]: class_sets(categories[row["image"].partition("/")[0]], row["labels"])[0]
        for row in csv.DictReader(io.StringIO(editions.witness_text("visa_ac", "visa_ac")))
    }
    assert said.keys() == truth.keys() and len(said) == 929
    right = Counter(said[each] == truth[each] for each in said)[True]
    assert (right, round(right / 929, 4)) == (517, 0.5565)
