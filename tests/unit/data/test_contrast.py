"""A dark close-up is stretched, and says so; any other stays as it is."""

from __future__ import annotations

import numpy as np
from PIL import Image

from acbench.data.contrast import MOST, stretch
from acbench.data.evidence import close_up, panels


def picture(darkest: int, brightest: int) -> Image.Image:
    values = np.random.default_rng(0).integers(darkest, brightest + 1, (100, 120, 3), dtype=np.uint8)
    return Image.fromarray(values)


MASK = np.zeros((100, 120), dtype=np.bool_)
MASK[40:60, 40:60] = True


def test_a_dark_close_up_is_stretched_and_says_so() -> None:
    _, caption, _ = (panel.caption for panel in panels(picture(10, 30), MASK, None))
    enlarged, note = close_up(picture(10, 30), MASK)
    assert note in caption and note.startswith("contrast stretched ") and note.endswith(" times")
    assert np.asarray(enlarged).std() > 3 * np.asarray(picture(10, 30)).std()


def test_a_bright_part_of_a_dark_image_is_not_stretched() -> None:
    pixels = np.asarray(picture(10, 30)).copy()
    pixels[MASK] = 200
    assert close_up(Image.fromarray(pixels), MASK)[1] == ""


def test_the_whole_image_stays_as_it_is() -> None:
    whole = panels(picture(10, 30), MASK, picture(10, 30))
    assert np.asarray(whole[2].image).max() < 64  # resizing overshoots a little


def test_one_level_for_all_pictures_together() -> None:
    dark, bright = np.asarray(picture(0, 20)), np.asarray(picture(0, 200))
    assert stretch([dark, bright]).times == 1 and stretch([]).note == ""
    assert stretch([dark * 0]).times == MOST
    assert not stretch([dark * 0])(dark * 0).any()
