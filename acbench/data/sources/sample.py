"""Reads the bundled sample, which is rendered on first use in the layout of MVTec-AD."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from acbench._util.console import Progress
from acbench.data.sources import mvtec_ad

NAME = "sample"
TITLE = "the sample"
LICENCE = "CC0-1.0"
ATTRIBUTION = "Rendered by acbench."
HOME = "leave --root out: the sample is rendered on first use"
BENCHMARK = "sample"
LAYOUT = mvtec_ad.LAYOUT
EXTRAS = frozenset({"sample.json"})
IMAGE_COUNTS: Mapping[str, int] = {"fabric": 76, "washer": 76}

is_category = mvtec_ad.is_category
scan = mvtec_ad.scan
split_of = mvtec_ad.split_of


def known_labels() -> Mapping[str, tuple[str, ...]]:
    """Category → the names of its folders of anomalous images."""
    return {
        "fabric": ("combined", "fold", "hole", "loose_thread", "stain"),
        "washer": ("chip", "combined", "dent", "rust", "scratch"),
    }


def render(root: Path, *, progress: Progress | None = None) -> Path:
    """Draw the sample into `root`, unless it is there. Returns `root`."""
    from acbench.data.sample import render as sample

    return sample.render(root, progress=progress)
