"""How the sample's pictures are made: a part is a stack of layers, a defect edits them, light comes last.

No defect is painted onto a picture. Each changes what the part *is* — its height, its colour, its gloss,
where it has material at all — and one lamp and one camera, the same for every picture, make an image of that.
So a dent is bright where it faces the lamp, a loose thread casts a shadow, and a chip lets the belt show.

Lengths are in fine pixels: everything is drawn at twice the size of the image and averaged down. Colours are
linear RGB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped, unused-ignore]

from acbench.data.sample.camera import photograph
from acbench.data.sample.fabric import fabric, fold, hole, loose_thread, stain
from acbench.data.sample.layers import FINE, Canvas, Defect, Mask, Rng, halve
from acbench.data.sample.washer import chip, dent, rust, scratch, washer

PARTS: dict[str, tuple[Callable[[Rng], Canvas], dict[str, Defect]]] = {
    "fabric": (fabric, {"fold": fold, "hole": hole, "loose_thread": loose_thread, "stain": stain}),
    "washer": (washer, {"chip": chip, "dent": dent, "rust": rust, "scratch": scratch}),
}
"""Category → how its part is made, and what can befall it."""


def draw(rng: Rng, category: str, defects: Sequence[str]) -> tuple[NDArray[np.uint8], Mask]:
    """A photograph (`layers.SIZE`, as wide, 3) of a part with these defects, each in its own place, and their mask."""
    make, kinds = PARTS[category]
    canvas = make(rng)
    mask: Mask = np.zeros((FINE, FINE), dtype=bool)
    for defect in defects:
        taken = ndimage.binary_dilation(mask, iterations=12) if mask.any() else mask
        for _ in range(40):
            marred, where = kinds[defect](rng, canvas)
            if not (where & taken).any():
                break
        canvas, mask = marred, mask | where
    return photograph(rng, canvas), halve(mask.astype(np.float32)) >= 0.5
