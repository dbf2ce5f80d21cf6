"""Reads names of CLIP models, as in `--with clip:MODEL/WEIGHTS`.

MODEL ends at the first slash, so it is written as open_clip lists it: `ViT-B-32`, not `ViT-B/32`. What follows is a tag
or the path of a weights file, as in `ViT-B-32/openai` and `ViT-B-32//data/weights.pt`. A name that begins with
`hf-hub:` or `local-dir:` is a MODEL as a whole, since such a model brings its weights: `hf-hub:ORG/NAME`.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

CLIP = "clip:"
"""What stands before such a name in that of a proposer."""
FOLDER, HUB = "local-dir:", "hf-hub:"
"""How open_clip names a folder in the layout of the hub, and a model on the hub. Both bring their own weights."""


class ClipName(NamedTuple):
    """A CLIP model and its weights."""

    model: str
    weights: str
    """A tag or a file; empty if the model brings them."""


def split_clip_name(name: str) -> ClipName:
    """The two parts of a name."""
    if name.startswith((FOLDER, HUB)):
        return ClipName(name, "")
    model, _, weights = name.partition("/")
    return ClipName(model, weights)


def join_clip_name(model: str, weights: str) -> str:
    """The name of two parts."""
    return f"{model}/{weights}" if weights else model


def without_folders(name: str) -> str:
    """A name that does not tell in which folder its files are."""
    model, weights = split_clip_name(name)
    if model.startswith(FOLDER):
        return FOLDER + PurePath(model.removeprefix(FOLDER)).name
    return join_clip_name(model, PurePath(weights).name if weights else "")
