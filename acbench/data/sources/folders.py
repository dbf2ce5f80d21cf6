"""Reads a dataset of your own in the layout of MVTec-AD; your label schema names its categories and classes."""

from __future__ import annotations

from collections.abc import Mapping

from acbench.data.sources import mvtec_ad

NAME = "folders"
TITLE = "your dataset"
LICENCE = "LicenseRef-unknown"
ATTRIBUTION = "Not stated."
HOME = "give a folder with <category>/train/good, <category>/test/<class> and <category>/ground_truth/<class>"
BENCHMARK = "YOUR_SCHEMA.yaml"
LAYOUT = mvtec_ad.LAYOUT
EXTRAS = mvtec_ad.EXTRAS
IMAGE_COUNTS: Mapping[str, int] = {}

OPTIONS: Mapping[str, str] = {}

is_category = mvtec_ad.is_category
scan = mvtec_ad.scan
split_of = mvtec_ad.split_of


def known_labels() -> Mapping[str, tuple[str, ...]]:
    """Nothing: only its label schema says which labels a dataset of your own has."""
    return {}
