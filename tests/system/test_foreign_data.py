"""Data of other programs: what FiftyOne exports, FiftyOne itself, and what `datasets` pushed to a hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acbench.data import sources
from acbench.data.copied import copy_of
from acbench.data.ingest import Dataset, ingest
from acbench.data.linked import copy_with_masks
from acbench.data.recognise import recognise
from acbench.errors import SourceError
from acbench.integrations.fiftyone.images import FiftyOneImages
from acbench.storage.files import FileTree
from acbench.testing import SIZE, TOY_CLASSES, MarkedToy, toy_images
from tests.support.commands import acbench, python
from tests.support.loopback_hub import TOKEN, LoopbackHub
from tests.support.records import PLATE

pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.usefixtures("fiftyone_here"),
]  # FiftyOne and its libraries warn of each other

PUSH = """
import json, sys
from datasets import ClassLabel, Dataset, Features, Image, List, Value
root, repo, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
objects = {"bbox": List(List(Value("float32"))), "category": List(ClassLabel(names=["crack", "dent"]))}
form = Features({"image": Image(), "mask": Image(), "objects": objects, "camera": Value("string")})
for split in ("train", "test"):
    chosen = [row for row in rows if row["split"] == split]
    columns = {name: [row[name] for row in chosen] for name in form}
    Dataset.from_dict(columns, features=form).push_to_hub(repo, split=split)
"""


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[MarkedToy]]:
    """Images that were drawn, with their masks. Not to be changed."""
    root = tmp_path_factory.mktemp("toys")
    return root, toy_images(root, "images", masks="masks")


@pytest.fixture(scope="module")
def dataset(toys: tuple[Path, list[MarkedToy]]) -> Iterator[Any]:
    """The toys in FiftyOne, with detections; their split is a tag."""
    import fiftyone as fo

    root, images = toys
    data = fo.Dataset("toys of mine")
    for toy in images:
        detections = [
            fo.Detection(
                label=label,
                bounding_box=[left / SIZE, top / SIZE, (right - left) / SIZE, (bottom - top) / SIZE],
            )
            for label, (left, top, right, bottom) in toy.marks
        ]
        sample = fo.Sample(filepath=str(root / toy.path), tags=[toy.split])
        sample["ground_truth"] = fo.Detections(detections=detections)
        data.add_sample(sample)
    yield data
    data.delete()


def shown(dataset: Dataset) -> dict[str, tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]]:
    """SHA-256 of an image → its labels and boxes."""
    return {item.sha256: (tuple(sorted(item.source_labels)), item.boxes) for item in dataset.items}


def expected(toys: tuple[Path, list[MarkedToy]]) -> dict[str, tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]]:
    import hashlib

    root, images = toys
    return {
        hashlib.sha256((root / toy.path).read_bytes()).hexdigest(): (
            tuple(sorted(toy.labels)) or ("good",),
            tuple(box for _, box in toy.marks),
        )
        for toy in images
    }


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("coco", "COCODetectionDataset"), ("yolo", "YOLOv5Dataset"), ("yolo", "YOLOv4Dataset"),
        ("voc", "VOCDetectionDataset"),
    ],
)  # fmt: skip
def test_what_fiftyone_exports_is_recognised_and_read(
    source: str, kind: str, dataset: Any, toys: tuple[Path, list[MarkedToy]], tmp_path: Path
) -> None:
    import fiftyone.types as kinds

    more = {"split": "train"} if kind == "YOLOv5Dataset" else {}
    dataset.export(
        export_dir=str(tmp_path / "out"), dataset_type=getattr(kinds, kind), label_field="ground_truth",
        classes=list(TOY_CLASSES), **more,
    )  # fmt: skip
    best = recognise(tmp_path / "out")[0]
    assert best.source == source
    found, wanted = shown(ingest(sources.get(source, best.reading), tmp_path / "out")), expected(toys)
    if source == "voc":  # VOC counts from 1, which FiftyOne does not, and it cuts numbers off
        assert found.keys() == wanted.keys()
        for sha256, (labels, boxes) in found.items():
            assert labels == wanted[sha256][0]
            np.testing.assert_allclose(boxes, wanted[sha256][1], atol=1)
    else:
        assert found == wanted


def test_a_dataset_of_fiftyone_is_copied_once(dataset: Any, toys: tuple[Path, list[MarkedToy]], tmp_path: Path) -> None:
    folder = copy_of(FiftyOneImages("toys of mine"), tmp_path / "copy")
    found = ingest(sources.get("fiftyone"), folder)
    assert shown(found) == expected(toys)
    assert {item.split for item in found.items} == {"train", "test"}
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    copy_of(FiftyOneImages("toys of mine"), folder)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(SourceError, match="no dataset 'toys'") as caught:
        FiftyOneImages("toys")
    assert "toys of mine" in caught.value.hint


def test_segmentations_of_fiftyone_become_masks(toys: tuple[Path, list[MarkedToy]], tmp_path: Path) -> None:
    import fiftyone as fo
    import fiftyone.types as kinds

    root, images = toys
    data = fo.Dataset()
    for toy in images:
        sample = fo.Sample(filepath=str(root / toy.path))
        sample["defects"] = fo.Polylines(
            polylines=[
                fo.Polyline(
                    label=label, closed=True, filled=True,
                    points=[
                        [(x / SIZE, y / SIZE) for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]
                    ],
                )
                for label, (left, top, right, bottom) in toy.marks
            ]
        )  # fmt: skip
        data.add_sample(sample)
    try:
        data.export(
            export_dir=str(tmp_path / "out"), dataset_type=kinds.COCODetectionDataset, label_field="defects",
            classes=list(TOY_CLASSES),
        )  # fmt: skip
        name = data.name
        copied = ingest(sources.get("fiftyone"), copy_of(FiftyOneImages(name), tmp_path / "copy"))
    finally:
        data.delete()
    source = sources.get("coco")
    assert source.masks is not None
    tree = FileTree(tmp_path / "out")
    exported = ingest(source, copy_with_masks(tree, source.masks(tree), tmp_path / "linked"))
    for found in (copied, exported):
        assert {item.marking for item in found.items if item.anomalous} == {"mask"}
        for item in found.items:
            marked = found.images.marked(item, (SIZE, SIZE))
            boxes = expected(toys)[item.sha256][1]
            if marked is None:
                assert boxes == ()
                continue
            for left, top, right, bottom in boxes:
                assert marked[top + 1 : bottom - 1, left + 1 : right - 1].all()
            assert marked.sum() < 1.6 * sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)


def test_what_datasets_pushed_is_read_by_its_name(toys: tuple[Path, list[MarkedToy]], tmp_path: Path) -> None:
    import json

    root, images = toys
    rows = [
        {
            "image": str(root / toy.path),
            "mask": str(root / toy.path.replace("images/", "masks/")) if toy.marks else None,
            "objects": {
                "bbox": [[left, top, right - left, bottom - top] for _, (left, top, right, bottom) in toy.marks],
                "category": [TOY_CLASSES.index(label) for label, _ in toy.marks],
            },
            "camera": "left",
            "split": toy.split,
        }
        for toy in images
    ]
    (tmp_path / "own.yaml").write_text(PLATE.format(source="hub"), encoding="utf-8")
    with LoopbackHub() as hub:
        machine = {
            "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }  # fmt: skip
        python(PUSH, root, "my-org/toys", json.dumps(rows), **machine)
        done = acbench(tmp_path, "ingest", tmp_path / "own.yaml", "--root", "hf://datasets/my-org/toys", **machine)
        assert "10 images, 1 category, masks for 5 of 5" in done.out
        assert "not used: `camera`" in done.out
        again = acbench(tmp_path, "ingest", tmp_path / "own.yaml", "--json", **machine)
        assert json.loads(again.out)["items"] == len(images)
        begun = acbench(
            tmp_path, "schema", "init", "hf://datasets/my-org/toys", "--out", tmp_path / "new.yaml", **machine
        )
        assert "toys: normal 5, crack 3, dent 3" in begun.out
        done = acbench(tmp_path, "ingest", tmp_path / "new.yaml", "--root", "hf://datasets/my-org/toys", **machine)
        assert "masks for 5 of 5" in done.out
        missing = acbench(
            tmp_path, "ingest", tmp_path / "own.yaml", "--root", "hf://datasets/my-org/nothing", status=1, **machine
        )
        assert "my-org/nothing cannot be read from the Hub" in missing.err
