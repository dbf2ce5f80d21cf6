"""PatchCore: how far each patch of a picture is from every patch of normal pictures.

Roth et al. 2022, *Towards Total Recall in Industrial Anomaly Detection*, arXiv 2106.08265: the patches of normal
pictures are thinned to a coreset by greedy farthest-point choice in a random projection, and a patch's distance to its
nearest neighbour in it is its score. A picture's score is its largest patch's, without the paper's reweighting, so that
one threshold serves picture and patches alike. NumPy alone; the features are somebody else's affair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]

SHARE = 0.01
"""Of the patches that are kept: the paper's smallest coreset, which costs it 0.1 points of AUROC."""
LEAST = 400
"""So many are kept at least, if there are."""
PROJECTED = 64
"""Dimensions in which the coreset is chosen."""
ROWS = 8192
"""Patches compared at a time; bounds memory."""


@dataclass(frozen=True, slots=True)
class Bank:
    """What normal patches look like."""

    patches: Features
    """(K, D)."""

    def heatmap(self, features: Features) -> Features:
        """Euclidean distances (h, w) of the patches (h, w, D) of one picture to the nearest normal patch."""
        height, width, depth = features.shape
        return self._nearest(features.reshape(-1, depth)).reshape(height, width)

    def _nearest(self, rows: Features) -> Features:
        own = (self.patches**2).sum(axis=1)
        found = np.empty(len(rows), dtype=np.float32)
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            products = part @ self.patches.T
            np.multiply(products, -2, out=products)
            products += own
            found[start : start + ROWS] = products.min(axis=1) + (part**2).sum(axis=1)
        distances: Features = np.sqrt(found.clip(0))
        return distances


def fit(features: Features) -> Bank:
    """The bank of the patches (N, h, w, D) of N normal pictures."""
    rows = features.reshape(-1, features.shape[-1])
    return Bank(rows[coreset(rows, max(LEAST, round(SHARE * len(rows))))])


def coreset(rows: Features, size: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Which `size` of the rows (N, D) to keep: each next one is the farthest from all before, seen in a projection."""
    if size >= len(rows):
        return np.arange(len(rows))
    random = np.random.default_rng(seed)
    depth = rows.shape[1]
    if depth > PROJECTED:
        rows = rows @ (random.standard_normal((depth, PROJECTED)) / np.sqrt(PROJECTED)).astype(np.float32)
    squares = (rows**2).sum(axis=1)
    chosen = np.empty(size, dtype=np.int64)
    chosen[0] = random.integers(len(rows))
    nearest = np.full(len(rows), np.inf, dtype=np.float32)
    for number in range(1, size):
        last = chosen[number - 1]
        distance = rows @ rows[last]
        np.multiply(distance, -2, out=distance)
        distance += squares
        np.minimum(nearest, distance + squares[last], out=nearest)
        nearest[last] = -np.inf
        chosen[number] = nearest.argmax()
    return chosen
