"""Reads MVTec-AD: `<category>/{train,test}/<class>/<n>.png` and `<category>/ground_truth/<class>/<n>_mask.png`.

Sources of other datasets in this layout use its functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from acbench.data.sources._contract import FoundImage
from acbench.data.sources._layout import ImageFile, image_files, image_list, pair_masks, subfolders
from acbench.records import GOOD, Finding, Split
from acbench.storage.files import FileTree

NAME = "mvtec_ad"
TITLE = "MVTec-AD"
LICENCE = "CC-BY-NC-SA-4.0"
ATTRIBUTION = (
    "Paul Bergmann, Michael Fauser, David Sattlegger and Carsten Steger: A Comprehensive Real-World Dataset"
    " for Unsupervised Anomaly Detection. CVPR 2019. MVTec Software GmbH."
)
HOME = "MVTec-AD is to be had from MVTec: https://www.mvtec.com/company/research/datasets/mvtec-ad"
BENCHMARK = "mvtec_ac"
LAYOUT = "train/good, test/<class> and ground_truth/<class>"
EXTRAS = frozenset({"readme.txt", "license.txt"})

_CATEGORIES = {
    "bottle": (292, "broken_large broken_small contamination"),
    "cable": (
        374,
        "bent_wire cable_swap combined cut_inner_insulation cut_outer_insulation missing_cable missing_wire"
        " poke_insulation",
    ),
    "capsule": (351, "crack faulty_imprint poke scratch squeeze"),
    "carpet": (397, "color cut hole metal_contamination thread"),
    "grid": (342, "bent broken glue metal_contamination thread"),
    "hazelnut": (501, "crack cut hole print"),
    "leather": (369, "color cut fold glue poke"),
    "metal_nut": (335, "bent color flip scratch"),
    "pill": (434, "color combined contamination crack faulty_imprint pill_type scratch"),
    "screw": (480, "manipulated_front scratch_head scratch_neck thread_side thread_top"),
    "tile": (347, "crack glue_strip gray_stroke oil rough"),
    "toothbrush": (102, "defective"),
    "transistor": (313, "bent_lead cut_lead damaged_case misplaced"),
    "wood": (326, "color combined hole liquid scratch"),
    "zipper": (391, "broken_teeth combined fabric_border fabric_interior rough split_teeth squeezed_teeth"),
}
IMAGE_COUNTS: Mapping[str, int] = {category: count for category, (count, _) in _CATEGORIES.items()}

_EXTENSION = ".png"


def known_labels() -> Mapping[str, tuple[str, ...]]:
    """Category → the names of its folders of anomalous images."""
    return {category: tuple(classes.split()) for category, (_, classes) in _CATEGORIES.items()}


def split_of(image: str) -> Split:
    """The split of an image, by its path alone."""
    return "train" if image.split("/")[1:2] == ["train"] else "test"


def is_category(tree: FileTree, folder: str) -> bool:
    """Whether a folder holds `train` or `test`."""
    return not {"train", "test"}.isdisjoint(tree.folders(folder))


def scan(tree: FileTree, categories: Sequence[str]) -> Iterator[FoundImage | Finding]:
    """Every image of these categories, and everything out of place."""
    for category in categories:
        parts = yield from subfolders(tree, category, {"train", "test", "ground_truth"}, EXTRAS)
        if "train" in parts:
            yield from _train(tree, category)
        yield from _test(tree, category)


def _train(tree: FileTree, category: str) -> Iterator[FoundImage | Finding]:
    folders = yield from subfolders(tree, f"{category}/train")
    for folder in folders:
        if folder == GOOD:
            images = yield from image_files(tree, f"{category}/train/{folder}", _EXTENSION, TITLE)
            for image in images:
                yield _found(category, "train", folder, image)
        else:
            yield Finding(
                path=f"{category}/train/{folder}",
                kind="anomalous_in_train",
                detail=f"train holds normal images only, in `{GOOD}`: this folder is not read",
                hint="if this is a dataset of your own, `source: folders` reads it where it is",
                failed=True,
            )


def _test(tree: FileTree, category: str) -> Iterator[FoundImage | Finding]:
    """Test images and their masks, class by class, including classes that have only masks."""
    image_folders = yield from subfolders(tree, f"{category}/test")
    mask_folders = yield from subfolders(tree, f"{category}/ground_truth")
    for folder in sorted({*image_folders, *mask_folders}):
        images, masks = image_list(), image_list()
        mask_folder = f"{category}/ground_truth/{folder}"
        if folder in image_folders:
            images = yield from image_files(tree, f"{category}/test/{folder}", _EXTENSION, TITLE)
        if folder in mask_folders:
            masks = yield from image_files(tree, mask_folder, _EXTENSION, TITLE)
        mask_of = yield from pair_masks(images, masks, mask_folder, "_mask", _EXTENSION, optional=folder == GOOD)
        for image in images:
            yield _found(category, "test", folder, image, mask_of(image))


def _found(category: str, split: Split, folder: str, image: ImageFile, mask: str | None = None) -> FoundImage:
    return FoundImage(
        category=category,
        split=split,
        image=image.path,
        mask=mask,
        anomalous=folder != GOOD,
        source_labels=(folder,),
        problem=image.problem,
    )
