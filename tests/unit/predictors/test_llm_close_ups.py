"""Which places of an image are shown close up, how large, and from which pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from acbench.data.regions import Mask
from acbench.predictors.llm.close_ups import ENLARGED, MOST, Cuts, cut, plan


def mask(*boxes: tuple[int, int, int, int], edge: int = 1024) -> Mask:
    marked = np.zeros((edge, edge), dtype=np.bool_)
    for left, top, right, bottom in boxes:
        marked[top:bottom, left:right] = True
    return marked


def spots(*places: tuple[int, int], size: int = 20) -> Mask:
    return mask(*((x, y, x + size, y + size) for x, y in places))


def counts(cuts: Cuts) -> tuple[list[int], int, int]:
    return [each.places for each in cuts.shown], cuts.large, cuts.left_out


def test_one_place_has_one_close_up() -> None:
    cuts = plan(spots((500, 300)), 768)
    assert counts(cuts) == ([1], 0, 0)
    (only,) = cuts.shown
    assert only.box.width == 154 and only.edge == 616 == ENLARGED * 154
    assert only.times == pytest.approx(ENLARGED * 1024 / 768)


def test_places_far_apart_have_one_each_and_the_largest_comes_first() -> None:
    cuts = plan(spots((50, 50)) | spots((900, 900), size=60) | spots((50, 900), size=40), 768)
    assert counts(cuts) == ([1, 1, 1], 0, 0)
    assert [each.box.left > 500 for each in cuts.shown] == [True, False, False]
    assert [each.box.top > 500 for each in cuts.shown] == [True, True, False]
    assert {each.edge for each in cuts.shown} == {512}


def test_places_that_lie_close_together_share_one() -> None:
    assert counts(plan(spots((500, 500), (570, 500), (500, 570)), 768)) == ([3], 0, 0)
    assert counts(plan(spots((500, 500), (570, 500), (100, 100)), 768)) == ([2, 1], 0, 0)


def test_more_than_the_bound_are_counted() -> None:
    cuts = plan(spots(*((x, y) for x in (50, 500, 950) for y in (100, 900)), size=30), 768)
    assert counts(cuts) == ([1] * MOST, 0, 6 - MOST)


def test_what_the_full_view_shows_as_well_has_none() -> None:
    assert counts(plan(mask((100, 100, 900, 900)), 768)) == ([], 1, 0)
    assert counts(plan(mask((0, 0, 900, 600)) | spots((950, 950)), 768)) == ([1], 1, 0)
    assert counts(plan(mask(), 768)) == ([], 0, 0)


def test_each_close_up_is_closer() -> None:
    for size in range(20, 600, 20):
        for each in plan(mask((10, 10, 10 + size, 10 + size)) | spots((1000, 1000)), 768).shown:
            assert each.times >= 1.5 and each.edge <= 768


def test_a_small_image_is_not_blown_up() -> None:
    (only,) = plan(mask((20, 20, 26, 26), edge=48), 768).shown
    assert only.edge == ENLARGED * only.box.width


def test_it_is_cut_from_original_pixels() -> None:
    """Stripes of one pixel, which a picture shrunk before would have lost."""
    pixels = np.zeros((1024, 1024, 3), dtype=np.uint8)
    pixels[:, ::2] = 255
    (only,) = plan(spots((500, 300)), 768).shown
    shown = np.asarray(cut(Image.fromarray(pixels), only)).astype(int)
    assert shown.shape == (only.edge, only.edge, 3)
    assert shown.max() - shown.min() > 200
    assert np.abs(np.diff(shown[300, 100:140, 0])).max() > 50
