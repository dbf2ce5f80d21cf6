"""Reads a FiftyOne dataset by its name: `--root fiftyone://NAME`.

A workflow copies its images and a table of them into the workspace (`acbench.data.copied`), which this source reads.
"""

from __future__ import annotations

from acbench.data.sources import table
from acbench.data.sources._annotated import Annotated

SOURCE = Annotated(
    NAME="fiftyone",
    HOME="give a FiftyOne dataset: --root fiftyone://NAME",
    LAYOUT="a FiftyOne dataset with a field of labels",
    OPTIONS={
        "field": "the field of labels (classifications or detections), where samples have several",
        **{key: text for key, text in table.OPTIONS.items() if key not in {"table", "image", "label", "mask", "box"}},
    },
    read=table.read,  # the copying alone uses `field`
    SCHEME="fiftyone://",
)
