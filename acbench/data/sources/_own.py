"""What the sources have in common that read a dataset of your own: of what it is, only its label schema tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from acbench.licences import UNKNOWN


class OwnDataset:
    """Contents of a `Source` that nothing is known of."""

    TITLE: ClassVar[str] = "your dataset"
    LICENCE: ClassVar[str] = UNKNOWN
    ATTRIBUTION: ClassVar[str] = "Not stated."
    BENCHMARK: ClassVar[str] = "YOUR_SCHEMA.yaml"
    EXTRAS: ClassVar[frozenset[str]] = frozenset()
    IMAGE_COUNTS: ClassVar[Mapping[str, int]] = {}

    def known_labels(self) -> Mapping[str, tuple[str, ...]]:
        """Nothing: only its label schema says which labels a dataset of your own has."""
        return {}
