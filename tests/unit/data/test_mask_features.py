"""Numbers of a defect: the same for the same defect at another size, others for another defect, finite for any mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from acbench.data import regions
from acbench.data.mask_features import MaskFeatures, describe

GREY, DARK, RED = (200, 200, 200), (60, 60, 60), (220, 30, 30)


def scene(edge: int, *, left: float = 0.4, colour: tuple[int, int, int] = RED, product: bool = True) -> tuple[Any, Any]:
    """A bar, lying on a hammer if there is a product, in an image of `edge` pixels, and its mask."""
    pixels = np.full((edge, edge, 3), GREY, dtype=np.uint8)
    mask = np.zeros((edge, edge), dtype=np.bool_)
    if product:
        pixels[int(0.3 * edge) : int(0.7 * edge), int(0.1 * edge) : int(0.9 * edge)] = DARK
        pixels[int(0.1 * edge) : int(0.9 * edge), int(0.1 * edge) : int(0.25 * edge)] = DARK
    bar = np.s_[int(0.45 * edge) : int(0.5 * edge), int(left * edge) : int((left + 0.2) * edge)]
    pixels[bar], mask[bar] = colour, True
    return Image.fromarray(pixels), mask


def numbers(image: Any, mask: Any) -> MaskFeatures:
    box = regions.square(mask)
    return describe(image, mask, regions.cut(image, box, 112), regions.cut_mask(mask, box, 112))


def test_a_larger_picture_of_the_same_has_the_same_numbers() -> None:
    small, large = (numbers(*scene(edge)) for edge in (200, 800))
    assert np.abs(small.shape - large.shape).max() < 0.2
    assert np.abs(small.place - large.place).max() < 0.2


def test_the_same_gives_the_same_bytes() -> None:
    one, other = (np.concatenate(numbers(*scene(300))).tobytes() for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("changed", "group"),
    [({"left": 0.12}, "place"), ({"colour": (30, 220, 30)}, "colour"), ({"product": False}, "place")],
)
def test_what_differs_shows_in_its_group(changed: dict[str, Any], group: str) -> None:
    before, after = numbers(*scene(400)), numbers(*scene(400, **changed))
    assert np.abs(getattr(before, group) - getattr(after, group)).max() > 0.1


def test_the_shape_has_nothing_to_do_with_the_colour() -> None:
    before, after = numbers(*scene(400)), numbers(*scene(400, colour=(30, 220, 30)))
    assert np.array_equal(before.shape, after.shape)


def test_nothing_marked_counts_as_all_marked() -> None:
    image, mask = scene(200)
    nothing, everything = (numbers(image, np.full_like(mask, marked)) for marked in (False, True))
    assert all(np.array_equal(one, other) for one, other in zip(nothing, everything, strict=True))


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_any_mask_has_finite_numbers(height: int, width: int, share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((height, width)) < share
    image = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
    found = numbers(image, mask)
    assert [len(group) for group in found] == [26, 16, 35]
    assert all(np.isfinite(group).all() for group in found)
