"""Copies a benchmark's records to another folder or URL, with a manifest that names every file and its hash."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from acbench.errors import AcbenchError, RemoteError, StorageError
from acbench.storage.atomic import write_bytes
from acbench.storage.project import BenchmarkFiles
from acbench.storage.remote import RemoteFolder
from acbench.storage.roots import parse_root
from acbench.storage.typed_json import decode, to_json
from acbench.storage.urls import Url
from acbench.workflows.run import Run

MANIFEST = "records.json"
WHOLE = ("Label", "Review")
"""Kinds of which all files are sent at once: another file of them that the manifest names is of a former layout."""
FORMAT = 1
"""The version of the manifest's layout."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file to send."""

    name: str
    """The path below the destination; the same as below `.acbench/<benchmark>/`."""
    path: Path
    kind: str
    """The class of its records in `acbench.records`, or `meta` or `provenance`."""


class ExportTarget(Protocol):
    """The folder or URL that receives files."""

    def read(self, name: str) -> bytes | None: ...
    def write(self, name: str, data: bytes) -> None: ...


class Sent(NamedTuple):
    """How many files were sent, and how many there are."""

    new: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """What the manifest says of one file."""

    name: str
    kind: str
    rows: int | None
    """None for a file that is no table."""
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _ManifestHead:
    """What every version of the manifest has. A newer acbench may write the rest differently."""

    format: int
    benchmark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest(_ManifestHead):
    """The content of the manifest."""

    records: tuple[ManifestEntry, ...]
    """By name."""


def dataset_files(files: BenchmarkFiles) -> list[ExportFile]:
    """The tables that `ingest` writes."""
    return [
        ExportFile("items.parquet", files.items, "Item"),
        ExportFile("findings.parquet", files.findings, "Finding"),
    ]


def proposal_files(files: BenchmarkFiles, proposers: Iterable[str]) -> list[ExportFile]:
    """The tables of some proposers."""
    paths = [files.proposals(name) for name in proposers]
    return [ExportFile(f"proposals/{path.name}", path, "Proposal") for path in paths]


def prediction_files(files: BenchmarkFiles, system: str) -> list[ExportFile]:
    """The predictions of one system, and the file that says what made them."""
    table = files.predictions(system)
    provenance = table.with_suffix(".json")
    return [
        ExportFile(f"predictions/{table.name}", table, "Prediction"),
        ExportFile(f"predictions/{provenance.name}", provenance, "provenance"),
    ]


def label_files(files: BenchmarkFiles) -> list[ExportFile]:
    """The labels, the facts about them, and the reviews."""
    return [
        *_in_git(files, files.labels.paths, "Label"),
        *_in_git(files, [files.labels_meta], "meta"),
        *_in_git(files, files.reviews.paths, "Review"),
    ]


def _in_git(files: BenchmarkFiles, paths: Iterable[Path], kind: str) -> list[ExportFile]:
    return [ExportFile(path.relative_to(files.annotations).as_posix(), path, kind) for path in paths]


def export(run: Run, destination: str | None, files: Iterable[ExportFile] = ()) -> None:
    """Send the dataset's tables and some more files, and note how many were new; does nothing without a destination.

    Raises AcbenchError.
    """
    if not destination:
        return
    sent = send(destination, run.files.benchmark, [*dataset_files(run.files), *files])
    if sent.new:
        run.console.note(f"{sent.new:,} of {sent.total:,} files sent to {destination}")
    else:
        run.console.note(f"{destination} holds the same records already")


def send(destination: str, benchmark: str, files: Iterable[ExportFile]) -> Sent:
    """Send the files that exist and that the destination does not hold already. Its other files stay.

    While a file is replaced, the manifest does not name it: a reader can trust the manifest whenever the sender dies.
    Raises AcbenchError.
    """
    target = _target(destination)
    try:
        before = _manifest_entries(target, destination, benchmark)
        contents = {file.name: (file, file.path.read_bytes()) for file in files if file.path.exists()}
        entries = {name: _entry(file, data) for name, (file, data) in contents.items()}
        new = sorted(name for name, entry in entries.items() if before.get(name) != entry)
        whole = {entry.kind for entry in entries.values()} & set(WHOLE)  # one file before, a folder of them now
        named = {name: entry for name, entry in before.items() if entry.kind not in whole or name in entries}
        if before.keys() & set(new) or named != before:
            _write_manifest(target, benchmark, {name: entry for name, entry in named.items() if name not in new})
        for name in new:
            target.write(name, contents[name][1])
        if new or named != before:
            _write_manifest(target, benchmark, named | entries)
    except RemoteError as error:
        raise AcbenchError(error.message, error.hint) from None
    return Sent(len(new), len(entries))


@dataclass(frozen=True, slots=True)
class _LocalFolder:
    path: Path

    def read(self, name: str) -> bytes | None:
        path = self.path / name
        return path.read_bytes() if path.exists() else None

    def write(self, name: str, data: bytes) -> None:
        write_bytes(self.path / name, data)


def _target(destination: str) -> ExportTarget:
    root = parse_root(destination)
    return RemoteFolder(root) if isinstance(root, Url) else _LocalFolder(root)


def _manifest_entries(target: ExportTarget, destination: str, benchmark: str) -> dict[str, ManifestEntry]:
    """The entries of the manifest at the destination by name; none if the manifest is missing or damaged.

    Raises AcbenchError if it belongs to another benchmark or to a newer acbench.
    """
    data = target.read(MANIFEST) or b""
    try:
        head = decode(data, _ManifestHead, MANIFEST, allow_unknown=True)
        if head.benchmark != benchmark or head.format > FORMAT:
            other = f"records of {head.benchmark}" if head.benchmark != benchmark else "records of a newer acbench"
            raise AcbenchError(f"{destination} holds {other}", "give another --out: one folder holds one benchmark")
        return {entry.name: entry for entry in decode(data, _Manifest, MANIFEST).records}
    except StorageError:
        return {}


def _write_manifest(target: ExportTarget, benchmark: str, entries: Mapping[str, ManifestEntry]) -> None:
    records = tuple(entry for _, entry in sorted(entries.items()))
    content = to_json(_Manifest(format=FORMAT, benchmark=benchmark, records=records))
    target.write(MANIFEST, (json.dumps(content, indent=1) + "\n").encode())


def _entry(file: ExportFile, data: bytes) -> ManifestEntry:
    return ManifestEntry(
        name=file.name,
        kind=file.kind,
        rows=_rows(file.path, data),
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _rows(path: Path, data: bytes) -> int | None:
    """How many rows a table has; None for a file that is no table."""
    if path.suffix == ".jsonl":
        return data.count(b"\n")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(io.BytesIO(data)).num_rows)
    return None
