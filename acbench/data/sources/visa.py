"""Reads VisA as in its original archive: images and masks in `<category>/Data`, labels in `<category>/image_anno.csv`.

The archive has no split. acbench comes with the standard one-class split as a table of its normal test images: every
other normal image is for training, and every anomalous image is for testing.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources

from acbench.data.sources._contract import FoundImage
from acbench.data.sources._image_anno import FILE, NORMAL, read_labels
from acbench.data.sources._layout import image_files, image_list, pair_masks, subfolders
from acbench.records import Finding, Split
from acbench.storage.files import FileTree

NAME = "visa"
TITLE = "VisA"
LICENCE = "CC-BY-4.0"
ATTRIBUTION = (
    "Yang Zou, Jongheon Jeong, Latha Pemula, Dongqing Zhang and Onkar Dabeer: SPot-the-Difference"
    " Self-Supervised Pre-training for Anomaly Detection and Segmentation. ECCV 2022. Amazon."
)
HOME = "the original is the archive VisA_20220922.tar, linked from https://github.com/amazon-science/spot-diff"
BENCHMARK = "visa_ac"
LAYOUT = f"Data/Images/Normal, Data/Images/Anomaly, Data/Masks/Anomaly and {FILE}"
EXTRAS = frozenset({"split_csv", "license-dataset", "license", "readme.md"})
IMAGE_COUNTS: Mapping[str, int] = {
    "candle": 1100,
    "capsules": 702,
    "cashew": 600,
    "chewinggum": 603,
    "fryum": 600,
    "macaroni1": 1100,
    "macaroni2": 1100,
    "pcb1": 1104,
    "pcb2": 1101,
    "pcb3": 1106,
    "pcb4": 1105,
    "pipe_fryum": 600,
}

_EXTENSION = ".jpg"


@cache
def known_labels() -> Mapping[str, tuple[str, ...]]:
    """Category → every string of its label column except `normal`; commas join several labels of one image."""
    strings: defaultdict[str, list[str]] = defaultdict(list)
    for row in csv.DictReader(_table("visa_label_strings.csv").splitlines()):
        strings[row["category"]].append(row["label"])
    return {category: tuple(labels) for category, labels in strings.items()}


def split_of(image: str) -> Split:
    """The split of an image, by its path alone."""
    category, _, rest = image.partition("/")
    folder, _, name = rest.rpartition("/")
    stem = name.rpartition(".")[0]
    return "train" if folder.endswith("Normal") and stem not in _test_normal().get(category, ()) else "test"


def is_category(tree: FileTree, folder: str) -> bool:
    """Whether a folder holds `Data/Images`."""
    return "Images" in tree.folders(f"{folder}/Data")


def scan(tree: FileTree, categories: Sequence[str]) -> Iterator[FoundImage | Finding]:
    """Every image of these categories with its labels, and everything out of place."""
    for category in categories:
        yield from subfolders(tree, category, {"Data"}, {FILE, *EXTRAS})
        yield from subfolders(tree, f"{category}/Data", {"Images", "Masks"})
        image_folders = yield from subfolders(tree, f"{category}/Data/Images", {"Normal", "Anomaly"})
        mask_folders = yield from subfolders(tree, f"{category}/Data/Masks", {"Anomaly"})
        normal, anomalous, masks = image_list(), image_list(), image_list()
        mask_folder = f"{category}/Data/Masks/Anomaly"
        if "Normal" in image_folders:
            normal = yield from image_files(tree, f"{category}/Data/Images/Normal", _EXTENSION, TITLE)
        if "Anomaly" in image_folders:
            anomalous = yield from image_files(tree, f"{category}/Data/Images/Anomaly", _EXTENSION, TITLE)
        if mask_folders:
            masks = yield from image_files(tree, mask_folder, ".png", TITLE)
        mask_of = yield from pair_masks(anomalous, masks, mask_folder)
        is_anomalous = {image.path: False for image in normal} | {image.path: True for image in anomalous}
        labels = yield from read_labels(tree, category, is_anomalous, HOME)
        for image in anomalous:
            yield FoundImage(
                category=category,
                split="test",
                image=image.path,
                mask=mask_of(image),
                anomalous=True,
                source_labels=labels.get(image.path, ()),
                problem=image.problem,
            )
        for image in normal:
            yield FoundImage(
                category=category,
                split=split_of(image.path),
                image=image.path,
                mask=None,
                anomalous=False,
                source_labels=labels.get(image.path, (NORMAL,)),
                problem=image.problem,
            )


@cache
def _test_normal() -> Mapping[str, frozenset[str]]:
    """Category → names, without extension, of the normal images that are for testing."""
    lines = (line.split() for line in _table("visa_test_normal.txt").splitlines() if not line.startswith("#"))
    return {category: frozenset(stems) for category, *stems in lines}


def _table(name: str) -> str:
    return (resources.files("acbench.data.sources") / "data" / name).read_text(encoding="utf-8")
