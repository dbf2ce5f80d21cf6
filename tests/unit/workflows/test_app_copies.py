"""Copies for the App: of what a browser cannot show, once, and gone when nobody needs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from acbench.data import sources
from acbench.data.images import ImageReader
from acbench.data.ingest import ingest
from acbench.testing import tiny_image, toy_layout
from acbench.workflows.app_copies import copies


def test_several_masks_and_unshown_files_get_a_copy(tmp_path: Path) -> None:
    root = toy_layout(tmp_path / "toy", "loco")
    (root / "box/test/good/scan.tif").write_bytes(tiny_image("scan.tif"))
    dataset = ingest(sources.get("folders", {"layout": "loco"}), root)
    folder = tmp_path / "app"
    made = copies(dataset.items, dataset.images, root, folder)
    masks = {item.mask for item in dataset.items if item.mask}
    assert made.keys() == {*masks, "box/test/good/scan.tif"}
    with Image.open(made["box/test/good/scan.tif"]) as picture:
        assert picture.format == "JPEG" and np.asarray(picture)[4, 4].min() > 200
    for mask in masks:
        with Image.open(made[mask]) as picture:
            assert (np.asarray(picture) == dataset.images.mask(mask, (8, 8))).all()
    again = ImageReader(root)  # as when images that use all 16 bits have joined
    assert copies(dataset.items, again, root, folder) != made
    assert copies(dataset.items, dataset.images, root, folder) == made
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert copies(dataset.items, dataset.images, root, folder) == made
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert copies([], dataset.images, root, folder) == {} and not list(folder.iterdir())
