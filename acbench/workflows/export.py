"""Records sent to another place, with a manifest of them: whoever finds a record in the manifest finds its file."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from acbench.errors import AcbenchError, RemoteError, StorageError
from acbench.storage.atomic import write_bytes
from acbench.storage.project import BenchmarkFiles
from acbench.storage.remote import RemoteFolder
from acbench.storage.roots import parse_root
from acbench.storage.typed_json import decode, to_json
from acbench.storage.urls import Url

MANIFEST = "records.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """One file to send."""

    name: str
    """Under which it is sent; as in `.acbench/<benchmark>/`."""
    path: Path
    kind: str
    """Class of its records in `acbench.records`, or `meta` or `provenance`."""


@dataclass(frozen=True, slots=True)
class _SentFile:
    """What the manifest says of one file."""

    name: str
    kind: str
    rows: int | None
    """Of a table; None for what is no table."""
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Header:
    """What every version of the manifest has."""

    format: int
    benchmark: str


@dataclass(frozen=True, slots=True)
class _Manifest(_Header):
    """The content of `records.json`."""

    records: tuple[_SentFile, ...]
    """Sorted by name."""


class ExportTarget(Protocol):
    """Where records are sent."""

    def read(self, name: str) -> bytes | None: ...
    def write(self, name: str, data: bytes) -> None: ...


def of_dataset(bench: BenchmarkFiles) -> list[ExportedTable]:
    """What `ingest` writes."""
    return [
        ExportedTable("items.parquet", bench.items, "Item"),
        ExportedTable("findings.parquet", bench.findings, "Finding"),
    ]


def of_proposers(bench: BenchmarkFiles, names: Iterable[str]) -> list[ExportedTable]:
    """The tables of some proposers."""
    paths = [bench.proposals(name) for name in names]
    return [ExportedTable(f"proposals/{path.name}", path, "Proposal") for path in paths]


def of_system(bench: BenchmarkFiles, name: str) -> list[ExportedTable]:
    """What a scored system answered, and what it was made with."""
    table = bench.predictions(name)
    beside = table.with_suffix(".json")
    return [
        ExportedTable(f"predictions/{table.name}", table, "Prediction"),
        ExportedTable(f"predictions/{beside.name}", beside, "provenance"),
    ]


def of_labels(bench: BenchmarkFiles) -> list[ExportedTable]:
    """What was decided."""
    return [
        ExportedTable(bench.labels.name, bench.labels, "Label"),
        ExportedTable(bench.labels_meta.name, bench.labels_meta, "meta"),
        ExportedTable(bench.reviews.name, bench.reviews, "Review"),
    ]


def send(place: str, benchmark: str, records: Sequence[ExportedTable]) -> tuple[int, int]:
    """Send those records that exist and are not there as they are; gives how many were sent, and of how many.

    Other records of the benchmark that are there stay. While a file is replaced the manifest does not name it, so that
    this can be stopped at any moment and done again. Raises AcbenchError.
    """
    folder = _folder(place)
    try:
        sent = {file.name: file for file in _sent_files(folder, place, benchmark)}
        contents = {record.name: record.path.read_bytes() for record in records if record.path.exists()}
        wanted = {
            record.name: _described(record, contents[record.name]) for record in records if record.name in contents
        }
        new = {name: file for name, file in wanted.items() if sent.get(name) != file}
        if sent.keys() & new.keys():
            _write_manifest(folder, benchmark, [file for name, file in sent.items() if name not in new])
        for name in sorted(new):
            folder.write(name, contents[name])
        if new:
            _write_manifest(folder, benchmark, (sent | wanted).values())
    except RemoteError as error:
        raise AcbenchError(error.message, error.hint) from None
    return len(new), len(wanted)


@dataclass(frozen=True, slots=True)
class _LocalFolder:
    path: Path

    def read(self, name: str) -> bytes | None:
        path = self.path / name
        return path.read_bytes() if path.exists() else None

    def write(self, name: str, data: bytes) -> None:
        write_bytes(self.path / name, data)


def _folder(place: str) -> ExportTarget:
    root = parse_root(place)
    return RemoteFolder(root) if isinstance(root, Url) else _LocalFolder(root)


def _sent_files(folder: ExportTarget, place: str, benchmark: str) -> Sequence[_SentFile]:
    """The files that the manifest there names; none if there is no manifest, or half of one.

    Raises AcbenchError if it is one of another benchmark or of a newer acbench.
    """
    data = folder.read(MANIFEST) or b""
    try:
        header = decode(data, _Header, MANIFEST, allow_unknown=True)
        if header.benchmark != benchmark or header.format > FORMAT:
            what = f"records of {header.benchmark}" if header.format <= FORMAT else "records of a newer acbench"
            raise AcbenchError(f"{place} holds {what}", "give another --out: one folder holds one benchmark")
        return decode(data, _Manifest, MANIFEST).records
    except StorageError:
        return ()


def _write_manifest(folder: ExportTarget, benchmark: str, files: Iterable[_SentFile]) -> None:
    records = tuple(sorted(files, key=lambda file: file.name))
    content = to_json(_Manifest(format=FORMAT, benchmark=benchmark, records=records))
    folder.write(MANIFEST, (json.dumps(content, indent=1) + "\n").encode())


def _described(record: ExportedTable, data: bytes) -> _SentFile:
    return _SentFile(
        name=record.name,
        kind=record.kind,
        rows=_rows(record.path, data),
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _rows(path: Path, data: bytes) -> int | None:
    """How many rows a table has; None for what is no table."""
    if path.suffix == ".jsonl":
        return data.count(b"\n")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(io.BytesIO(data)).num_rows)
    return None
