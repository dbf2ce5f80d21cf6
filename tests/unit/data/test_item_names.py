"""Images are found as people write their paths, and what may be two is refused with both."""

from __future__ import annotations

import pytest

from acbench.data.item_names import ItemNames
from acbench.errors import TableError

IMAGE = "bottle/test/broken/000.JPG"
NAMES = ItemNames(("mvtec_ad-bottle-1", IMAGE, "cup/a.png", "cup/b.png", "plate/a.png", "cup/é x.png"))


@pytest.mark.parametrize(
    "said",
    [
        IMAGE,
        f"./{IMAGE}",
        f"/{IMAGE}",
        "bottle/test/broken/000.jpg",
        "bottle/test/broken/000.jpeg",
        "bottle\\test\\broken\\000.JPG",
        "C:\\data\\mvtec\\bottle\\test\\broken\\000.JPG",
        f"/data/mvtec_ad/{IMAGE}",
        f"~/mvtec_ad/{IMAGE}",
        f" {IMAGE} ",
    ],
)
def test_an_image_as_people_write_it(said: str) -> None:
    assert NAMES.find("line 1", said) == IMAGE


def test_an_id_is_found() -> None:
    assert NAMES.find("line 1", "mvtec_ad-bottle-1") == "mvtec_ad-bottle-1"


def test_the_category_may_stand_in_a_column_of_its_own() -> None:
    assert NAMES.find("line 1", "a.png", "cup") == "cup/a.png"
    assert NAMES.find("line 1", "./a.png", "plate") == "plate/a.png"
    assert NAMES.find("line 1", "cup/a.png", "cup") == "cup/a.png"
    assert NAMES.find("line 1", "test/broken/000.jpg", "bottle") == IMAGE


@pytest.mark.parametrize("said", ["a.png", "000.JPG", "other/000.JPG", "", ".", "../../etc/passwd", "cup/c.png"])
def test_what_names_nothing_is_nothing(said: str) -> None:
    assert NAMES.find("line 1", said) is None


def test_what_may_be_two_is_refused_with_both() -> None:
    names = ItemNames(("cup/a.jpg", "cup/a.JPG"))
    assert names.find("line 7", "cup/a.JPG") == "cup/a.JPG"
    with pytest.raises(TableError, match=r"line 7: \./cup/a\.JPG may be cup/a\.JPG or cup/a\.jpg"):
        names.find("line 7", "./cup/a.JPG")
