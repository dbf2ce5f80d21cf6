"""What FiftyOne Brain says of our own vectors: a map, nearest neighbours, near-duplicates, likely mistakes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAP, SIMILAR = "map", "similar"
"""Names of the brain runs."""
MISTAKENNESS, NEAR, DISTANCE = "mistakenness", "near", "near_distance"
FIELDS = {MISTAKENNESS: "number", NEAR: "text", DISTANCE: "number"}
"""What is filled from them, with its kind. How likely the label is wrong, 0 to 1; the image that looks the same; the
cosine distance to that one."""
LEAST = 5
"""Fewer vectors give no map."""
MANY = 5000
"""With more vectors the map is a projection (PCA), which takes seconds where t-SNE takes many minutes."""
SAME = 0.02
"""Cosine distance below which two regions are likely the same one; different ones of the sample are twice as far."""
PRED = "proposal_neighbours"

Vectors = Mapping[str, NDArray[np.float32]]
"""item_id → vector (D,)."""


def digest(vectors: Vectors, model: str) -> str:
    """Changes with any vector."""
    sink = hashlib.blake2b(model.encode(), digest_size=8)
    for item_id in sorted(vectors):
        sink.update(item_id.encode() + vectors[item_id].tobytes())
    return sink.hexdigest()


def place(data: Any, vectors: Vectors) -> None:
    """Map, neighbours and near-duplicates of the samples that have vectors."""
    import fiftyone.brain as fob

    for key in (MAP, SIMILAR):
        if data.has_brain_run(key):
            data.delete_brain_run(key)
    for name in (NEAR, DISTANCE):
        data.clear_sample_field(name)
    sample_ids = dict(zip(*data.values(["item_id", "id"]), strict=True))
    there = [item_id for item_id in sorted(vectors) if item_id in sample_ids]
    if len(there) < LEAST:
        return
    view = data.select([sample_ids[item_id] for item_id in there], ordered=True)
    matrix = np.stack([vectors[item_id] for item_id in there]).astype(np.float64)
    how: dict[str, Any] = {"method": "pca"}
    if len(there) <= MANY:
        axes = min(50, *matrix.shape)
        how = {"method": "tsne", "perplexity": min(30, (len(there) - 1) // 3), "pca_dims": axes}
    fob.compute_visualization(view, embeddings=matrix, brain_key=MAP, num_dims=2, seed=51, verbose=False, **how)
    index = fob.compute_similarity(view, embeddings=matrix, backend="sklearn", metric="cosine", brain_key=SIMILAR)
    index.find_duplicates(thresh=SAME)
    images = dict(zip(*data.values(["id", "image"]), strict=True))
    units = matrix / np.linalg.norm(matrix, axis=1, keepdims=True).clip(1e-12)
    unit = {sample_ids[item_id]: units[row] for row, item_id in enumerate(there)}
    pairs = {
        other: (images[kept], float(1 - unit[kept] @ unit[other]))
        for kept, others in index.neighbors_map.items()
        for other, _ in others
    }
    if pairs:
        data.set_values(NEAR, {sample: image for sample, (image, _) in pairs.items()}, key_field="id")
        data.set_values(DISTANCE, {sample: distance for sample, (_, distance) in pairs.items()}, key_field="id")


def doubt(fo: Any, data: Any) -> None:
    """Mistakenness of the labels that have none yet, where `neighbours` gives a class and how sure it is."""
    import fiftyone.brain as fob

    if not data.has_field(PRED):
        return
    field = fo.ViewField
    open_ = (field(MISTAKENNESS) == None) & (field("label.label") != None)  # noqa: E711  (expressions of FiftyOne)
    view = data.match(open_ & (field(f"{PRED}.confidence") != None))  # noqa: E711
    if len(view):
        fob.compute_mistakenness(view, PRED, label_field="label", mistakenness_field=MISTAKENNESS)
