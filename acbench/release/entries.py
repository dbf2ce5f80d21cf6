"""The labels of a release without its images: what is compared, and what a card speaks about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from acbench.errors import ReleaseError
from acbench.release.manifest import MAX_BYTES, NAME, Manifest, parse

MAX_ROWS = 5_000_000
"""Of a release; more are not read."""


class ReleaseSource(Protocol):
    """Where a release lies."""

    @property
    def name(self) -> str:
        """As messages call it."""

    def read(self, path: str, limit: int) -> bytes:
        """A whole small file. Raises ReleaseError or HubError if it is not there or larger than `limit` bytes."""

    def open(self, path: str) -> BinaryIO:
        """A file to read from anywhere in it. Raises as `read`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One image's label, in names."""

    item_id: str
    image: str
    """Path in the source dataset."""
    category: str
    split: str
    anomalous: bool
    label: str | None
    labels: tuple[str, ...]
    source_labels: tuple[str, ...]
    status: str
    decided_by: str
    reason: str
    agreement: float | None
    sha256: str
    """Of the image."""


_COLUMNS = ("item_id", "image_path", "category", "split", "anomalous", "label", "labels", "source_labels", "status",
            "decided_by", "reason", "agreement", "image_sha256")  # fmt: skip


def manifest(place: ReleaseSource) -> Manifest:
    """What a release says of itself. Raises ReleaseError or HubError."""
    return parse(place.read(NAME, MAX_BYTES))


def entries(place: ReleaseSource, found: Manifest) -> dict[str, Entry]:
    """Every label of a release by item_id; only the columns with labels are read. Raises ReleaseError or HubError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made: dict[str, Entry] = {}
    for path in sorted(found.shards()):
        try:
            with place.open(path) as file:
                table = pq.ParquetFile(file, pre_buffer=True)
                if len(made) + table.metadata.num_rows > MAX_ROWS:
                    raise ReleaseError(f"{place.name} has more than {MAX_ROWS:,} rows", "that is no release of acbench")
                for batch in table.iter_batches(columns=list(_COLUMNS)):
                    for row in batch.to_pylist():
                        one = entry(row, found.categories, found.classes)
                        made[one.item_id] = one
        except (pa.ArrowException, KeyError, IndexError, TypeError, ValueError) as error:
            raise ReleaseError(f"{place.name}: {path} is not a table of a release: {error}", "acbench verify") from None
    return made


def entry(row: Mapping[str, Any], categories: tuple[str, ...], classes: tuple[str, ...]) -> Entry:
    """A row with numbers as one with names."""
    return Entry(
        item_id=row["item_id"],
        image=row["image_path"],
        category=_named(categories, row["category"]),
        split=row["split"],
        anomalous=row["anomalous"],
        label=None if row["label"] is None else _named(classes, row["label"]),
        labels=tuple(_named(classes, each) for each in row["labels"]),
        source_labels=tuple(row["source_labels"]),
        status=row["status"],
        decided_by=row["decided_by"],
        reason=row["reason"],
        agreement=row["agreement"],
        sha256=row["image_sha256"],
    )


def _named(names: tuple[str, ...], number: int) -> str:
    """The name of that number. Raises IndexError; a negative one counts from no end."""
    if number < 0:
        raise IndexError(f"there is no class or category of the number {number}")
    return names[number]


def of_rows(rows: list[dict[str, Any]], categories: tuple[str, ...], classes: tuple[str, ...]) -> Iterator[Entry]:
    """The same, of rows that are about to be released."""
    return (entry(row, categories, classes) for row in rows)
