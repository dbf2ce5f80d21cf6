"""The labels of a release without its images: what is compared, and what a card speaks about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Protocol

from acbench.errors import ReleaseError
from acbench.release import unpack
from acbench.release.bounds import MAX_ROWS, batches
from acbench.release.manifest import MAX_BYTES, NAME, Manifest, parse
from acbench.release.repeats import Repeats
from acbench.release.sink import whole
from acbench.storage import parquet, stored_rows
from acbench.storage.stored_rows import StoredRows


class ReleaseReader(Protocol):
    """Reads the files of a release, wherever it lies."""

    @property
    def name(self) -> str:
        """What messages call the release."""

    def read(self, path: str, limit: int) -> bytes:
        """Read a small file. Raises ReleaseError or HubError if it does not exist or has more than `limit` bytes."""

    def open(self, path: str) -> BinaryIO:
        """Open a file that can be read from any place in it. Raises as `read`."""

    def sha256(self, path: str) -> str:
        """The SHA-256 of a file, 64 hex digits, by its bytes or by the word of the place that keeps them.

        Raises as `read`.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseEntry:
    """One image's label, with names in place of numbers."""

    item_id: str
    image: str
    """Path in the source dataset."""
    category: str
    split: str
    anomalous: bool
    label: str | None
    """The class of the single-label benchmark."""
    labels: tuple[str, ...]
    source_labels: tuple[str, ...]
    status: str
    decided_by: str
    reason: str
    agreement: float | None
    sha256: str
    """The image file's."""
    people: int = 0
    """How many people have said something about it."""


_COLUMNS = ("item_id", "image_path", "category", "split", "anomalous", "label", "labels", "source_labels", "status",
            "decided_by", "reason", "agreement", "image_sha256", "votes.list.element.kind")  # fmt: skip


def read_manifest(release: ReleaseReader) -> Manifest:
    """Read what a release says of itself. Raises ReleaseError or HubError."""
    return parse(release.read(NAME, MAX_BYTES))


def read_entries(release: ReleaseReader, manifest: Manifest) -> Mapping[str, ReleaseEntry]:
    """Read every label of a release by item_id; only the columns with labels are fetched, and of a large release only
    a part of them stays in memory.

    Raises ReleaseError or HubError.
    """
    ids = Repeats()
    entries = _kept(_counted(_every_entry(release, manifest), ids))
    if ids.any:
        seen: set[str] = set()
        for entry in entries:
            if ids.may_repeat(entry.item_id):
                if entry.item_id in seen:
                    raise ReleaseError(f"{release.name}: {entry.item_id!a:.80} has two rows", "acbench verify")
                seen.add(entry.item_id)
    return entries.by_id if isinstance(entries, StoredRows) else {entry.item_id: entry for entry in entries}


def shard_entries(release: ReleaseReader, path: str, manifest: Manifest) -> Iterator[ReleaseEntry]:
    """Read the labels of one table. Raises ReleaseError or HubError."""
    import pyarrow as pa

    try:
        with release.open(path) as file:
            for batch in batches(file, _COLUMNS, f"{release.name}: {path}"):
                for row in unpack.rows(batch):
                    yield decode_row(row, manifest)
    except (pa.ArrowException, KeyError, IndexError, TypeError, ValueError) as error:
        raise ReleaseError(f"{release.name}: {path} is not a table of a release: {error}", "acbench verify") from None


def _every_entry(release: ReleaseReader, manifest: Manifest) -> Iterator[ReleaseEntry]:
    """The labels of all tables, each compared with its hash before it is read."""
    count = 0
    for path, facts in sorted(manifest.shards().items()):
        if (sha256 := release.sha256(path)) != facts.sha256:
            raise ReleaseError(
                f"{release.name}: {path} is not the table that release.json names: its sha256 is {sha256[:12]}…,"
                f" that of the release {facts.sha256[:12]}…",
                "download it again; acbench verify tells more",
            )
        for entry in shard_entries(release, path, manifest):
            count += 1
            if count > MAX_ROWS:
                raise ReleaseError(f"{release.name} has more than {MAX_ROWS:,} rows", "that is no release of acbench")
            yield entry


def _counted(entries: Iterator[ReleaseEntry], ids: Repeats) -> Iterator[ReleaseEntry]:
    for entry in entries:
        ids.add(entry.item_id)
        yield entry


def _kept(entries: Iterator[ReleaseEntry]) -> StoredRows[ReleaseEntry] | list[ReleaseEntry]:
    """The entries in memory, or in a file that nobody else sees, if they are more than a table in memory has."""
    begun = list(islice(entries, stored_rows.WHOLE + 1))
    if len(begun) <= stored_rows.WHOLE:
        return begun
    with TemporaryDirectory(prefix="acbench-") as folder:
        path = Path(folder) / "entries.parquet"
        with path.open("wb") as file, whole(file) as sink:
            parquet.write(sink, parquet.in_groups(chain(begun, entries)), ReleaseEntry)
        rows = StoredRows(path, ReleaseEntry)
        len(rows)  # opens it: it can be read from then on, although it has no name any more
    return rows


def decode_row(row: Mapping[str, Any], manifest: Manifest) -> ReleaseEntry:
    """Decode an untrusted row of a parquet shard. Raises KeyError, IndexError or TypeError for a row that is none."""
    classes = manifest.classes
    return ReleaseEntry(
        item_id=row["item_id"],
        image=row["image_path"],
        category=_named(manifest.categories, row["category"]),
        split=row["split"],
        anomalous=row["anomalous"],
        label=None if row["label"] is None else _named(classes, row["label"]),
        labels=tuple(_named(classes, number) for number in row["labels"]),
        source_labels=tuple(row["source_labels"]),
        status=row["status"],
        decided_by=row["decided_by"],
        reason=row["reason"],
        agreement=row["agreement"],
        sha256=row["image_sha256"],
        people=sum(vote["kind"] == "person" for vote in row["votes"]),
    )


def _named(names: tuple[str, ...], number: int) -> str:
    """The name of a number. Raises IndexError, also for a negative number: it counts from no end here."""
    if number < 0:
        raise IndexError(f"there is no class or category of the number {number}")
    return names[number]
