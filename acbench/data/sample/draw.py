"""Draws the images of the sample: a part is a stack of layers, defects change the layers, and light comes last.

No defect is painted onto an image. Each changes what the part *is* — its height, its colour, its gloss, where it has
material — and one lamp and one camera make an image of the result. So a dent is bright where it faces the lamp, a loose
thread casts a shadow, and the belt shows through a chip.

Lengths are in fine pixels: everything is drawn at twice the size of the image and averaged. Colours are linear RGB.
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
"""Category → the function that makes its part, and the functions that add each kind of defect."""


def draw(rng: Rng, category: str, defects: Sequence[str]) -> tuple[NDArray[np.uint8], Mask]:
    """A photograph, uint8 (SIZE, SIZE, 3), of a part with these defects, each in a place of its own, and their mask."""
    make_part, kinds = PARTS[category]
    canvas = make_part(rng)
    mask: Mask = np.zeros((FINE, FINE), dtype=bool)
    for defect in defects:
        taken = ndimage.binary_dilation(mask, iterations=12) if mask.any() else mask
        for _ in range(40):
            damaged, place = kinds[defect](rng, canvas)
            if not (place & taken).any():
                break
        canvas, mask = damaged, mask | place
    return photograph(rng, canvas), halve(mask.astype(np.float32)) >= 0.5
