"""Boxes mark places where there is no mask, and nothing that people or models read calls them masks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from acbench.data import evidence, sources
from acbench.data.boxes import checked_boxes
from acbench.data.images import filled
from acbench.data.ingest import Dataset, ingest
from acbench.data.sources import FoundImage
from acbench.predictors.llm.defect_question import DefectQuestions, Subject
from acbench.records import Item
from acbench.review.decisions import verdict_named
from acbench.review.queue_pictures import References
from acbench.review.task_pictures import draw, marks
from acbench.schema.form import UNMARKED, label_studio_form
from acbench.schema.guide import instructions
from acbench.testing import SIZE, toy_coco
from tests.support.commands import here
from tests.support.records import BOTTLE, MVTEC_AC, PLATE


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset with boxes. Not to be changed."""
    return ingest(sources.get("coco"), toy_coco(tmp_path_factory.mktemp("toys") / "coco"))


def boxed(dataset: Dataset) -> Iterator[Item]:
    return (item for item in dataset.items if item.marking == "boxes")


def words(*texts: str) -> set[str]:
    return set(re.findall(r"[a-z]+", " ".join(texts).lower()))


def test_a_picture_speaks_of_boxes(dataset: Dataset) -> None:
    item = next(boxed(dataset))
    image, marked = dataset.images.image(item.image), dataset.images.marked(item, (SIZE, SIZE))
    whole, close, _ = evidence.panels(image, marked, None, boxed=True)
    assert whole.caption == "Whole image, 3.5% in boxes"
    assert "mask" not in words(whole.caption, close.caption)


def test_pictures_of_a_task_show_them(dataset: Dataset, tmp_path: Path) -> None:
    items = list(boxed(dataset))
    for item, pictures in zip(
        items, draw(items, References(dataset.items), dataset.images, tmp_path).values(), strict=True
    ):
        assert not marks(pictures)[UNMARKED]
        assert pictures["contour"] != pictures["image"] != pictures["crop"]
        other = replace(item, boxes=((0, 0, 3, 3),))
        (moved,) = draw([other], References(dataset.items), dataset.images, tmp_path).values()
        assert moved["contour"] != pictures["contour"]


def test_a_question_speaks_of_boxes_and_tells_no_figures(dataset: Dataset) -> None:
    item = next(boxed(dataset))
    image = dataset.images.image(item.image)
    subject = Subject(category=BOTTLE, image=image, mask=dataset.images.marked(item, image.size), reference=None)
    plain, asked = (
        " ".join(part for part in DefectQuestions(edge=512).question(each).parts if isinstance(part, str))
        for each in (subject, subject._replace(boxed=True))
    )
    assert "Measured by a program" in plain and "boxes" not in words(plain)
    assert "Measured by a program" not in asked and "boxes" in words(asked) and "mask" not in words(asked)


def test_boxes_count_in_the_key_of_questions_where_there_are_some(dataset: Dataset) -> None:
    assert dataset.images.boxed
    assert DefectQuestions(edge=512).key(MVTEC_AC) != DefectQuestions(edge=512, boxed=True).key(MVTEC_AC)


def test_the_annotator_sees_a_button_for_bad_boxes() -> None:
    form, guide = label_studio_form(BOTTLE, "box"), instructions(BOTTLE, "box")
    for text in (form, guide):
        assert "Bad box" in text and "Bad mask" not in text
    assert 'alias="bad_mask"' in form  # what is kept stays the same
    assert label_studio_form(BOTTLE) == form.replace("Bad box", "Bad mask")
    assert verdict_named("Bad box") == verdict_named("bad_mask") == "bad_mask"


def test_a_box_is_rounded_to_the_pixels_that_it_touches() -> None:
    found = FoundImage(
        category="c", split="test", image="1.png", mask=None, anomalous=True, source_labels=("a",),
        boxes=(
            (0.1, 0.02, 2.5, 2.98), (0.1, 0.02, 2.5, 2.98), (-1, -1, 3, 3), (5, 5, 5.01, 9), (float("nan"), 0, 1, 1),
        ),
    )  # fmt: skip
    boxes, findings = checked_boxes(found, (8, 8))
    assert boxes == ((0, 0, 3, 3),)
    assert [finding.detail for finding in findings] == ["2 of its 5 boxes hold no pixel of the image"]
    shares = replace(found, boxes=((0.0, 0.25, 0.5, 1.0),), box_unit="image")
    assert checked_boxes(shares, (8, 4)) == (((0, 1, 4, 4),), [])
    many = replace(found, boxes=tuple((x, y, x + 1, y + 1) for x in range(40) for y in range(40)))
    boxes, (finding,) = checked_boxes(many, (100, 100))
    assert len(boxes) == 1000 and "more than the 1,000" in finding.detail
    assert filled([(0, 1, 2, 3), (1, 1, 9, 2)], (4, 3)).tolist() == [
        [False] * 4,
        [True] * 4,
        [True, True, False, False],
    ]


def test_a_release_has_a_column_of_them_only_where_there_are_some(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    toy_coco(tmp_path / "images")
    (tmp_path / "own.yaml").write_text(PLATE.format(source="coco"), encoding="utf-8")
    more = ("--project", tmp_path, "--json")
    assert (
        here("relabel", tmp_path / "own.yaml", "--root", tmp_path / "images", "--without", "neighbours", *more).status
        == 0
    )
    done = here("publish", tmp_path / "own.yaml", "--dry-run", *more)
    assert done.status == 0, done.err
    shards = sorted((tmp_path / ".acbench/own/release/data").rglob("*.parquet"))
    rows = [row for path in shards for row in pq.read_table(path).to_pylist()]
    assert [row["boxes"] is not None for row in rows] == [row["anomalous"] for row in rows]
    picture = Image.open(next((tmp_path / ".acbench/own/evidence").iterdir()))
    assert np.asarray(picture).size
