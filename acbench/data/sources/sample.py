"""The bundled sample: rendered on first use, laid out like MVTec-AD."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from acbench.data.sources import mvtec_ad
from acbench.data.sources._contract import FoundImage
from acbench.records import Finding
from acbench.storage.files import FileTree

NAME = "sample"
TITLE = "the sample"
LICENCE = "CC0-1.0"
ATTRIBUTION = "Rendered by acbench."
HOME = "leave --root out: the sample is rendered on first use"
BENCHMARK = "sample"
LAYOUT = mvtec_ad.LAYOUT
EXTRAS = frozenset({"sample.json"})
WHOLE: Mapping[str, int] = {"fabric": 76, "washer": 76}

is_category = mvtec_ad.is_category
split_of = mvtec_ad.split_of


def known_labels() -> Mapping[str, tuple[str, ...]]:
    """Category → its folders of anomalous images."""
    return {
        "fabric": ("combined", "fold", "hole", "loose_thread", "stain"),
        "washer": ("chip", "combined", "dent", "rust", "scratch"),
    }


def render(root: Path, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """Draw the sample into `root` unless it is there; gives `root`."""
    from acbench.data.sample import render as sample

    return sample.render(root, progress=progress)


def scan(tree: FileTree, categories: Sequence[str]) -> Iterator[FoundImage | Finding]:
    """Every image, and whatever is out of place."""
    return mvtec_ad.scan(tree, categories)
