"""Has FiftyOne Brain look at our own vectors: a map, nearest neighbours, near-duplicates, likely mistakes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import fiftyone as fo

MAP, SIMILAR = "map", "similar"
"""Names of the brain runs."""
MISTAKENNESS, NEAR, DISTANCE = "mistakenness", "near", "near_distance"
FIELDS = {MISTAKENNESS: "number", NEAR: "text", DISTANCE: "number"}
"""Field → kind. How likely the label is wrong, 0 to 1; the image that looks the same; the cosine distance to it."""
FEWEST = 5
"""Fewer vectors give no map."""
MANY = 5000
"""With more vectors the map is a projection (PCA), which takes seconds where t-SNE takes many minutes."""
SAME = 0.02
"""Cosine distance below which two regions are likely the same; different ones of the sample are twice as far."""
PREDICTED = "proposal_neighbours"
"""The field that labels are compared with."""

Vectors = Mapping[str, NDArray[np.float32]]
"""item_id → vector (D,)."""


def digest(vectors: Vectors, model: str) -> str:
    """A hash that changes with any vector."""
    sink = hashlib.blake2b(model.encode(), digest_size=8)
    for item_id in sorted(vectors):
        sink.update(item_id.encode() + vectors[item_id].tobytes())
    return sink.hexdigest()


def add_map_and_duplicates(data: fo.Dataset, vectors: Vectors) -> None:
    """Compute map, neighbours and near-duplicates of the samples that have vectors."""
    import fiftyone.brain as fob

    for run in (MAP, SIMILAR):
        if data.has_brain_run(run):
            data.delete_brain_run(run)
    for field in (NEAR, DISTANCE):
        data.clear_sample_field(field)
    sample_ids = dict(zip(*data.values(["item_id", "id"]), strict=True))
    item_ids = [item_id for item_id in sorted(vectors) if item_id in sample_ids]
    if len(item_ids) < FEWEST:
        return
    chosen = [sample_ids[item_id] for item_id in item_ids]
    view = data.select(chosen, ordered=True)
    matrix = np.stack([vectors[item_id] for item_id in item_ids]).astype(np.float64)
    method: dict[str, Any] = {"method": "pca"}
    if len(item_ids) <= MANY:
        axes = min(50, *matrix.shape)
        method = {"method": "tsne", "perplexity": min(30, (len(item_ids) - 1) // 3), "pca_dims": axes}
    fob.compute_visualization(view, embeddings=matrix, brain_key=MAP, num_dims=2, seed=51, verbose=False, **method)
    index = fob.compute_similarity(view, embeddings=matrix, backend="sklearn", metric="cosine", brain_key=SIMILAR)
    index.find_duplicates(thresh=SAME)
    _write_duplicates(data, index.neighbors_map, chosen, matrix)


def _write_duplicates(
    data: fo.Dataset,
    neighbours: Mapping[str, Sequence[tuple[str, float]]],
    sample_ids: Sequence[str],
    matrix: NDArray[np.float64],
) -> None:
    """Write each duplicate's original and its distance. `neighbours`: sample → its duplicates."""
    units = matrix / np.linalg.norm(matrix, axis=1, keepdims=True).clip(1e-12)
    unit = dict(zip(sample_ids, units, strict=True))
    images = dict(zip(*data.values(["id", "image"]), strict=True))
    originals = {
        duplicate: (images[kept], float(1 - unit[kept] @ unit[duplicate]))
        for kept, duplicates in neighbours.items()
        for duplicate, _ in duplicates
    }
    if originals:
        data.set_values(NEAR, {sample: image for sample, (image, _) in originals.items()}, key_field="id")
        data.set_values(DISTANCE, {sample: distance for sample, (_, distance) in originals.items()}, key_field="id")


def add_mistakenness(data: fo.Dataset) -> None:
    """Compute mistakenness of the labels that have none yet, where `neighbours` gives a class and its confidence."""
    import fiftyone as fo
    import fiftyone.brain as fob

    if not data.has_field(PREDICTED):
        return
    field = fo.ViewField
    unknown = (field(MISTAKENNESS) == None) & (field("label.label") != None)  # noqa: E711  (expressions of FiftyOne)
    view = data.match(unknown & (field(f"{PREDICTED}.confidence") != None))  # noqa: E711
    if len(view):
        fob.compute_mistakenness(view, PREDICTED, label_field="label", mistakenness_field=MISTAKENNESS)
