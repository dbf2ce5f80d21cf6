"""Reads a dataset of the Hugging Face Hub: `--root hf://datasets/ORG/NAME`, or `…/NAME@REVISION`.

A workflow copies its images and a table of them into the workspace (`acbench.data.copied`), which this source reads.
"""

from __future__ import annotations

from acbench.data.sources import table
from acbench.data.sources._annotated import Annotated, Contents
from acbench.records import Reading
from acbench.storage.files import FileTree

_COPYING = frozenset({"image", "mask"})
"""Options of the copying: the table of the copy calls its columns image and mask, whatever the dataset does."""


def read(tree: FileTree, reading: Reading) -> Contents:
    """What the table of a copy says. Raises SourceError if there is none."""
    return table.read(tree, {key: value for key, value in reading.items() if key not in _COPYING})


SOURCE = Annotated(
    NAME="hub",
    HOME="give a dataset of the Hub: --root hf://datasets/ORG/NAME",
    LAYOUT="a dataset of the Hub with images and labels",
    OPTIONS={
        "config": "the configuration, where the dataset has several",
        **{key: text for key, text in table.OPTIONS.items() if key != "table"},
    },
    read=read,
    SCHEME="hf://datasets/",
)
