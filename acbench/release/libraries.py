"""What a release needs of the libraries that others read it with: `datasets` and `mlcroissant`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from acbench.release.manifest import FORMAT, Manifest

if TYPE_CHECKING:
    import pyarrow as pa


class DatasetsLibrary(Protocol):
    """`datasets`: it gives parquet shards their form, describes them in the card, and loads a release."""

    def arrow_schema(
        self, categories: Sequence[str], classes: Sequence[str], *, images: bool, boxes: bool = False,
        format: int = FORMAT,
    ) -> pa.Schema:  # fmt: skip
        """The schema of a parquet shard, with the features of `datasets` in its metadata."""

    def card_data(self, manifest: Manifest) -> Mapping[str, object]:
        """`configs` and `dataset_info` of the card's YAML."""

    def round_trip(self, folder: Path, manifest: Manifest) -> list[str]:
        """Load a release, whole and streamed, without network, and list what differs from its tables.

        Raises OSError if this machine cannot do it: that says nothing of the release.
        """


class CroissantLibrary(Protocol):
    """`mlcroissant`: it writes and checks `croissant.json`."""

    def describe(
        self, manifest: Manifest, *, page: str, about: str, attribution: str, citation: str, home: str,
        licence_link: str,
    ) -> bytes:  # fmt: skip
        """The content of `croissant.json`. `page`: the address of the dataset's page; empty without one.

        Raises ValueError for a date of publication that no calendar has.
        """

    def page(self, said: Mapping[str, Any]) -> tuple[str, str]:
        """The page that untrusted metadata name, and its ORG/NAME; both empty if they name none."""

    def problems(self, folder: Path, manifest: Manifest) -> list[str]:
        """List what is wrong with the `croissant.json` of a release."""
