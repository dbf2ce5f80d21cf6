"""Toy datasets on disk that a table or annotation files describe: CSV, JSON lines, Parquet, COCO, YOLO, Pascal VOC.

All have the same images: normal ones for training and for testing, some of each class, and one that shows two classes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from acbench.testing.trees import SIZE, draw_toy

TOY_CLASSES = ("crack", "dent")
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class MarkedToy:
    """An image that was drawn."""

    path: str
    """Relative to the root."""
    split: Literal["train", "test"]
    marks: tuple[tuple[str, Box], ...]
    """(class, box: left, top, right, bottom) of each defect; empty for a normal image."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that it shows, each once."""
        return tuple(dict.fromkeys(label for label, _ in self.marks))


def toy_images(
    root: Path, folder: str = "images/{split}", *, classes: Sequence[str] = TOY_CLASSES, train: int = 3, good: int = 2,
    each: int = 2, masks: str = "",
) -> list[MarkedToy]:  # fmt: skip
    """Draw the images, with `each` of a class, into `folder`, and masks of the same names into the folder `masks`."""
    wanted: list[tuple[Literal["train", "test"], tuple[str, ...]]] = []
    wanted += [("train", ()) for _ in range(train)] + [("test", ()) for _ in range(good)]
    wanted += [("test", (name,)) for name in classes for _ in range(each)] + [("test", tuple(classes))]
    images = []
    for number, (split, labels) in enumerate(wanted):
        path = f"{folder.format(split=split)}/{number:03}.png"
        mask = root / masks / f"{number:03}.png" if masks and labels else None
        boxes = draw_toy(root / path, f"toy {number}", len(labels), mask)
        images.append(MarkedToy(path, split, tuple(zip(labels, boxes, strict=True))))
    return images


def toy_table(root: Path, name: str = "labels.csv", *, masks: bool = True, delimiter: str = ",") -> Path:
    """Write a table with the columns image, label, split and, if there are `masks`, mask: CSV, JSON lines or Parquet.

    An image of two classes has a list of them in JSON lines and Parquet, and `crack+dent` in a CSV.
    """
    images = toy_images(root, "images", masks="masks" if masks else "")
    rows: list[dict[str, object]] = []
    for image in images:
        labels = list(image.labels) or ["good"]
        row: dict[str, object] = {"image": image.path, "label": labels, "split": image.split}
        if masks:
            row["mask"] = image.path.replace("images/", "masks/") if image.marks else ""
        rows.append(row)
    path = root / name
    if name.endswith(".jsonl"):
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    elif name.endswith(".parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerow(rows[0])
            for row in rows:
                joined = "+".join(row["label"]) if isinstance(row["label"], list) else ""
                writer.writerow({**row, "label": joined}.values())
    return root


def toy_coco(root: Path, *, segments: bool = False) -> Path:
    """Write `annotations/instances_{train,test}.json` in COCO's form, with polygons if there are `segments`."""
    images = toy_images(root)
    for split in ("train", "test"):
        chosen = [image for image in images if image.split == split]
        annotations: list[dict[str, object]] = []
        for number, image in enumerate(chosen):
            for label, (left, top, right, bottom) in image.marks:
                one: dict[str, object] = {"id": len(annotations) + 1, "image_id": number}
                one |= {"category_id": TOY_CLASSES.index(label) + 1, "iscrowd": 0}
                one |= {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}
                if segments:
                    middle = (left + right) // 2
                    one["segmentation"] = [[middle, top, right - 1, bottom - 1, left, bottom - 1]]
                annotations.append(one)
        listed = [
            {"id": number, "file_name": Path(image.path).name, "width": SIZE, "height": SIZE}
            for number, image in enumerate(chosen)
        ]
        classes = [{"id": number, "name": name} for number, name in enumerate(TOY_CLASSES, start=1)]
        path = root / f"annotations/instances_{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"images": listed, "annotations": annotations, "categories": classes}), "utf-8")
    return root


def toy_yolo(root: Path, *, segments: bool = False) -> Path:
    """Write `data.yaml` and `labels/{train,test}/*.txt` in YOLO's form, with polygons if there are `segments`."""
    for image in toy_images(root):
        lines = []
        for label, box in image.marks:
            left, top, right, bottom = (edge / SIZE for edge in box)
            numbers = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
            if segments:
                numbers = [(left + right) / 2, top, right, bottom, left, bottom]
            lines.append(" ".join([str(TOY_CLASSES.index(label)), *(f"{number:.6f}" for number in numbers)]))
        path = root / image.path.replace("images/", "labels/").replace(".png", ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines), encoding="utf-8")
    names = "\n".join(f"  {number}: {name}" for number, name in enumerate(TOY_CLASSES))
    (root / "data.yaml").write_text(f"train: images/train\ntest: images/test\nnames:\n{names}\n", encoding="utf-8")
    return root


def toy_voc(root: Path) -> Path:
    """Write `Annotations/*.xml` and `ImageSets/Main/{train,test}.txt` in the form of Pascal VOC."""
    splits: dict[str, list[str]] = {"train": [], "test": []}
    for image in toy_images(root, "JPEGImages"):
        name = Path(image.path).name
        splits[image.split].append(name.removesuffix(".png"))
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin>"
            f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
            for label, (left, top, right, bottom) in image.marks
        )
        path = root / "Annotations" / name.replace(".png", ".xml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<annotation><filename>{name}</filename>{objects}</annotation>", encoding="utf-8")
    for split, names in splits.items():
        path = root / f"ImageSets/Main/{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(names), encoding="utf-8")
    return root
