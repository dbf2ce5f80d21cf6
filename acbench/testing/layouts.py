"""Toy datasets in the layouts that people's own data comes in, and what is true of each of their images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from acbench.data.sources import FoundImage
from acbench.data.sources._layout import IMAGES
from acbench.records import GOOD, Finding, mask_files
from acbench.testing.trees import full_tree


@dataclass(frozen=True, slots=True)
class ToyImage:
    """One image of a toy dataset."""

    path: str
    label: str
    """Its class; `good` of a normal image; empty if nothing says it."""
    category: str = ""
    """Empty if its path names none."""
    split: str = ""
    """`train` or `test`; empty if its path names none."""
    masks: tuple[str, ...] = ()


def _images(
    pattern: str, label: str, *masks: str, category: str = "", split: str = "", folder: str = "", count: int = 3
) -> Iterator[ToyImage]:
    """Images 0, 1, … of a pattern with `#` for the number, and their masks; `folder` is what disk calls the class."""
    for number in range(count):
        named = [
            text.replace("#", f"{number:03}").replace("CLASS", folder or label).replace("CATEGORY", category)
            for text in (pattern, *masks)
        ]
        yield ToyImage(named[0], label, category, split, tuple(named[1:]))


def _mvtec(good: str, classes: Iterable[str], mask: str, *, category: str, extension: str = "png") -> list[ToyImage]:
    """A category as MVTec-AD and its relatives lay it out."""
    path = f"CATEGORY/{{}}/CLASS/#.{extension}"
    return [
        *_images(path.format("train"), GOOD, category=category, split="train", folder=good),
        *_images(path.format("test"), GOOD, category=category, split="test", folder=good),
        *(
            image
            for name in classes
            for image in _images(path.format("test"), name, mask, category=category, split="test")
        ),
    ]


TOY_LAYOUTS: Mapping[str, tuple[ToyImage, ...]] = {
    name: tuple(images)
    for name, images in {
        "mvtec_ad": [
            *_mvtec("good", ["crack", "hole"], "CATEGORY/ground_truth/CLASS/#_mask.png", category="nut"),
            *_mvtec("good", ["scratch"], "CATEGORY/ground_truth/CLASS/#_mask.png", category="pipe"),
        ],
        "btad": [
            *_mvtec("ok", ["ko"], "CATEGORY/ground_truth/CLASS/#.png", category="01", extension="bmp"),
            *_mvtec("ok", ["ko"], "CATEGORY/ground_truth/CLASS/#.bmp", category="03", extension="bmp"),
        ],
        "visa_1cls": _mvtec("good", ["bad"], "CATEGORY/ground_truth/CLASS/#.png", category="candle", extension="JPG"),
        "loco": [
            *_images("box/train/good/#.png", GOOD, category="box", split="train"),
            *_images("box/validation/good/#.png", GOOD, category="box", split="train"),
            *_images("box/test/good/#.png", GOOD, category="box", split="test"),
            *_images(
                "box/test/logical_anomalies/#.png", "logical_anomalies",
                "box/ground_truth/logical_anomalies/#/000.png", "box/ground_truth/logical_anomalies/#/001.png",
                category="box", split="test",
            ),
        ],
        "mvtec_3d": [
            *_images("bagel/train/good/rgb/#.png", GOOD, category="bagel", split="train"),
            *_images(
                "bagel/test/crack/rgb/#.png", "crack", "bagel/test/crack/gt/#.png", category="bagel", split="test"
            ),
        ],
        "real_iad": [
            *_images("audiojack/OK/S#/audiojack_#_OK_C1.jpg", GOOD, category="audiojack"),
            *_images(
                "audiojack/NG/AK/S#/audiojack_#_NG_AK_C1.jpg", "AK", "audiojack/NG/AK/S#/audiojack_#_NG_AK_C1.png",
                category="audiojack",
            ),
            *_images(
                "audiojack/NG/BX/S#/audiojack_#_NG_BX_C1.jpg", "BX", "audiojack/NG/BX/S#/audiojack_#_NG_BX_C1.png",
                category="audiojack",
            ),
        ],
        "anomalib": [
            *_images("good/#.jpg", GOOD),
            *_images("crack/#.jpg", "crack", "mask/crack/#.png"),
            *_images("colour/#.jpg", "colour", "mask/colour/#.png"),
        ],
        "classes": [
            *_images("OK/#.jpeg", GOOD), *_images("scratch/#.jpeg", "scratch"), *_images("dent/#.jpeg", "dent"),
        ],
        "classes_without_normal": [*_images("crazing/#.bmp", "crazing"), *_images("pitted/#.bmp", "pitted")],
        "masks_beside": [
            *_images("MT_Free/Imgs/exp1_#.jpg", "MT_Free", "MT_Free/Imgs/exp1_#.png"),
            *_images("MT_Blowhole/Imgs/exp2_#.jpg", "MT_Blowhole", "MT_Blowhole/Imgs/exp2_#.png"),
            *_images("MT_Crack/Imgs/exp3_#.jpg", "MT_Crack", "MT_Crack/Imgs/exp3_#.png"),
        ],
        "categories": [
            *_images("nut/good/#.png", GOOD, category="nut"),
            *_images("nut/bent/#.png", "bent", "nut/masks/bent/#.png", category="nut"),
            *_images("pipe/normal/#.png", GOOD, category="pipe"),
            *_images("pipe/leak/#.png", "leak", "pipe/masks/leak/#.png", category="pipe"),
        ],
        "supervised": [
            image
            for split in ("train", "val", "test")
            for name in ("good", "scratch", "stain")
            for image in _images(f"{split}/{name}/#.jpg", name, split="train" if split == "val" else split)
        ],
        "train_and_val": [
            image
            for split in ("train", "validation")
            for name in ("ok", "scratch")
            for image in _images(
                f"{split}/images/CLASS/{name}_#.jpg", GOOD if name == "ok" else name, folder=name,
                split="train" if split == "train" else "test",
            )
        ],
        "dagm": [
            *_images("Class1/Train/1#.PNG", GOOD, category="Class1", split="train"),
            *_images("Class1/Test/1#.PNG", GOOD, category="Class1", split="test"),
            *_images("Class1/Test/2#.PNG", "", "Class1/Test/Label/2#_label.PNG", category="Class1", split="test"),
        ],
        "kolektor": [
            *_images("kos01/Part#.jpg", "", "kos01/Part#_label.bmp"),
            *_images("kos02/Part#.jpg", "", "kos02/Part#_label.bmp"),
        ],
        "names": [
            *_images("crazing_#.jpg", "crazing", count=4),
            *_images("rolled-in_scale_#.jpg", "rolled-in_scale", count=4),
        ],
        "unlabelled": [*_images("images/#.png", "", "masks/#.png")],
    }.items()
}  # fmt: skip
"""Name of a layout → the images of a toy dataset in it."""


def dropped(root: Path, results: Iterable[FoundImage | Finding]) -> list[str]:
    """The images below `root` that a source has dropped: neither an image nor a mask of `results`, nor in a finding.

    `results`: what the source has found, and the findings of its location. No source may drop an image.
    """
    known: set[str] = set()
    for result in results:
        if isinstance(result, Finding):
            known.add(result.path)
        else:
            known |= {result.image, *(mask_files(result.mask) if result.mask else ())}
    lost = []
    for path in sorted(root.rglob("*")):
        below = path.relative_to(root)
        named = {below.as_posix(), *(parent.as_posix() for parent in below.parents if parent.name)}
        if path.suffix.lower() in IMAGES and path.is_file() and not known & named:
            lost.append(below.as_posix())
    return lost


def toy_layout(root: Path, name: str) -> Path:
    """Write the toy dataset of `TOY_LAYOUTS` of that name, tiny images of one white square each, and return `root`."""
    images = TOY_LAYOUTS[name]
    return full_tree(root, dict.fromkeys(path for image in images for path in (image.path, *image.masks)))
