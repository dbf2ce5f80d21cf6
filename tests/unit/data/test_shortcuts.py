"""What is drawn in a quick way is, pixel for pixel, what the plain way draws."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from acbench.data.contrast import DARK, MOST, Stretch, stretch
from acbench.data.evidence import notice, outlined, picture, shrunk
from acbench.data.marking import draw_corners, draw_frame, outline
from acbench.data.regions import Box, Mask
from acbench.data.text import drawn, font, wrap

BOXES = (
    *(Box(10, 12, 40, 30), Box(0, 0, 60, 50), Box(-7, -20, 30, 70), Box(-30, 10, -5, 20), Box(55, 45, 90, 80)),
    *(Box(20, 20, 20 + width, 20 + height) for width in range(1, 5) for height in range(1, 5)),
)


def ring(shape: tuple[int, ...], box: Box, outer: int, inner: int) -> Mask:
    """What lies between the box grown by `outer` and the box grown by `inner` pixels."""
    found = np.zeros(shape, dtype=np.bool_)
    for grow, value in ((outer, True), (inner, False)):
        rows = np.s_[max(box.top - grow, 0) : max(box.bottom + grow, 0)]
        found[rows, max(box.left - grow, 0) : max(box.right + grow, 0)] = value
    return found


@pytest.mark.parametrize("box", BOXES, ids=str)
def test_a_frame_is_two_rings_beside_the_anomaly(box: Box) -> None:
    mask = np.zeros((50, 60), dtype=np.bool_)
    mask[5:25, 15:35] = True
    frame = np.zeros((50, 60, 3), dtype=np.uint8)
    draw_frame(frame, mask, box)
    plain = np.zeros_like(frame)
    plain[ring(mask.shape, box, 0, -1) & ~mask] = 255
    plain[ring(mask.shape, box, -1, -2) & ~mask] = (100, 100, 104)
    np.testing.assert_array_equal(frame, plain)


@pytest.mark.parametrize("box", BOXES, ids=str)
def test_corners_are_two_rings_without_the_middle_of_their_sides(box: Box) -> None:
    def gap(start: int, end: int) -> slice:
        arm = min((end - start) // 3, 10)
        return slice(max(start + arm, 0), max(end - arm, 0))

    drawn_here = np.full((50, 60, 3), 7, dtype=np.uint8)
    draw_corners(drawn_here, box)
    corners = np.ones((50, 60), dtype=np.bool_)
    corners[gap(box.top, box.bottom), :] = False
    corners[:, gap(box.left, box.right)] = False
    plain = np.full((50, 60, 3), 7, dtype=np.uint8)
    plain[ring(corners.shape, box, 11, 8) & corners] = (16, 0, 0)
    plain[ring(corners.shape, box, 10, 9) & corners] = 255
    np.testing.assert_array_equal(drawn_here, plain)


@pytest.mark.parametrize(
    "edges", [(40, 30), (448, 448), (900, 700), (2000, 1700), (12_000, 9_000), (12_000, 40)], ids=str
)
def test_a_mask_in_a_small_picture_marks_what_any_part_of_it_marks(edges: tuple[int, int]) -> None:
    width, height = edges
    random = np.random.default_rng(width)
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[random.integers(0, height, 40), random.integers(0, width, 40)] = True
    small = shrunk(Image.new("RGB", (width, height), (200, 200, 200)))
    share = np.asarray(Image.fromarray(mask.astype(np.float32)).resize(small.size, Image.Resampling.BOX))
    plain = outline(share > 0, max(2, round(max(small.size) / 200)))
    red = (np.asarray(outlined(small, mask, gap=0, line=200)) == (255, 24, 24)).all(axis=2)
    np.testing.assert_array_equal(red, plain)


def by_percentiles(pixels: NDArray[np.uint8]) -> Stretch:
    brightest = np.percentile(pixels.max(axis=2), 99)
    low = float(np.percentile(pixels.min(axis=2), 1))
    return Stretch() if brightest >= DARK else Stretch(low, min(255 / max(float(brightest) - low, 1), MOST))


@pytest.mark.parametrize("size", [1, 2, 7, 99, 100, 101, 102, 1000])
@pytest.mark.parametrize("share", [0, 0.009, 0.01, 0.011, 0.02, 1])
@pytest.mark.parametrize("level", [DARK - 1, DARK, DARK + 1])
def test_contrast_is_stretched_by_percentiles(size: int, share: float, level: int) -> None:
    pixels = np.random.default_rng(size).integers(3, 30, (1, size, 3), dtype=np.uint8)
    pixels[0, : round(share * size), 1] = level
    assert stretch([pixels]) == by_percentiles(pixels)


def test_a_row_of_text_is_what_pillow_writes() -> None:
    for text in ("jagged ffi Wag", "1.0 % of it, up to 3.5 times", "x", "…", ""):
        for size in (15, 17):
            plain = Image.new("RGB", (400, 60), (246, 246, 244))
            ImageDraw.Draw(plain).text((20, 30), text, (28, 28, 30), font(size), anchor="ls")
            page = Image.new("RGB", (400, 60), (246, 246, 244))
            mask, (left, top) = drawn(text, size)
            page.paste((28, 28, 30), (20 + left, 30 + top), mask)
            assert page.tobytes() == plain.tobytes(), (text, size)


def test_text_that_fits_is_one_row_and_other_text_fills_its_rows() -> None:
    text = "a defect of three words " * 4
    for width in range(40, 900, 37):
        rows = wrap(text.strip(), 17, width, 9)
        assert all(font(17).getlength(row) <= width for row in rows)
        for row, after in pairwise(rows):
            assert font(17).getlength(f"{row} {after.split()[0]}") > width


def test_a_normal_image_that_was_shrunk_before_gives_the_same_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 700, 3), dtype=np.uint8)
    normal, image = Image.fromarray(pixels), notice("an image")
    mask = np.zeros((image.height, image.width), dtype=np.bool_)
    mask[30:60, 40:90] = True
    once, twice = (picture(image, mask, each, title="t") for each in (normal, shrunk(normal)))
    assert once.tobytes() == twice.tobytes()
