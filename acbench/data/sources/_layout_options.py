"""Reads the options of `source: folders`, how a dataset lies on disk, and those that all sources of own data have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from difflib import get_close_matches
from typing import cast

from acbench.data.sources._arrange import NORMAL, SPLITS, TEST, TRAIN, Layout, folded
from acbench.data.sources._pattern import Pattern, compile_pattern
from acbench.data.sources._presets import ALIASES, PRESETS, base_layout
from acbench.data.sources._rows import Splits
from acbench.errors import SourceError
from acbench.records import GOOD, Reading, Split

OPTIONS: Mapping[str, str] = {
    "layout": f"a known layout: {', '.join(preset.name for preset in PRESETS)}  [default: found by looking]",
    "image": "pattern of the images, such as {category}/{split}/{class}/{stem}.*; with `layout`, of further images",
    "mask": "pattern of the masks, such as masks/{class}/{stem}_mask.*; several masks of an image are united",
    "normal": "further names of folders (classes) of normal images; good, normal and ok are known",
    "category": "name of the category, where no folder names it  [default: the folder's name]",
    "train": "further names of folders of images for training; train, training, and val, validation, … are known",
    "test": "further names of folders of images for testing, also `val` or `validation`; test, testing are known",
    "split": "split of images in no folder of one: train or test  [default: nine in ten normal images train]",
    "unmasked": "what an image is that has neither class nor mask: normal or unknown  [default: unknown]",
    "normal_dir": "as in anomalib's Folder: a folder of normal images for training",
    "normal_test_dir": "as in anomalib's Folder: a folder of normal images for testing",
    "abnormal_dir": "as in anomalib's Folder: folders of anomalous images; their names are classes",
    "mask_dir": "as in anomalib's Folder: folders of masks, one for all or one for each of `abnormal_dir`",
}
"""Option → one line of help."""

PATTERNS = "patterns"
"""Name of a layout that options alone describe."""

_ANOMALIB = ("normal_dir", "normal_test_dir", "abnormal_dir", "mask_dir")


def listed(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """The values of an option: a list, or one text with commas."""
    texts = value.split(",") if isinstance(value, str) else value
    return tuple(text.strip() for text in texts if text.strip())


def splits_of(reading: Reading) -> Splits:
    """What the names of splits mean. Raises SourceError for a name that is to mean both."""
    train, test = (frozenset(map(folded, listed(reading.get(key, ())))) for key in ("train", "test"))
    if both := sorted(train & test):
        raise SourceError(f"the options train and test both name {', '.join(both)}", "name it in one of them")
    return Splits(train=frozenset(TRAIN) - test | train, test=frozenset(TEST) - train | test)


def normal_names(reading: Reading) -> frozenset[str]:
    """What normal images are called, folded."""
    return NORMAL | frozenset(map(folded, listed(reading.get("normal", ()))))


def read_layout(reading: Reading) -> tuple[Layout, bool]:
    """The layout that options describe, and whether it says where images are; if not, that is found by looking.

    Raises SourceError, naming the option.
    """
    named = {key: listed(value) for key, value in reading.items()}
    for key, values in named.items():
        if not values:
            raise SourceError(f"the option {key!r} of reading has no value", f"{key}: {OPTIONS[key]}")
    meaning = splits_of(reading)
    base = dataclasses.replace(
        base_layout(),
        normal=normal_names(reading),
        train=meaning.train,
        test=meaning.test,
        category=_one("category", named) or "",
        split=_split(named),
        unmasked_is_normal=_unmasked(named),
    )
    splits = (*SPLITS, *named.get("train", ()), *named.get("test", ()))
    images = [_compiled("image", text, splits) for text in named.get("image", ())]
    masks = [_compiled("mask", text, splits) for text in named.get("mask", ())]
    for pattern in images:
        if "{masks}" in pattern.text:
            raise SourceError(f"image={pattern.text}: {{masks}} stands for a folder of masks", "use it in `mask`")
    more_images, more_masks = _anomalib(named, splits)
    images, masks = [*more_images, *images], [*more_masks, *masks]
    name = _one("layout", named)
    if name is None:
        own = dataclasses.replace(base, name=PATTERNS, title="what `reading` says")
        return dataclasses.replace(own, images=tuple(images), masks=tuple(masks)), bool(images)
    known = {preset.name: preset for preset in PRESETS}
    known |= {alias: known[of] for alias, of in ALIASES.items()}
    if name not in known:
        alike = get_close_matches(name, known, n=1)
        meant = f"did you mean {alike[0]}? " if alike else ""
        raise SourceError(f"layout={name}: there is no such layout", f"{meant}There are: {', '.join(known)}")
    layout = known[name].layout(base, splits)
    return dataclasses.replace(layout, images=(*images, *layout.images), masks=(*masks, *layout.masks)), True


def _one(key: str, named: Mapping[str, tuple[str, ...]]) -> str | None:
    values = named.get(key, ())
    if len(values) > 1:
        raise SourceError(f"the option {key!r} of reading has {len(values)} values", "give one")
    return values[0] if values else None


def _split(named: Mapping[str, tuple[str, ...]]) -> Split | None:
    value = _one("split", named)
    if value not in (None, "train", "test"):
        raise SourceError(f"split={value}: there is no such split", "train or test")
    return cast("Split | None", value)


def _unmasked(named: Mapping[str, tuple[str, ...]]) -> bool:
    value = _one("unmasked", named)
    if value not in (None, "normal", "unknown"):
        raise SourceError(f"unmasked={value}: there is no such thing", "normal or unknown")
    return value == "normal"


def _compiled(key: str, text: str, splits: tuple[str, ...], fixed: Mapping[str, str] | None = None) -> Pattern:
    try:
        return compile_pattern(text, splits, fixed)
    except SourceError as error:
        raise SourceError(f"{key}: {error.message}", error.hint) from None


def _anomalib(named: Mapping[str, tuple[str, ...]], splits: tuple[str, ...]) -> tuple[list[Pattern], list[Pattern]]:
    """The patterns of images and of masks that the arguments of anomalib's Folder stand for."""
    images: list[Pattern] = []
    masks: list[Pattern] = []
    normal: tuple[tuple[str, Split], ...] = (("normal_dir", "train"), ("normal_test_dir", "test"))
    for key, split in normal:
        for folder in named.get(key, ()):
            # without a folder of its own, a part of the normal images is for testing
            said = {"split": split} if "normal_test_dir" in named else {}
            images.append(_compiled(key, f"{_inside(folder)}/{{stem}}.*", splits, {"class": GOOD, **said}))
    abnormal, mask_dirs = named.get("abnormal_dir", ()), named.get("mask_dir", ())
    if mask_dirs and len(mask_dirs) not in (1, len(abnormal)):
        raise SourceError(
            f"mask_dir names {len(mask_dirs)} folders, abnormal_dir {len(abnormal)}", "give one, or as many"
        )
    for number, folder in enumerate(abnormal):
        fixed = {"class": folder.rstrip("/").rpartition("/")[2]}
        images.append(_compiled("abnormal_dir", f"{_inside(folder)}/{{stem}}.*", splits, {**fixed, "split": "test"}))
        for mask_dir in mask_dirs[number : number + 1] if len(mask_dirs) > 1 else mask_dirs:
            of_one = fixed if len(mask_dirs) > 1 or len(abnormal) == 1 else None
            masks += [
                _compiled("mask_dir", f"{_inside(mask_dir)}/{name}", splits, said)
                for name, said in (
                    ("{stem}_mask.*", of_one), ("{stem}.*", of_one), ("{class}/{stem}_mask.*", None),
                    ("{class}/{stem}.*", None),
                )
            ]  # fmt: skip
    if any(key in named for key in _ANOMALIB) and not images:
        raise SourceError("mask_dir alone says nothing of images", "give normal_dir and abnormal_dir")
    return images, masks


def _inside(folder: str) -> str:
    return "/".join(part for part in folder.split("/") if part not in ("", "."))
