"""What records say of each other: ids and categories, several masks, and which labels are at stake."""

from __future__ import annotations

import dataclasses

import pytest

from acbench.records import Review, category_of, item_id, mask_files, mask_hash, united
from tests.support.records import item


@pytest.mark.parametrize(
    ("category", "image", "known"),
    [
        ("bottle", "bottle/test/a.png", ["bottle", "cap"]),
        ("magnet", "MT_Free/a.png", ["magnet"]),
        ("a", "b/x.png", ["a", "b"]),
        ("metal-nut", "x/1.png", ["nut", "metal-nut"]),
        ("metal-nut", "metal-nut/1.png", []),
        ("magnet", "MT_Free/a.png", []),
    ],
)
def test_the_category_is_in_the_id_wherever_the_image_lies(category: str, image: str, known: list[str]) -> None:
    assert category_of(item_id("folders", category, image), image, known) == category


def test_of_an_id_that_somebody_else_made_the_path_tells() -> None:
    assert category_of("17", "bottle/test/a.png", ["bottle"]) == "bottle"
    assert category_of("img-of-cap", "bottle/test/a.png", ["bottle", "cap"]) == "bottle"


def test_several_masks_are_one_text_and_one_hash() -> None:
    assert mask_files(united(["m/1.png", "m/2.png"])) == ("m/1.png", "m/2.png")
    assert mask_files("m/1.png") == ("m/1.png",)
    assert mask_hash(["ab"]) == "ab"
    assert len({mask_hash(["ab", "cd"]), mask_hash(["cd", "ab"]), mask_hash(["ab"])}) == 3


def test_a_label_is_at_stake_unless_it_is_a_normal_image_for_training() -> None:
    def at_stake(split: str, anomalous: bool) -> bool:
        return dataclasses.replace(item(), split=split, anomalous=anomalous).is_at_stake  # type: ignore[arg-type]

    assert [at_stake("train", False), at_stake("train", True), at_stake("test", False)] == [False, True, True]


@pytest.mark.parametrize(
    ("when", "day"),
    [
        ("2026-01-31T10:00:00+00:00", "2026-01-31"),
        ("2026-01-31", "2026-01-31"),
        ("", ""),
        ("2026-99-99", ""),
        ("soon", ""),
    ],
)
def test_the_day_of_a_review_is_a_day_or_nothing(when: str, day: str) -> None:
    review = Review(item_id="a", reviewer="ada", round=1, verdict="unsure", labels=(), when=when)
    assert review.day == day
