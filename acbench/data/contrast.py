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
    largest = [_over_channels(np.maximum, pixels) for pixels in pictures]
    # Most pictures are bright, and to count tells that more quickly than a percentile.
    if not largest or any(np.count_nonzero(each >= DARK) > each.size / 100 + 1 for each in largest):
        return Stretch()
    brightest = max(float(np.percentile(each, 99)) for each in largest)
    if brightest >= DARK:
        return Stretch()
    low = min(float(np.percentile(_over_channels(np.minimum, pixels), 1)) for pixels in pictures)
    return Stretch(low, min(255 / max(brightest - low, 1), MOST))


def _over_channels(least_or_most: np.ufunc, pixels: Pixels) -> NDArray[np.uint8]:
    """The least or the most of each pixel's channels, uint8[H, W]. An axis of three reduces twenty times as slowly."""
    red, green, blue = (pixels[..., channel] for channel in range(3))
    over: NDArray[np.uint8] = least_or_most(least_or_most(red, green), blue)
    return over
