"""The rows of a release: of the right form, each once, each image the one that was hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from acbench._util.console import Progress
from acbench.data import images as imaging
from acbench.errors import ImageError, ReleaseError
from acbench.records import GOOD, Finding, is_contradictory
from acbench.release.columns import IMAGES
from acbench.release.entries import MAX_ROWS, Entry, entry
from acbench.release.folder import ReleaseFolder
from acbench.release.manifest import Manifest, shard

if TYPE_CHECKING:
    import pyarrow as pa

MAX_GROUP = 1 << 30
"""Bytes of one row group in memory; ours have at most 64 MiB and one image."""
MOST = 20
"""So many findings of a kind in one table are told."""


class Tables(Protocol):
    """The form of a release's tables."""

    def arrow_schema(self, categories: tuple[str, ...], classes: tuple[str, ...], *, images: bool) -> pa.Schema: ...


@dataclass(slots=True)
class Read:
    """What is known of the tables once they have been read."""

    entries: dict[str, Entry] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read(
    folder: ReleaseFolder,
    manifest: Manifest,
    tables: Tables,
    progress: Progress,
    see: Callable[[Entry, bytes], None],
) -> Read:
    """Read every row. `see` gets each image's bytes, once its hash is right."""
    found = Read()
    form = tables.arrow_schema(manifest.categories, manifest.classes, images=manifest.images)
    total = len(manifest.shards())
    for done, (path, facts) in enumerate(sorted(manifest.shards().items()), start=1):
        told: dict[str, int] = {}
        for finding in _table(folder, path, facts.rows, manifest, form, found, see):
            told[finding.kind] = told.get(finding.kind, 0) + 1
            if told[finding.kind] <= MOST:
                found.findings.append(finding)
        progress(done, total)
    return found


def _table(
    folder: ReleaseFolder, path: str, rows: int, manifest: Manifest, form: pa.Schema, found: Read,
    see: Callable[[Entry, bytes], None],
) -> Iterator[Finding]:  # fmt: skip
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with folder.open(path) as file:
            table = pq.ParquetFile(file)
            if not table.schema_arrow.equals(form) or table.schema_arrow.metadata != form.metadata:
                yield _wrong(path, "schema", "its columns or class names are not those of the release")
                return
            if table.metadata.num_rows != rows or len(found.entries) + rows > MAX_ROWS:
                yield _wrong(path, "rows", f"it has {table.metadata.num_rows:,} rows; the release says {rows:,}")
                return
            for number in range(table.metadata.num_row_groups):
                if table.metadata.row_group(number).total_byte_size > MAX_GROUP:
                    yield _wrong(path, "row_group", f"row group {number} is larger than {MAX_GROUP >> 30} GiB")
                    return
                for batch in table.iter_batches(batch_size=64, row_groups=[number]):
                    for row in batch.to_pylist():
                        yield from _row(path, row, manifest, found, see)
    except (pa.ArrowException, OSError, ReleaseError, ValueError, OverflowError) as error:
        yield _wrong(path, "unreadable_table", f"it cannot be read: {' '.join(str(error).split())[:300]}")


def _row(
    path: str, row: dict[str, Any], manifest: Manifest, found: Read, see: Callable[[Entry, bytes], None]
) -> Iterator[Finding]:
    try:
        one = entry(row, manifest.categories, manifest.classes)
    except (IndexError, TypeError, KeyError):
        yield _wrong(path, "row", f"the row of {str(row.get('item_id'))[:80]!a} names no class or category")
        return
    if one.item_id in found.entries:
        yield _wrong(path, "twice", f"{one.item_id} has two rows")
        return
    found.entries[one.item_id] = one
    if (one.category, one.split) != shard(path):
        yield _wrong(path, "misplaced", f"{one.item_id} is of {one.category}, {one.split}")
    if why := _label_problem(one):
        yield _wrong(path, "label", f"{one.item_id}: {why}")
    if manifest.images:
        yield from _pictures(path, row, one, see)


def _label_problem(one: Entry) -> str:
    """What is wrong with a label in itself."""
    if one.status not in {"accepted", "pending", "excluded"}:
        return f"status {one.status[:40]!a}"
    if one.status == "accepted" and not one.labels:
        return "it is accepted and has no class"
    if one.status != "accepted" and one.label is not None:
        return f"it is {one.status} and has a class to predict"
    if is_contradictory(one.labels):
        return "it is normal and has a defect"
    if (one.label == GOOD) != (one.labels == (GOOD,)) and one.status == "accepted":
        return f"`label` is {one.label}, `labels` are {', '.join(one.labels)}"
    return "" if one.reason else "it has no reason"


def _pictures(path: str, row: Mapping[str, Any], one: Entry, see: Callable[[Entry, bytes], None]) -> Iterator[Finding]:
    for name in IMAGES:
        sha256, cell = row[f"{name}_sha256"], row[name]
        data = cell["bytes"] if cell else None
        if not sha256 and data is None:
            continue
        if data is None:
            yield _wrong(path, "no_image", f"{one.item_id}: the {name} is not in it")
        elif hashlib.sha256(data).hexdigest() != sha256:
            yield _wrong(path, "other_image", f"{one.item_id}: the {name} is not the one that was hashed")
        elif name == "image":
            try:
                header = imaging.probe(data)
            except ImageError as error:
                yield _wrong(path, "bad_image", f"{one.item_id}: {error.message}")
                continue
            if (header.width, header.height) != (row["width"], row["height"]):
                yield _wrong(path, "size", f"{one.item_id} is {header.width}×{header.height}")
            see(one, data)


def _wrong(path: str, kind: str, detail: str) -> Finding:
    hint = "download it again; if it stays so, do not use it"
    return Finding(path=path, kind=kind, detail=detail, hint=hint, failed=True)
