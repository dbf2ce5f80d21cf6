"""What a mask tells in figures, on masks whose figures are known, and on real bottles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from acbench.data.mask_facts import MaskFacts, measure
from acbench.data.regions import Mask, longest_extent
from tests.unit.data.test_foreground import disc, picture

RING = picture(disc(radius=250, hole=150, y=300))


def sector(start: float, end: float, *, inner: float = 160, outer: float = 240) -> Mask:
    """A part of the ring, between two directions in degrees."""
    rows, columns = np.mgrid[0:600, 0:600]
    away = np.hypot(columns + 0.5 - 300, rows + 0.5 - 300)
    direction = np.degrees(np.arctan2(rows + 0.5 - 300, columns + 0.5 - 300)) - start
    return np.asarray((away >= inner) & (away <= outer) & (direction % 360 <= end - start))


def box(left: int, top: int, right: int, bottom: int) -> Mask:
    mask = np.zeros((600, 600), dtype=np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def facts(mask: Mask) -> MaskFacts:
    return measure(RING, mask)


@pytest.mark.parametrize(("start", "end"), [(0, 30), (40, 135), (-20, 20), (170, 190), (10, 310), (0, 359)])
def test_an_arc_is_measured_around_the_centre(start: float, end: float) -> None:
    assert facts(sector(start, end)).arc == pytest.approx(end - start, abs=2)


def test_the_arc_is_that_of_the_largest_place() -> None:
    both = facts(sector(0, 60) | sector(150, 170))
    assert (both.places, both.many) == (2, False)
    assert both.arc == pytest.approx(60, abs=2)


def test_what_reaches_the_middle_has_no_arc() -> None:
    assert facts(sector(0, 90, inner=0, outer=200)).arc is None
    assert facts(box(280, 280, 320, 320)).arc is None


def test_what_is_not_round_has_no_arc() -> None:
    bar = box(50, 250, 550, 350)
    found = measure(picture(bar), box(60, 260, 90, 280))
    assert found.arc is None and found.share_of_product is not None
    assert found.longest_of_product == pytest.approx(np.hypot(30, 20) / np.hypot(500, 100), rel=0.06)


def test_shares_and_extents() -> None:
    found = facts(box(100, 300, 130, 340))
    assert found.share == pytest.approx(30 * 40 / 600**2)
    assert found.share_of_product == pytest.approx(30 * 40 / (np.pi * 250**2), rel=0.03)
    assert found.longest == pytest.approx(50, abs=1.5)
    assert found.longest_of_image == found.longest / 600


def test_without_a_product_there_are_no_shares_of_it() -> None:
    found = measure(Image.new("RGB", (600, 600)), box(100, 300, 130, 340))
    assert (found.share_of_product, found.longest_of_product, found.arc) == (None, None, None)


@pytest.mark.parametrize(
    ("mask", "at_edge"),
    [
        (box(0, 5, 10, 10), True),
        (box(590, 5, 600, 10), True),
        (box(300, 0, 301, 1), True),
        (box(300, 599, 301, 600), True),
        (box(1, 1, 599, 599), False),
    ],
)
def test_touching_the_edge(mask: Mask, at_edge: bool) -> None:
    assert facts(mask).at_edge == at_edge


def test_many_places_are_told_as_many() -> None:
    spots = np.logical_or.reduce([box(x, y, x + 20, y + 20) for x in (50, 250, 450) for y in (50, 250, 450)])
    assert facts(spots).many


def test_nothing_marked_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing is marked"):
        facts(box(0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mask", "longest"),
    [
        (np.zeros((5, 5), dtype=np.bool_), 0),
        (np.ones((1, 1), dtype=np.bool_), 1),
        (np.ones((1, 300), dtype=np.bool_), 300),
        (np.ones((300, 1), dtype=np.bool_), 300),
        (np.eye(200, dtype=np.bool_), 1 + 199 * np.sqrt(2)),
        (np.eye(200, dtype=np.bool_)[::-1], 1 + 199 * np.sqrt(2)),
        (disc(radius=100), 201),
    ],
    ids=["nothing", "a pixel", "a row", "a column", "a diagonal", "the other", "a disc"],
)
def test_the_longest_extent(mask: Mask, longest: float) -> None:
    assert longest_extent(mask) == pytest.approx(longest, rel=0.002, abs=0.6)


def test_real_bottles_part_at_95_degrees(mvtec_ad_root: Path) -> None:
    """All of `broken_large` are above; of `broken_small` four in the whole data set are too."""
    arcs: dict[str, list[float | None]] = {}
    for folder in ("broken_large", "broken_small"):
        for path in sorted((mvtec_ad_root / "bottle/test" / folder).glob("*.png")):
            mask = np.asarray(Image.open(mvtec_ad_root / f"bottle/ground_truth/{folder}/{path.stem}_mask.png")) > 0
            arcs.setdefault(folder, []).append(measure(Image.open(path).convert("RGB"), mask).arc)
    assert all(arc is not None and arc > 95 for arc in arcs["broken_large"])
    assert sum(arc is None or arc > 95 for arc in arcs["broken_small"]) <= 4
