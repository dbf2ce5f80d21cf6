"""What a question shows and says, and that its words fit what it shows."""

from __future__ import annotations

import dataclasses
import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image

from acbench.data.regions import Mask
from acbench.predictors.base import KnownLabel
from acbench.predictors.llm import questions
from acbench.predictors.llm.defect_question import MAX_TOKENS, DefectQuestions, Subject, Unusable, percent
from acbench.predictors.llm.examples import ShownExample
from acbench.predictors.llm.messages import Picture, Question
from acbench.predictors.llm.questions import Reference
from acbench.records import GOOD
from acbench.schema import Category
from tests.support.records import BOTTLE, MVTEC_AC, item

EDGE = 768
OURS = DefectQuestions(edge=EDGE)


def scene(seed: int = 0, shift: int = 0, size: int = 1024) -> Image.Image:
    """A bright round product with marks of its own, under noise."""
    rows, columns = np.mgrid[0:size, 0:size] * (1024 / size)
    values = np.full((size, size), 30.0)
    values[np.hypot(columns - 512 - shift, rows - 512) < 400] = 150
    values[np.hypot(columns - 400 - shift, rows - 600) < 60] = 80
    values[np.hypot(columns - 700 - shift, rows - 350) < 30] = 220
    values += np.random.default_rng(seed).normal(0, 3, (size, size))
    return Image.fromarray(np.repeat(values.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))


def spot(x: int = 500, y: int = 300, size: int = 3) -> Mask:
    marked = np.zeros((1024, 1024), dtype=np.bool_)
    marked[y : y + size, x : x + size] = True
    return marked


def reference(image: Image.Image) -> Reference:
    return Reference(item(label=None), image, questions.full_view(image, EDGE))


def ask(
    image: Image.Image, mask: Mask | None = None, normal: Image.Image | None = None, *, of: Category = BOTTLE,
    ours: DefectQuestions = OURS, examples: tuple[ShownExample, ...] = (), unusable: Unusable | None = None,
) -> Question:  # fmt: skip
    shown = reference(normal) if normal else None
    return ours.question(Subject(of, image, mask, shown, examples, unusable))


def text(question: Question) -> str:
    return "\n".join(part for part in question.parts if isinstance(part, str))


def own_words(question: Question) -> str:
    """Everything but the description of the category."""
    return "\n".join(part for part in question.parts[1:] if isinstance(part, str))


def pictures(question: Question) -> list[Image.Image]:
    return [Image.open(io.BytesIO(part.data)).convert("RGB") for part in question.parts if isinstance(part, Picture)]


def captions(question: Question) -> list[str]:
    """What stands before each picture."""
    parts = question.parts
    return [str(before) for before, part in itertools.pairwise(parts) if isinstance(part, Picture)]


class TestPictures:
    def test_each_has_its_number_and_size(self) -> None:
        question = ask(scene(1), spot() | spot(200, 700, 20), scene(2))
        shown = pictures(question)
        assert len(shown) == 7
        for number, (caption, picture) in enumerate(zip(captions(question), shown, strict=True), 1):
            assert caption.startswith(f"Picture {number} ({picture.width} × {picture.height} px): ")

    def test_a_spot_of_three_pixels_is_seen_inside_the_line(self) -> None:
        pixels = np.array(scene())
        pixels[300:303, 500:503] = (255, 255, 255)
        query, outlined, close = pictures(ask(Image.fromarray(pixels), spot()))
        x, y = round(501.5 * 0.75), round(301.5 * 0.75)
        around = np.s_[y - 3 : y + 4, x - 3 : x + 4]
        with_line, without = np.asarray(outlined).astype(int), np.asarray(query).astype(int)
        assert with_line[around][..., 1].max() > 200 > 170 > np.median(with_line[around][..., 1])
        assert np.abs(with_line[y - 1 : y + 2, x - 1 : x + 2] - without[y - 1 : y + 2, x - 1 : x + 2]).max() < 25
        red = (with_line[..., 0] > 180) & (with_line[..., 1:].max(axis=2) < 110)
        rows, columns = np.nonzero(red)
        assert red.any() and not red[y - 3 : y + 3, x - 3 : x + 3].any()
        assert np.hypot(rows - y, columns - x).max() < 14, "the line is close to the spot"
        assert np.asarray(close)[..., 1].max() > 200

    def test_the_same_place_is_shown_where_the_product_is_aligned(self) -> None:
        aligned, moved = (ask(scene(1), spot(), scene(2, shift=shift)) for shift in (0, 120))
        assert "the same place on the normal product of picture 1" in text(aligned)
        assert "the same place" not in text(moved)
        assert (len(pictures(aligned)), len(pictures(moved))) == (5, 4)
        close, same = pictures(aligned)[-2:]
        assert close.size == same.size

    def test_several_places_are_told_from_each_other(self) -> None:
        said = text(ask(scene(), spot(100, 100, 9) | spot(900, 100, 12) | spot(960, 130, 9) | spot(100, 900, 9)))
        assert "2 marked places that lie close together, about" in said
        assert said.count("one further marked place, about") == 2
        assert "4 separate places" in said

    def test_what_is_left_out_is_counted(self) -> None:
        places = [(x, y) for x in (60, 500, 940) for y in (60, 900)]
        said = text(ask(scene(), np.logical_or.reduce([spot(x, y, 20) for x, y in places])))
        assert "2 smaller marked places are not shown close up." in said
        places = [(x, y) for x in (60, 300, 620, 940) for y in (60, 480, 900)]
        said = text(ask(scene(), np.logical_or.reduce([spot(x, y, 20) for x, y in places])))
        assert "8 or more separate places" in said and "4 or more smaller marked places are not shown close up." in said

    def test_a_large_place_beside_a_small_one_is_pointed_to(self) -> None:
        said = text(ask(scene(), spot(100, 20, 800) | spot(960, 960, 9)))
        assert "Another marked place is large enough to be seen in picture 1." in said

    def test_small_images_keep_their_size(self) -> None:
        (shown,) = pictures(ask(scene(size=100)))
        assert shown.size == (100, 100)


class TestWords:
    def test_one_picture_has_no_number(self) -> None:
        said = text(ask(scene()))
        assert "The picture (768 × 768 px): the product to judge." in said
        assert not re.search(r"[Pp]icture \d", said)
        assert "look everywhere" in said and "line" not in own_words(ask(scene()))

    def test_without_a_reference_nothing_is_to_be_compared(self) -> None:
        said = text(ask(scene(), spot()))
        assert "Compare it with" not in said and "There is no picture of a normal product" in said
        assert "Compare it with the normal one of picture 1" in text(ask(scene(1), spot(), scene(2)))

    @pytest.mark.parametrize("mask", [None, np.zeros((1024, 1024), dtype=np.bool_)])
    def test_without_a_mark_no_line_is_spoken_of(self, mask: Mask | None) -> None:
        said = text(ask(scene(), mask))
        assert "has not been marked: look everywhere" in said
        assert "red line" not in said and "Measured" not in said and "the line" not in said

    def test_what_lies_outside_is_said_once(self) -> None:
        assert own_words(ask(scene(), spot())).count("outside") == 2, "where the line runs, and what is not asked about"

    def test_one_class_is_no_choice(self) -> None:
        brush = MVTEC_AC.categories["toothbrush"]
        said = text(ask(scene(), of=brush))
        assert "Does the product to judge show the defect that is described?" in said
        assert "from:" not in own_words(ask(scene(), of=brush)) and "classes" not in own_words(ask(scene(), of=brush))

    def test_several_classes_are_a_set_or_the_best_one(self) -> None:
        assert "Most products show one class." in text(ask(scene()))
        one = text(ask(scene(), ours=dataclasses.replace(OURS, one_class=True)))
        assert "Which one defect" in one and "the one id that fits best" in one and "Most products" not in one

    def test_it_says_who_marked(self) -> None:
        said = text(ask(scene(), spot(), ours=dataclasses.replace(OURS, marker="a detector")))
        assert "what a detector marks" in said and "data set" not in said

    def test_the_facts_are_in_words(self) -> None:
        said = text(ask(scene(), spot(500, 120, 40)))
        assert "one place, which covers 0.15 % of the picture, or as much as 0.3" in said
        assert "pixels long at most, in an original of 1024 × 1024 pixels (5.5 % of its longer edge" in said
        assert re.search(r"it takes \d+ degrees of the circle", said)
        assert "no mark touches the edge of the picture." in said
        assert "a mark touches the edge" in text(ask(scene(), spot(0, 0, 40)))

    @pytest.mark.parametrize(
        ("share", "said"),
        [
            (1.0, "100 %"), (0.274, "27 %"), (0.0137, "1.4 %"), (0.00137, "0.14 %"), (0.000137, "0.014 %"),
            (0.0000137, "0.0014 %"), (1e-7, "less than 0.001 %"),
        ],
    )  # fmt: skip
    def test_shares_have_two_digits(self, share: float, said: str) -> None:
        assert percent(share) == said

    def test_a_second_question_repeats_the_answer(self) -> None:
        said = text(ask(scene(), unusable=Unusable("id", "It is\nbroken", "not JSON")))
        assert "could not be used: not JSON" in said and "-----\nIt is broken\n-----" in said

    def test_it_leaves_room_to_think(self) -> None:
        question = ask(scene())
        assert question.max_tokens == MAX_TOKENS
        assert next(iter(question.schema["properties"])) == "observations" == question.schema["required"][0]

    def test_every_bundled_category_has_a_question(self) -> None:
        small, mask = scene(size=64), spot(10, 10, 4)[:64, :64]
        for category in MVTEC_AC.categories.values():
            said = text(ask(small, mask, of=category))
            assert "$" not in said and all(f"`{class_id}`" in said for class_id in (*category.class_ids, GOOD))


class TestExamples:
    def test_they_come_before_the_image_and_move_the_numbers(self) -> None:
        known = KnownLabel(item=item(1), labels=("contamination",), by_people=True, from_source=False)
        example = ShownExample(known, questions.full_view(scene(5), 300))
        question = ask(scene(1), spot(), scene(2), examples=(example,))
        said = captions(question)
        assert said[1].startswith("Picture 2 (300 × 300 px): an example.") and "`contamination`" in said[1]
        assert said[2].endswith("the product to judge.")
        assert "times as large as in picture 3" in text(question)


class TestKey:
    def test_it_holds_what_decides(self) -> None:
        others = [
            dataclasses.replace(OURS, edge=512),
            dataclasses.replace(OURS, marker="a detector"),
            dataclasses.replace(OURS, one_class=True),
        ]
        assert len({str(each.key(MVTEC_AC)) for each in (OURS, *others)}) == 4

    def test_the_same_again(self) -> None:
        assert ask(scene(1), spot(), scene(2)) == ask(scene(1), spot(), scene(2))
