"""The evidence picture: what it shows, what it never hides, what it does with odd images and odd text."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from acbench.data.evidence import PANEL, close_up, contour, notice, outlined, panels, picture
from acbench.data.marking import outline
from acbench.data.regions import Mask

RED = (255, 24, 24)


def noise(width: int = 120, height: int = 100, seed: int = 0) -> Image.Image:
    """No red in it: any red pixel of a result was drawn."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels[..., 0] = 90
    return Image.fromarray(pixels)


def disc(width: int = 120, height: int = 100, *, x: float = 0.5, y: float = 0.5, radius: float = 12) -> Mask:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.asarray(np.hypot(columns - x * width, rows - y * height) <= radius)


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image)


def red(image: Image.Image) -> Mask:
    return np.asarray((pixels_of(image) == RED).all(axis=2))


MASKS = {
    "a disc": disc(),
    "at the border": disc(x=0, y=1),
    "one pixel": disc(radius=0.5),
    "two places": disc(x=0.1, radius=4) | disc(x=0.9, radius=3),
    "three places": disc(x=0.1, radius=4) | disc(x=0.9, radius=3) | disc(y=0.1, radius=2),
    "six places": np.logical_or.reduce([disc(x=x, y=y, radius=3) for x in (0.1, 0.5, 0.9) for y in (0.1, 0.9)]),
    "full": np.ones((100, 120), dtype=np.bool_),
    "empty": np.zeros((100, 120), dtype=np.bool_),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_contour_changes_no_marked_pixel(mask: Mask) -> None:
    image = noise()
    drawn = contour(image, mask)
    assert (drawn.mode, drawn.size) == ("RGB", image.size)
    np.testing.assert_array_equal(pixels_of(drawn)[mask], pixels_of(image)[mask])
    assert red(drawn).any() == (mask.any() and not mask.all())


@pytest.mark.parametrize("gap", [1, 2, 5])
def test_a_gap_between_the_line_and_the_defect_stays_as_it_is(gap: int) -> None:
    image, mask = noise(), disc()
    drawn = red(outlined(image, mask, gap=gap, line=448))
    near = mask | outline(mask, gap)
    np.testing.assert_array_equal(pixels_of(outlined(image, mask, gap=gap, line=448))[near], pixels_of(image)[near])
    assert (drawn == outline(mask, 2, gap)).all() and drawn.any()


def test_the_line_is_as_wide_as_it_is_told() -> None:
    large = noise(900, 900)
    wide, thin = (red(outlined(large, disc(900, 900), gap=0, line=line)).sum() for line in (224, 448))
    assert wide > 1.8 * thin > 0


def test_a_contour_surrounds_the_defect() -> None:
    mask = disc()
    band = outline(mask, 1)
    assert red(contour(noise(), mask))[band].all()
    assert not (band & mask).any()
    assert outline(mask, 3).sum() > band.sum()


def test_a_contour_in_a_shrunk_image_leaves_every_partly_marked_pixel_alone() -> None:
    mask = np.zeros((400, 600), dtype=np.bool_)
    mask[201, 301] = True
    drawn = contour(noise(600, 400), mask, longest=60)
    assert drawn.size == (60, 40)
    assert not red(drawn)[20, 30]
    assert red(drawn)[20, 31] and red(drawn)[19, 30]


def test_a_contour_is_never_enlarged() -> None:
    assert contour(noise(), disc(), longest=5000).size == (120, 100)


def test_a_line_is_seen_on_red() -> None:
    drawn = pixels_of(contour(Image.new("RGB", (120, 100), RED), disc()))
    assert (drawn.sum(axis=2) < 60).any()


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_picture_is_landscape_and_its_close_up_has_no_outline(mask: Mask) -> None:
    whole = picture(noise(), mask, noise(seed=1), title="bottle/test/000.png", lines=["source says: crack"])
    assert whole.mode == "RGB"
    assert whole.width > whole.height > PANEL
    columns = np.flatnonzero(red(whole).any(axis=0))
    if mask.any() and not mask.all():
        assert columns[0] >= 24 and columns[-1] < 24 + round(1.2 * PANEL) + 1
    else:
        assert not columns.size


def test_the_close_up_enlarges_the_defect_and_spares_it() -> None:
    image = Image.new("RGB", (400, 400), (20, 60, 20))
    mask = disc(400, 400, x=0.2, y=0.3, radius=10)
    pixels = np.array(image)
    pixels[mask] = (0, 0, 255)
    whole = pixels_of(picture(Image.fromarray(pixels), mask, None, title=""))
    blue = (whole == (0, 0, 255)).all(axis=2)
    first, second = blue[:, : 24 + PANEL].sum(), blue[:, 24 + PANEL :].sum()
    assert first > 200
    assert second > 30 * first  # 6.7 times in each direction


def test_panels_stand_at_the_same_place_whatever_is_said() -> None:
    short = picture(noise(), disc(), noise(), title="a")
    long = picture(noise(), disc(), noise(), title="gypsy " * 90, lines=["word " * 400] * 9)
    assert long.width == short.width
    assert long.height > short.height
    top = slice(96, 96 + PANEL)
    np.testing.assert_array_equal(pixels_of(long)[top], pixels_of(short)[top])


def test_what_is_missing_is_said_in_words() -> None:
    *_, reference = panels(noise(), None, None)
    assert reference.image.tobytes() == notice("No normal image to compare with.").tobytes()
    _, close, _ = panels(noise(), MASKS["empty"], noise())
    assert close.caption == "Close-up"
    assert close.image.tobytes() == notice("The mask is empty:", "nothing is marked as anomalous.").tobytes()
    assert close.image.tobytes() != reference.image.tobytes()


def captions(mask: Mask | None) -> list[str]:
    """What stands above the panels of a picture."""
    return [panel.caption for panel in panels(noise(), mask, noise())]


def test_without_a_mask_there_is_no_empty_panel() -> None:
    assert captions(None) == ["Whole image; no mask marks a place in it", "Normal image, to compare"]


def test_a_close_up_tells_how_much_larger_it_is() -> None:
    assert captions(MASKS["one pixel"])[1] == "Close-up, 6.7 times as large"  # a square of 15 of 100 pixels
    assert captions(MASKS["two places"])[1] == "Close-up of the 2 largest places, up to 3.3 times as large"
    assert captions(MASKS["three places"])[1].startswith("Close-up of the 3 largest places, up to 3.")
    assert captions(MASKS["full"])[1] == "The same, without the outline"


def test_a_picture_shows_its_panels_from_left_to_right() -> None:
    page, x = pixels_of(picture(noise(), disc(), noise(seed=1), title="a")), 24
    for panel in panels(noise(), disc(), noise(seed=1)):
        np.testing.assert_array_equal(page[96 : 96 + PANEL, x : x + panel.image.width], pixels_of(panel.image))
        x += panel.image.width + 20


def test_a_close_up_in_tiles_is_said_to_be_of_so_many_places() -> None:
    found = {name: close_up(noise(), mask)[1] for name, mask in MASKS.items()}
    assert {name: words for name, words in found.items() if words} == {
        "two places": "2 marked places",
        "three places": "3 marked places",
        "six places": "the 4 largest of 6 marked places",
    }
    many = np.zeros((1000, 1000), dtype=np.bool_)
    many[100::200, 100::200] = True
    assert close_up(noise(1000, 1000), many)[1] == "the 4 largest of 8 or more marked places"


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 5000), (5000, 2), (37, 41), (1500, 1000)])
def test_odd_shapes(size: tuple[int, int]) -> None:
    image = noise(*size)
    for mask in (None, np.ones(size[::-1], dtype=np.bool_), np.eye(*size[::-1], dtype=np.bool_)):
        whole = picture(image, mask, image, title="odd", lines=["one"])
        assert (900 if mask is None else 1000) < whole.width < 2000
        assert whole.height < 700
        if mask is not None:
            assert contour(image, mask).size == size


@pytest.mark.parametrize("mode", ["1", "L", "RGBA"])
def test_other_modes_are_converted(mode: str) -> None:
    image = noise().convert(mode)
    expected = picture(image.convert("RGB"), disc(), image.convert("RGB"), title="")
    assert picture(image, disc(), image, title="").tobytes() == expected.tobytes()
    assert contour(image, disc()).mode == "RGB"


def test_arguments_are_left_alone() -> None:
    image, mask = noise(), disc()
    picture(image, mask, image, title="")
    contour(image, mask)
    np.testing.assert_array_equal(pixels_of(image), pixels_of(noise()))
    np.testing.assert_array_equal(mask, disc())


def test_a_mask_of_another_size_is_refused() -> None:
    words = "the mask is 100×120 pixels, its image 120×100"
    with pytest.raises(ValueError, match=words):
        picture(noise(), disc(100, 120), None, title="")
    with pytest.raises(ValueError, match=words):
        contour(noise(), disc(100, 120))


def test_the_same_arguments_give_the_same_bytes() -> None:
    first, second = (
        picture(noise(), MASKS["six places"], noise(seed=1), title="a/b.png", lines=["one", "two"]) for _ in "ab"
    )
    assert first.tobytes() == second.tobytes()
