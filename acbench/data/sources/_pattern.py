"""Matches paths against patterns such as `{category}/{split}/{class}/{stem}.*`, and says what they name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from acbench.errors import SourceError

PLACES = {
    "category": "the object or texture",
    "split": "train, test, validation, …",
    "class": "the kind of defect, or a name for normal images",
    "stem": "the image's own name, which its mask shares",
    "number": "digits of that name, where letters before them are the class",
    "folder": "any folders, the same ones for image and mask",
    "masks": "a folder of masks: masks, ground_truth, gt, …",
}
"""What may stand in braces → what it stands for."""
MASK_FOLDERS = (
    *("mask", "masks", "ground_truth", "groundtruth", "gt", "gts", "segmentation", "segmentations", "seg"),
    *("labels", "annotations", "anomaly_mask", "anomaly_masks"),
)
"""Names of folders of masks."""

_ONE = r"[^/]+?"
_TEXT = {"number": r"[0-9]+", "folder": r".+?", "masks": "|".join(MASK_FOLDERS)}
_SPLIT_UP = re.compile(r"\{([^{}]*)\}|(\.\*$)|(\*\*)|(\*)|(\?)|([^{}*?.]+|.)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of paths. Case does not count, and neither does it for extensions."""

    text: str
    regex: re.Pattern[str]
    fixed: Mapping[str, str] = field(default_factory=dict)
    """What a path that matches is, where the path itself does not name it."""
    folder: re.Pattern[str] | None = None
    """What the folder of a path that matches does itself match; None if a name of a file may hold folders here."""
    places: tuple[str, ...] = ()
    """What the groups of `regex` name: each is one, and takes part in every match."""
    key: tuple[str, ...] = ()
    """The places that an image has to share with its mask, if this is the pattern of masks."""

    def match(self, path: str) -> dict[str, str] | None:
        """What a path names: place → text. None if it does not match."""
        found = self.regex.fullmatch(path)
        if found is None:
            return None
        says = dict(zip(self.places, found.groups(), strict=True))
        return {**self.fixed, **says} if self.fixed else says


def compile_pattern(text: str, splits: tuple[str, ...], fixed: Mapping[str, str] | None = None) -> Pattern:
    """The pattern that is written as `text`. `splits`: what may stand for `{split}`. Raises SourceError."""
    written = text.strip().removeprefix("./")
    if not written or written.startswith("/") or ".." in written.split("/"):
        raise SourceError(
            f"{text!r} is no pattern of paths in the dataset's folder", "such as {category}/{class}/{stem}.*"
        )
    parts: list[str] = []
    folder: str | None = None
    known: set[str] = set()
    for place, extension, anything, some, one, literal in _SPLIT_UP.findall(written):
        if anything or place == "folder" or (place == "split" and "/" in "".join(splits)):
            folder = None  # whatever stands here may be folders
        elif "/" in literal:
            folder = "".join([*parts, re.escape(literal.rpartition("/")[0])])
        if extension:
            parts.append(r"\.[^./]+")
        elif anything:
            parts.append(r".*")
        elif some:
            parts.append(r"[^/]*")
        elif one:
            parts.append(r"[^/]")
        elif literal and literal not in "{}":
            parts.append(re.escape(literal))
        else:
            parts.append(_place_regex(literal or place, text, splits, known))
    flags = re.IGNORECASE | re.DOTALL
    regex = re.compile("".join(parts), flags)
    places = tuple(name.removesuffix("_") for name in regex.groupindex)
    return Pattern(
        text=written,
        regex=regex,
        fixed=dict(fixed or {}),
        folder=None if folder is None else re.compile(folder, flags),
        places=places,
        key=tuple(sorted({*places, *(fixed or {})} - {"masks"})),
    )


def _place_regex(place: str, text: str, splits: tuple[str, ...], known: set[str]) -> str:
    if place not in PLACES:
        alike = get_close_matches(place, PLACES, n=1)
        meant = f"did you mean {{{alike[0]}}}? " if alike else ""
        names = ", ".join(f"{{{name}}}" for name in PLACES)
        raise SourceError(f"{text!r}: there is no {{{place}}}", f"{meant}there are {names}")
    name = f"{place}_"  # `class` could be no name of a group
    if place in known:
        return f"(?P={name})"
    known.add(place)
    inside = "|".join(map(re.escape, splits)) if place == "split" else _TEXT.get(place, _ONE)
    return f"(?P<{name}>{inside})"
