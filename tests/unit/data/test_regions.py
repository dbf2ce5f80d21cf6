"""Squares, close-ups and components, on ordinary masks and on odd ones."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from acbench.data.regions import MAX_COMPONENTS, Box, Mask, bounds, components, cut, cut_mask, square, square_around


def blank(height: int = 200, width: int = 300) -> Mask:
    return np.zeros((height, width), dtype=np.bool_)


def marked(*boxes: tuple[int, int, int, int], height: int = 200, width: int = 300) -> Mask:
    mask = blank(height, width)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = True
    return mask


ODD = {
    "one pixel of one": np.ones((1, 1), dtype=np.bool_),
    "a row": marked((40, 0, 90, 1), height=1),
    "a column": marked((0, 40, 1, 90), width=1),
    "a full row": np.ones((1, 5000), dtype=np.bool_),
    "full": np.ones((200, 300), dtype=np.bool_),
    "a corner": marked((299, 199, 300, 200)),
    "a diagonal": np.eye(120, dtype=np.bool_),
    "long, in a wide image": marked((10, 90, 290, 95)),
}


def test_a_square_around_bounds_is_that_of_the_mask() -> None:
    mask = marked((40, 60, 100, 90))
    found = bounds(mask)
    assert found is not None and square_around(found, (300, 200)) == square(mask)
    with pytest.raises(ValueError, match="cuts the defect off"):
        square_around(found, (300, 200), margin=0.5)


@pytest.mark.parametrize("mask", ODD.values(), ids=ODD)
def test_a_square_holds_every_marked_pixel(mask: Mask) -> None:
    box, found = square(mask), bounds(mask)
    assert found is not None
    assert box.width == box.height
    assert box.left <= found.left and box.top <= found.top
    assert box.right >= found.right and box.bottom >= found.bottom


@pytest.mark.parametrize("mask", ODD.values(), ids=ODD)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_what_is_marked_survives_the_cut(mask: Mask, size: int) -> None:
    box = square(mask)
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    pixels, share = cut(image, box, size), cut_mask(mask, box, size)
    assert pixels.shape == (size, size, 3) and pixels.dtype == np.dtype("uint8")
    assert share.shape == (size, size) and share.dtype == np.dtype("float32")
    assert 0 < share.max() <= 1 and share.min() >= 0


@pytest.mark.parametrize("mask", ODD.values(), ids=ODD)
def test_odd_masks_are_one_component(mask: Mask) -> None:
    (part,) = components(mask)
    np.testing.assert_array_equal(part, mask)


def test_a_square_leaves_room_around_the_defect() -> None:
    assert square(marked((100, 80, 140, 100))) == Box(90, 60, 150, 120)


def test_a_tiny_defect_keeps_its_surroundings() -> None:
    assert square(marked((100, 80, 101, 81)), least=0.5).width == 100


def test_a_square_at_the_border_is_moved_onto_the_image() -> None:
    assert square(marked((0, 0, 40, 40))) == Box(0, 0, 60, 60)
    assert square(marked((290, 190, 300, 200)), least=0.5) == Box(200, 100, 300, 200)


def test_a_square_reaches_over_the_border_only_for_a_mask_longer_than_the_shorter_edge() -> None:
    assert square(marked((50, 0, 240, 190))) == Box(45, 0, 245, 200)
    assert square(marked((20, 90, 270, 100))) == Box(20, -25, 270, 225)


def test_an_empty_mask_gives_the_whole_image() -> None:
    assert bounds(blank()) is None
    assert square(blank()) == Box(0, -50, 300, 250)
    assert components(blank()) == []


def test_a_margin_that_would_cut_the_defect_off_is_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        square(blank(), margin=0.9)


def test_a_box_beside_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="does not meet"):
        cut(Image.new("RGB", (30, 20)), Box(30, 0, 40, 10), 8)
    with pytest.raises(ValueError, match="does not meet"):
        cut_mask(blank(20, 30), Box(0, -10, 10, 0), 8)


def test_past_the_border_the_border_is_repeated_and_nothing_is_marked() -> None:
    image = Image.fromarray(np.array([[10] * 4, [200] * 4], dtype=np.uint8))  # 4 wide, 2 high
    box = Box(0, -1, 4, 3)
    assert cut(image, box, 4)[:, 0, 0].tolist() == [10, 10, 200, 200]
    assert cut_mask(np.ones((2, 4), dtype=np.bool_), box, 4)[:, 0].tolist() == [0, 1, 1, 0]


def test_coverage_is_the_share_of_a_pixel_that_is_marked() -> None:
    mask = marked((0, 0, 3, 4), height=8, width=8)
    assert cut_mask(mask, Box(0, 0, 8, 8), 2).tolist() == [[0.75, 0], [0, 0]]


def test_a_cut_and_its_mask_lie_on_each_other() -> None:
    mask = marked((31, 60, 255, 117))
    box = square(mask)
    assert box.top < 0, "padded, so that the shift is tested too"
    pixels = cut(Image.fromarray(mask.astype(np.uint8) * 255), box, 64)[..., 0]
    share = cut_mask(mask, box, 64)
    assert pixels[share == 1].min() > 200
    assert pixels[share == 0].max() < 55
    assert share.sum() == pytest.approx(mask.sum() * (64 / box.width) ** 2, rel=0.05)


def test_a_cut_takes_any_mode() -> None:
    for mode in ("L", "RGB", "RGBA"):
        assert cut(Image.new(mode, (30, 20), "white"), Box(0, 0, 20, 20), 8).min() == 255


def test_corners_touch() -> None:
    mask = marked((10, 10, 20, 20), (20, 20, 30, 30), height=20 + 20, width=40)
    assert len(components(mask)) == 1


@pytest.mark.parametrize(("gap", "count"), [(4, 1), (5, 2)])
def test_fragments_are_merged_up_to_a_fiftieth_of_the_shorter_edge(gap: int, count: int) -> None:
    mask = marked((20, 20, 40, 40), (40 + gap, 20, 60, 40))
    assert len(components(mask)) == count
    assert sum(part.sum() for part in components(mask)) == mask.sum()


def test_components_come_largest_first_and_equal_ones_in_reading_order() -> None:
    mask = marked((10, 150, 30, 170), (100, 100, 140, 140), (200, 20, 220, 40))
    corners = [bounds(part) for part in components(mask)]
    assert [corner and corner[:2] for corner in corners] == [(100, 100), (200, 20), (10, 150)]


def test_an_artefact_is_dropped_unless_nothing_else_is_left() -> None:
    speck = (250, 150, 252, 152)
    assert len(components(marked((20, 20, 60, 60), speck), least=1e-4)) == 1
    assert len(components(marked(speck), least=1e-4)) == 1
    assert len(components(marked((20, 20, 60, 60), speck))) == 2, "4 of 60,000 pixels may be a real one"


def test_the_largest_components_are_kept() -> None:
    mask = marked(*[(20 * n, 50, 20 * n + 3 + n // 6, 53) for n in range(12)])
    parts = components(mask)
    assert len(parts) == MAX_COMPONENTS
    assert parts[0].sum() == 12 and parts[-1].sum() == 9
    assert not np.logical_and.reduce(parts).any()
