"""The PatchCore algorithm: scores a patch by its distance to the nearest patch of normal images.

Roth et al. 2022, *Towards Total Recall in Industrial Anomaly Detection*, arXiv 2106.08265. The patches of normal images
are sampled, and thinned to a coreset by greedy farthest-point choice in a random projection. The score of a patch is
the distance to its nearest neighbour in the coreset. The score of an image is that of its largest patch, without the
paper's reweighting, so that one threshold serves images and patches. It needs NumPy alone; the features come from
elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]

SAMPLED = 80_000
"""Patches that a coreset is chosen from, drawn at random from all normal images alike; bounds its time and memory."""
KEPT = 2_000
"""Patches of a coreset, if there are as many."""
PROJECTED = 64
"""Dimensions of the projection in which the coreset is chosen."""
ROWS = 8192
"""Patches compared at a time; bounds memory."""


@dataclass(frozen=True, slots=True)
class Bank:
    """The patches of normal images, thinned."""

    patches: Features
    """(K, D)."""

    def heatmap(self, features: Features) -> Features:
        """Euclidean distances (h, w) of the patches (h, w, D) of one image to the nearest normal patch."""
        height, width, depth = features.shape
        return self._nearest(features.reshape(-1, depth)).reshape(height, width)

    def _nearest(self, rows: Features) -> Features:
        own_squares = (self.patches**2).sum(axis=1)
        squared = np.empty(len(rows), dtype=np.float32)
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            products = part @ self.patches.T
            np.multiply(products, -2, out=products)
            products += own_squares
            squared[start : start + ROWS] = products.min(axis=1) + (part**2).sum(axis=1)
        distances: Features = np.sqrt(squared.clip(0))
        return distances


def fit(patches: Features) -> Bank:
    """The bank of the patches (…, D) of normal images."""
    rows = patches.reshape(-1, patches.shape[-1])
    return Bank(rows[coreset(rows, KEPT)])


def sampled(features: Features, images: int, seed: int) -> Features:
    """The part (n, D) of the patches (h, w, D) of one of so many images that goes into the choice of a coreset."""
    rows = features.reshape(-1, features.shape[-1])
    count = max(1, SAMPLED // images)
    if count >= len(rows):
        return rows
    chosen = np.random.default_rng(seed).choice(len(rows), count, replace=False, shuffle=False)
    return rows[np.sort(chosen)]


def coreset(rows: Features, size: int, *, seed: int = 0) -> NDArray[np.int64]:
    """The indices of `size` of the rows (N, D): each is the farthest from all before it, seen in a projection."""
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
