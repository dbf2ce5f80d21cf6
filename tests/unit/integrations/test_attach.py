"""Labels and one's own copy of the images, joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import acbench
from acbench.testing import toy_layout, toy_mvtec_ad
from tests.support.lazy import lazy
from tests.support.releases import build

datasets = lazy("datasets")

BROKEN = "bottle/test/broken_large/000.png"


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A labels-only release, loaded."""
    project = tmp_path_factory.mktemp("labels")
    built = build(project, "mvtec_ac", root=toy_mvtec_ad(project / "images"))
    found = datasets.load_dataset(str(built.folder), cache_dir=str(project / "cache"))
    assert isinstance(found, datasets.DatasetDict)
    return found


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return toy_mvtec_ad(tmp_path / "images")


def test_every_row_gets_its_own_picture_and_mask(labels: Any, images: Path) -> None:
    joined = acbench.attach_images(labels, images)
    assert joined.keys() == labels.keys()
    for split, part in joined.items():
        assert part.num_rows == labels[split].num_rows
        raw = part.cast_column("image", datasets.Image(decode=False))
        for row, paths in zip(part, raw, strict=True):
            assert row["image"].size == (48, 48)
            assert Path(paths["image"]["path"]).read_bytes() == (images / row["image_path"]).read_bytes()
            assert (row["mask"] is None) == (row["mask_path"] is None)
    assert joined["test"].features["label"] == labels["test"].features["label"]


def test_pictures_are_decoded_only_when_asked_for(labels: Any, images: Path) -> None:
    joined = acbench.attach_images(labels["test"], str(images))
    (images / BROKEN).unlink()
    number = list(joined["image_path"]).index(BROKEN)
    assert joined.remove_columns("image")[number]["image_path"] == BROKEN
    with pytest.raises(FileNotFoundError):
        joined[number]


@pytest.mark.parametrize("damage", ["other bytes", "missing", "link outside", "a folder"])
def test_a_copy_that_differs_is_refused_and_named(labels: Any, images: Path, tmp_path: Path, damage: str) -> None:
    path = images / BROKEN
    data = path.read_bytes()
    path.unlink()
    if damage == "other bytes":
        path.write_bytes(data[:-1])
    elif damage == "link outside":
        (tmp_path / "outside.png").write_bytes(data)
        path.symlink_to(tmp_path / "outside.png")
    elif damage == "a folder":
        path.mkdir()
    with pytest.raises(acbench.AcbenchError) as refused:
        acbench.attach_images(labels["test"], images)
    assert "1 of 12 files" in refused.value.message
    assert BROKEN in refused.value.message
    assert refused.value.hint


def test_paths_never_leave_the_root(labels: Any, images: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    hostile = labels["test"].map(lambda row: {"image_path": "../secret.png"})
    with pytest.raises(acbench.AcbenchError, match="out of the dataset's folder"):
        acbench.attach_images(hostile, images)


def test_what_cannot_be_joined_is_said(labels: Any, images: Path) -> None:
    part = labels["test"]
    with pytest.raises(acbench.AcbenchError, match="is not a folder"):
        acbench.attach_images(part, images / "nothing")
    with pytest.raises(acbench.AcbenchError, match="has a column `image` already"):
        acbench.attach_images(acbench.attach_images(part, images), images)
    with pytest.raises(acbench.AcbenchError, match="no column image_sha256"):
        acbench.attach_images(part.remove_columns("image_sha256"), images)
    with pytest.raises(acbench.AcbenchError, match="IterableDataset"):
        acbench.attach_images(part.to_iterable_dataset(), images)


@pytest.mark.parametrize("name", ["image", "mask"])
@pytest.mark.parametrize("hashes", [None, "", "no hash", "A" * 64])
def test_rows_without_a_usable_hash_are_an_error(labels: Any, images: Path, name: str, hashes: str | None) -> None:
    column = f"{name}_sha256"
    part = labels["test"]
    stripped = part.remove_columns(column).add_column(
        column, [hashes] * part.num_rows, feature=datasets.Value("string")
    )
    with pytest.raises(acbench.AcbenchError, match=f"rows have no usable {column}, such as bottle/"):
        acbench.attach_images(stripped, images)


def test_one_level_too_high_or_too_low_is_told(labels: Any, images: Path) -> None:
    for place in (images.parent, images / "bottle"):
        with pytest.raises(acbench.AcbenchError) as refused:
            acbench.attach_images(labels["test"], place)
        assert refused.value.hint == f"try {images}"


BOX = """
benchmark: box
version: "1"
source: folders
reading: {layout: loco}
title: Boxes
licence: CC0-1.0
attribution: Ada
about: Boxes of a toy.
categories:
  box:
    name: Box
    object: A box
    normal: It is whole.
    guide: Look at it.
    classes:
      - {id: wrong, name: Wrong, definition: It is wrong., not: A scratch is thin., source: [logical_anomalies]}
"""


def test_several_masks_of_an_image_come_as_one(tmp_path: Path) -> None:
    root = toy_layout(tmp_path / "images", "loco")
    second = root / "box/ground_truth/logical_anomalies/000/001.png"
    marked = Image.new("L", (8, 8))
    marked.paste(255, (0, 0, 8, 1))
    marked.save(second)
    (tmp_path / "box.yaml").write_text(BOX)
    (tmp_path / "project").mkdir()
    built = build(tmp_path / "project", str(tmp_path / "box.yaml"), root=str(root), images=False)
    found = datasets.load_dataset(str(built.folder), cache_dir=str(tmp_path / "cache"))["test"]
    joined = acbench.attach_images(found, root)
    row = next(row for row in joined if row["image_path"] == "box/test/logical_anomalies/000.png")
    pixels = np.asarray(row["mask"].convert("L")) > 0
    assert pixels[0].all() and pixels[4, 4] and not pixels[6].any()
    assert [row["mask"] for row in joined if row["mask_path"] is None] == [None] * 3
    second.write_bytes(second.read_bytes() + b"more")
    with pytest.raises(acbench.AcbenchError, match=r"000/001\.png"):
        acbench.attach_images(found, root)
