"""Checks the rows of a release: each of the right form, each image once, each image file the one that was hashed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from acbench._util.console import Progress
from acbench.data import images as imaging
from acbench.errors import ImageError, ReleaseError
from acbench.records import GOOD, Finding, is_contradictory, mask_files
from acbench.release import unpack
from acbench.release.bounds import MAX_ROWS, batches, checked_metadata
from acbench.release.columns import IMAGES
from acbench.release.entries import ReleaseEntry, decode_row
from acbench.release.folder import ReleaseFolder
from acbench.release.libraries import DatasetsLibrary
from acbench.release.manifest import Manifest, shard_key
from acbench.release.repeats import Repeats
from acbench.release.tally import RowKind, Tally, kind_of
from acbench.release.verify.findings import fault

if TYPE_CHECKING:
    import pyarrow as pa

MAX_FINDINGS = 20
"""How many findings of one kind are reported for one table."""

TakeImage = Callable[[ReleaseEntry, bytes], None]
"""Takes an image file whose hash is right."""
Derive = Callable[[Mapping[str, Any], ReleaseEntry, RowKind], Iterable[tuple[str, str]]]
"""Gives for a row what it says and cannot be: kind and detail."""


@dataclass(slots=True)
class TableContents:
    """What the tables of a release hold."""

    tally: Tally
    """All rows that are rows of a release."""
    united: int = 0
    """Masks that several files were united to: their bytes have no hash, only the files have."""
    findings: list[Finding] = field(default_factory=list)


def read_tables(
    folder: ReleaseFolder,
    manifest: Manifest,
    library: DatasetsLibrary,
    progress: Progress,
    take_image: TakeImage,
    derive: Derive,
    tally: Tally,
) -> TableContents:
    """Read and check every row; `take_image` gets every image file whose hash is right, `derive` every row."""
    schema = library.arrow_schema(
        manifest.categories, manifest.classes, images=manifest.images, boxes=manifest.boxes, format=manifest.format
    )
    shards = sorted(manifest.shards().items())
    ids = _ids(folder, [path for path, _ in shards])
    reader = _Reader(folder, manifest, schema, take_image, derive, TableContents(tally), ids)
    for done, (path, file) in enumerate(shards, start=1):
        reported: Counter[str] = Counter()
        for finding in reader.check(path, file.rows):
            reported[finding.kind] += 1
            if reported[finding.kind] <= MAX_FINDINGS:
                reader.contents.findings.append(finding)
        progress(done, len(shards))
    return reader.contents


@dataclass(slots=True)
class _Reader:
    folder: ReleaseFolder
    manifest: Manifest
    schema: pa.Schema
    take_image: TakeImage
    derive: Derive
    contents: TableContents
    ids: Repeats
    """Those of all rows."""
    again: set[str] = field(default_factory=set)
    """Ids that have been seen, of those that may come more than once."""

    def check(self, path: str, rows: int) -> Iterator[Finding]:
        """Check one table; `rows`: how many rows it has according to the manifest."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self.folder.open(path) as file:
                table = pq.ParquetFile(file, metadata=checked_metadata(file, path))
                wrong = self._wrong_table(path, table, rows)
                if wrong is not None:
                    yield wrong
                    return
                file.seek(0)
                for batch in batches(file, None, path):
                    for row in unpack.rows(batch):
                        yield from self._check_row(path, row)
        except (pa.ArrowException, OSError, ReleaseError, ValueError, OverflowError) as error:
            what = error.message if isinstance(error, ReleaseError) else str(error)
            yield fault(path, "unreadable_table", f"it cannot be read: {' '.join(what.split())[:300]}")

    def _wrong_table(self, path: str, table: Any, rows: int) -> Finding | None:
        """What is wrong with a table (a `pyarrow.parquet.ParquetFile`), by its metadata alone."""
        schema = table.schema_arrow
        if not schema.equals(self.schema) or schema.metadata != self.schema.metadata:
            return fault(path, "schema", "its columns or class names are not those of the release")
        if table.metadata.num_rows != rows or len(self.contents.tally) + rows > MAX_ROWS:
            return fault(path, "rows", f"it has {table.metadata.num_rows:,} rows; the release says {rows:,}")
        return None

    def _check_row(self, path: str, row: dict[str, Any]) -> Iterator[Finding]:
        try:
            entry = decode_row(row, self.manifest)
            kind = kind_of(entry, row["votes"])
        except (IndexError, TypeError, KeyError):
            yield fault(path, "row", f"the row of {str(row.get('item_id'))[:80]!a} names no class or category")
            return
        if self.ids.may_repeat(entry.item_id):
            if entry.item_id in self.again:
                yield fault(path, "twice", f"{entry.item_id} has two rows")
                return
            self.again.add(entry.item_id)
        self.contents.tally.add(entry, kind)
        if (entry.category, entry.split) != shard_key(path):
            yield fault(path, "misplaced", f"{entry.item_id} is of {entry.category}, {entry.split}")
        if why := _label_problem(entry):
            yield fault(path, "label", f"{entry.item_id}: {why}")
        try:
            for what, detail in self.derive(row, entry, kind):
                yield fault(path, what, f"{entry.item_id}: {detail}")
        except (TypeError, KeyError, AttributeError):
            yield fault(path, "row", f"{entry.item_id}: something is missing in its votes or its history")
        if self.manifest.images:
            yield from self._check_images(path, row, entry)

    def _check_images(self, path: str, row: Mapping[str, Any], entry: ReleaseEntry) -> Iterator[Finding]:
        for column in IMAGES:
            sha256, cell = row[f"{column}_sha256"], row[column]
            data = cell["bytes"] if cell else None
            if not sha256 and data is None:
                continue
            united = column == "mask" and len(mask_files(row["mask_path"] or "")) > 1
            if data is None:
                yield fault(path, "no_image", f"{entry.item_id}: the {column} is not in it")
            elif not united and hashlib.sha256(data).hexdigest() != sha256:
                yield fault(path, "other_image", f"{entry.item_id}: the {column} is not the one that was hashed")
            elif not united and row.get(f"{column}_size") not in (None, len(data)):
                yield fault(
                    path, "size", f"{entry.item_id}: its {column} has {len(data):,} bytes, and not as many as said"
                )
            elif column == "image" or united:
                try:
                    header = imaging.probe(data)
                except ImageError as error:
                    yield fault(path, "bad_image", f"{entry.item_id}: {error.message}")
                    continue
                if (header.width, header.height) != (row["width"], row["height"]):
                    yield fault(path, "size", f"{entry.item_id}: the {column} is {header.width}×{header.height}")
                if united:
                    self.contents.united += 1
                else:
                    self.take_image(entry, data)


def _ids(folder: ReleaseFolder, paths: Iterable[str]) -> Repeats:
    """The ids of all rows, as far as the tables can be read."""
    import pyarrow as pa

    ids = Repeats()
    for path in paths:
        with suppress(pa.ArrowException, OSError, ReleaseError, ValueError, OverflowError), folder.open(path) as file:
            for batch in batches(file, ("item_id",), path):
                for item_id in unpack.values(batch.column(0)):
                    ids.add(item_id)
    return ids


def _label_problem(entry: ReleaseEntry) -> str:
    """What is wrong with a label in itself; empty if nothing is."""
    if entry.status not in {"accepted", "pending", "excluded"}:
        return f"status {entry.status[:40]!a}"
    if entry.status == "accepted" and not entry.labels:
        return "it is accepted and has no class"
    if entry.status != "accepted" and entry.label is not None:
        return f"it is {entry.status} and has a class to predict"
    if is_contradictory(entry.labels):
        return "it is normal and has a defect"
    if (entry.label == GOOD) != (entry.labels == (GOOD,)) and entry.status == "accepted":
        return f"`label` is {entry.label}, `labels` are {', '.join(entry.labels)}"
    return "" if entry.reason else "it has no reason"
