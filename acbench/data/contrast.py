"""Stretches the contrast of dark pictures, so that a person sees what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

DARK = 64
"""A picture is dark if 99 % of its pixels have no channel above this level of 255."""
MOST = 16.0
"""Contrast is stretched at most so many times: beyond, there is nothing but noise."""


class Stretch(NamedTuple):
    """A linear change of levels; the same for every channel, so that colours keep their hue."""

    low: float = 0.0
    """The level that becomes 0."""
    times: float = 1.0
    """By how much contrast grows; 1 if nothing changes."""

    def __call__(self, pixels: Pixels) -> Pixels:
        """The pixels, uint8[H, W, 3], at their new levels."""
        if self.times == 1:
            return pixels
        return ((pixels - np.float32(self.low)) * np.float32(self.times)).clip(0, 255).astype(np.uint8)

    @property
    def note(self) -> str:
        """What a caption has to say; empty if nothing changes."""
        return f"contrast stretched {self.times:.1f} times" if self.times > 1 else ""


def stretch(pictures: Sequence[Pixels]) -> Stretch:
    """The stretch that suits all pictures together, each uint8[H, W, 3]; it changes nothing unless all are dark."""
    brightest = [np.percentile(pixels.max(axis=2), 99) for pixels in pictures]
    if not brightest or max(brightest) >= DARK:
        return Stretch()
    low = min(float(np.percentile(pixels.min(axis=2), 1)) for pixels in pictures)
    return Stretch(low, min(255 / max(float(max(brightest)) - low, 1), MOST))
