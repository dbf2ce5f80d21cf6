"""Reads a FiftyOne dataset by its name: `--root fiftyone://NAME`.

A workflow copies its images and a table of them into the workspace (`acbench.data.copied`), which this source reads.
"""

from __future__ import annotations

from collections.abc import Mapping

from acbench.data.sources import table
from acbench.data.sources._annotated import Annotated, Contents
from acbench.records import Reading
from acbench.storage.files import FileTree

NAME = "fiftyone"
SCHEME = "fiftyone://"
OPTIONS: Mapping[str, str] = {
    "field": "the field of labels (classifications or detections), where samples have several",
    **{key: text for key, text in table.OPTIONS.items() if key not in {"table", "image", "label", "mask", "box"}},
}

_COPYING = frozenset({"field", "mask"})
"""Options of the copy: the table of the copy calls its columns image and mask."""


def _read(tree: FileTree, reading: Reading) -> Contents:
    return table.read(tree, {key: value for key, value in reading.items() if key not in _COPYING})


_OWN = Annotated(
    NAME=NAME,
    TITLE="your dataset",
    HOME="give a FiftyOne dataset: --root fiftyone://NAME",
    LAYOUT="a FiftyOne dataset with a field of labels",
    OPTIONS=OPTIONS,
    read=_read,
    SCHEME=SCHEME,
)
TITLE, HOME, LAYOUT = _OWN.TITLE, _OWN.HOME, _OWN.LAYOUT
LICENCE, ATTRIBUTION, BENCHMARK, EXTRAS, IMAGE_COUNTS = (
    _OWN.LICENCE, _OWN.ATTRIBUTION, _OWN.BENCHMARK, _OWN.EXTRAS, _OWN.IMAGE_COUNTS,
)  # fmt: skip
is_category, categories, scan, known_labels = _OWN.is_category, _OWN.categories, _OWN.scan, _OWN.known_labels
recognise, configured = _OWN.recognise, _OWN.configured
