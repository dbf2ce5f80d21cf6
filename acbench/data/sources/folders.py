"""Your own dataset in the layout of MVTec-AD, under whatever names your label schema gives its categories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from acbench.data.sources import mvtec_ad
from acbench.data.sources._contract import FoundImage
from acbench.records import Finding
from acbench.storage.files import FileTree

NAME = "folders"
TITLE = "your dataset"
LICENCE = "LicenseRef-unknown"
ATTRIBUTION = "Not stated."
HOME = "give a folder with <category>/train/good, <category>/test/<class> and <category>/ground_truth/<class>"
BENCHMARK = "YOUR_SCHEMA.yaml"
LAYOUT = mvtec_ad.LAYOUT
EXTRAS = mvtec_ad.EXTRAS
WHOLE: Mapping[str, int] = {}

is_category = mvtec_ad.is_category
split_of = mvtec_ad.split_of


def known_labels() -> Mapping[str, tuple[str, ...]]:
    """Nothing: what a dataset of your own holds is for its schema to say."""
    return {}


def scan(tree: FileTree, categories: Sequence[str]) -> Iterator[FoundImage | Finding]:
    """Every image, and whatever is out of place."""
    return mvtec_ad.scan(tree, categories)
