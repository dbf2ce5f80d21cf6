"""Compares what Hugging Face `datasets` loads of a release with what its tables hold.

The columns that decide a label are compared as a whole, a few thousand rows at a time. Only where they differ is each
row looked at.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench._util.machine import fault_of_machine
from acbench.records import mask_files
from acbench.release.entries import ReleaseEntry, read_entries
from acbench.release.folder import ReleaseFolder
from acbench.release.manifest import ALL, Manifest, SplitSize, configurations, shard_key

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, Features

MOST = 20
"""How many differences are named."""
TOGETHER = 5_000
"""Rows that are compared together."""
COMPARED = ["item_id", "category", "label", "labels", "status", "image_sha256"]


def differences(folder: Path, manifest: Manifest, scratch: Path | None) -> list[str]:
    """What differs between a release's tables and what `datasets` loads: the whole, and streamed by category.

    The release's files have been checked before. A temporary folder in `scratch` holds a copy of the release meanwhile.
    Raises OSError if this machine cannot do it.
    """
    import datasets

    found: list[str] = []
    with _without_torch(), tempfile.TemporaryDirectory(prefix="acbench-", dir=scratch) as cache:
        try:
            tables = _Tables(folder, manifest)
            loaded = datasets.load_dataset(str(folder), ALL, cache_dir=cache)
            for split, rows in loaded.items():
                parts = rows.select_columns(COMPARED).with_format("arrow")
                slices = (parts[begin : begin + TOGETHER] for begin in range(0, len(parts), TOGETHER))
                found += tables.differences(slices, rows.features, ALL, str(split))
                found += _other_images(rows)
            for config, splits in configurations(manifest).items():
                streams = datasets.load_dataset(str(folder), config, streaming=True, cache_dir=cache)
                for split in splits:
                    stream = streams[split].select_columns(COMPARED).with_format("arrow")
                    name = f"{config}, {split}, streamed"
                    found += tables.differences(stream.iter(TOGETHER), streams[split].features, config, split, name)
        except Exception as error:  # whatever it raises, everybody who loads the release would get
            if why := fault_of_machine(error):
                raise OSError(f"{why} ({cache})") from None
            return [f"datasets {datasets.__version__} cannot load it: {type(error).__name__}: {error}"[:500]]
    return found[:MOST]


class _Tables:
    """The tables of a release."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest

    @cached_property
    def entries(self) -> Mapping[str, ReleaseEntry]:
        """Every row by its item_id, for those that have to be looked at."""
        return read_entries(ReleaseFolder(self.folder), self.manifest)

    @cached_property
    def _sizes(self) -> Mapping[str, Mapping[str, SplitSize]]:
        return configurations(self.manifest)

    def differences(
        self, parts: Iterable[pa.Table], form: Features, config: str, split: str, name: str = ""
    ) -> Iterator[str]:
        """What differs in the rows of a split as they were loaded; `form`: their features."""
        name, count = name or config, 0
        classes, written = [*self.manifest.classes], _Rows(self._batches(config, split))
        numbers = (form["category"].names, form["label"].names, form["labels"].feature.names)
        same_names = numbers == ([*self.manifest.categories], classes, classes)
        for part in parts:
            count += part.num_rows
            if not (written.go_on_with(part) and same_names):
                for row in part.to_pylist():
                    yield from _compare(row, form, self.entries, name)
        if count != (rows := self._sizes[config][split].rows):
            yield f"{name}: {count:,} rows instead of {rows:,}"

    def _batches(self, config: str, split: str) -> Iterator[pa.RecordBatch]:
        """The rows of a split as they are in the tables."""
        import pyarrow.parquet as pq

        for path in sorted(self.manifest.shards()):
            key = shard_key(path)
            if key and key.split == split and config in (ALL, key.category):
                with pq.ParquetFile(self.folder / path) as file:
                    for batch in file.iter_batches(TOGETHER, columns=COMPARED):
                        yield batch.select(COMPARED)


class _Rows:
    """Rows that come in batches of any size."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._rest: list[pa.RecordBatch] = []

    def go_on_with(self, part: pa.Table) -> bool:
        """Whether the next rows are those of a table."""
        import pyarrow as pa

        taken, wanted = self._rest, part.num_rows
        while sum(batch.num_rows for batch in taken) < wanted:
            batch = next(self._batches, None)
            if batch is None:
                self._rest = []
                return False
            taken.append(batch)
        last = taken[-1]
        more = sum(batch.num_rows for batch in taken) - wanted
        self._rest = [last.slice(last.num_rows - more)] if more else []
        try:
            return bool(pa.Table.from_batches(taken).slice(0, wanted).cast(part.schema).equals(part))
        except (pa.ArrowException, ValueError):  # columns of other types
            return False


def _other_images(loaded: Dataset) -> Iterator[str]:
    """The images and masks that have other bytes than those that were hashed."""
    from datasets import Image

    images = [column for column in ("image", "mask") if column in loaded.features]
    for column in images:
        loaded = loaded.cast_column(column, Image(decode=False))
    hashes = [f"{column}_sha256" for column in images]
    for row in loaded.select_columns(["item_id", "mask_path", *images, *hashes]) if images else ():
        for column in images:
            cell, sha256 = row[column], row[f"{column}_sha256"] or ""
            if column == "mask" and len(mask_files(row["mask_path"] or "")) > 1:
                continue  # its bytes are those of several files together
            if (hashlib.sha256(cell["bytes"]).hexdigest() if cell else "") != sha256:
                yield f"{ALL}: the {column} of {row['item_id']} has other bytes"


def _compare(row: Mapping[str, Any], form: Features, entries: Mapping[str, ReleaseEntry], name: str) -> Iterator[str]:
    entry = entries.get(row["item_id"])
    if entry is None:
        yield f"{name}: {row['item_id']} is no row of the release"
        return
    label = None if row["label"] is None else form["label"].int2str(row["label"])
    labels = tuple(form["labels"].feature.names[number] for number in row["labels"])
    category = form["category"].int2str(row["category"])
    if (category, label, labels, row["status"]) != (entry.category, entry.label, entry.labels, entry.status):
        yield f"{name}: {row['item_id']} is loaded as {category}, {label}, not as {entry.category}, {entry.label}"


@contextmanager
def _without_torch() -> Iterator[None]:
    """Without torch, which the library would load for a number that it shares, and which takes 180 MB and seconds."""
    from datasets import config

    known = config.TORCH_AVAILABLE
    config.TORCH_AVAILABLE = False
    try:
        yield
    finally:
        config.TORCH_AVAILABLE = known
