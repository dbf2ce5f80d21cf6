"""Draws the picture of a release from the images that go into it."""

from __future__ import annotations

from collections.abc import Sequence

from acbench.release import pictures
from acbench.release.columns import IMAGES
from acbench.release.entries import ReleaseEntry
from acbench.release.manifest import Manifest
from acbench.release.parquet import with_images
from acbench.release.rows import Row
from acbench.schema import Schema
from acbench.storage.roots import Root, open_tree


def class_picture(
    manifest: Manifest, rows: Sequence[Row], entries: Sequence[ReleaseEntry], schema: Schema, root: Root | None
) -> bytes:
    """Draw every class of a release, as PNG; with close-ups, if it holds the images.

    `rows` and `entries` are in one order. `root`: the dataset; None for a release of labels only. Raises ReleaseError
    for an image that has changed meanwhile.
    """
    examples = pictures.Examples()
    if root is not None:
        images, chosen = open_tree(root), pictures.wanted(entries)
        for row, entry in zip(rows, entries, strict=True):
            if entry.item_id in chosen:
                cells, _ = with_images(row, images)
                examples.take(entry, *((cells[column] or {}).get("bytes") for column in IMAGES))
    return pictures.draw(manifest, entries, schema, examples.tiles)
