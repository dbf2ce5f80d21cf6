"""Records sent to another place, with a manifest of them: whoever finds a record in the manifest finds its file."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from acbench.errors import AcbenchError, RemoteError
from acbench.storage import tables as store
from acbench.storage.project import BenchmarkFiles
from acbench.storage.remote import RemoteFolder
from acbench.storage.roots import root_at
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
        ExportedTable(bench.meta.name, bench.meta, "meta"),
        ExportedTable(bench.reviews.name, bench.reviews, "Review"),
    ]


def send(place: str, benchmark: str, records: Iterable[ExportedTable]) -> tuple[int, int]:
    """Send those records that exist and are not there as they are; gives how many were sent, and of how many.

    Other records of the benchmark that are there stay. While a file is replaced the manifest does not name it, so that
    this can be stopped at any moment and done again. Raises AcbenchError.
    """
    folder = _folder(place)
    try:
        there = _there(folder, place, benchmark)
        wanted = {
            each.name: (_entry(each, data := each.path.read_bytes()), data) for each in records if each.path.exists()
        }
        new = {name: data for name, (entry, data) in wanted.items() if there.get(name) != entry}
        if there.keys() & new.keys():
            _write(folder, benchmark, {name: entry for name, entry in there.items() if name not in new})
        for name, data in sorted(new.items()):
            folder.write(name, data)
        if new:
            _write(folder, benchmark, there | {name: entry for name, (entry, _) in wanted.items()})
    except RemoteError as why:
        raise AcbenchError(why.message, why.hint) from None
    return len(new), len(wanted)


@dataclass(frozen=True, slots=True)
class _LocalFolder:
    path: Path

    def read(self, name: str) -> bytes | None:
        path = self.path / name
        return path.read_bytes() if path.exists() else None

    def write(self, name: str, data: bytes) -> None:
        store.write_bytes(self.path / name, data)


def _folder(place: str) -> ExportTarget:
    root = root_at(place)
    return RemoteFolder(root) if isinstance(root, Url) else _LocalFolder(root)


def _there(folder: ExportTarget, place: str, benchmark: str) -> dict[str, dict[str, Any]]:
    """What the manifest there names; nothing if there is none, or half of one."""
    try:
        found = json.loads(folder.read(MANIFEST) or b"{}")
        owner, version, records = (
            found.get("benchmark", benchmark),
            int(found.get("format", FORMAT)),
            found.get("records", ()),
        )
        entries = {str(each["name"]): dict(each) for each in records}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
    if owner != benchmark or version > FORMAT:
        what = f"records of {owner}" if owner != benchmark else "records of a newer acbench"
        raise AcbenchError(f"{place} holds {what}", "give another --out: one folder holds one benchmark")
    return entries


def _write(folder: ExportTarget, benchmark: str, entries: dict[str, dict[str, Any]]) -> None:
    records = [entry for _, entry in sorted(entries.items())]
    content = {"format": FORMAT, "benchmark": benchmark, "records": records}
    folder.write(MANIFEST, (json.dumps(content, indent=1) + "\n").encode())


def _entry(record: ExportedTable, data: bytes) -> dict[str, Any]:
    return {
        "name": record.name,
        "kind": record.kind,
        "rows": _rows(record.path, data),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def _rows(path: Path, data: bytes) -> int | None:
    """Of a table; None for what is no table."""
    if path.suffix == ".jsonl":
        return data.count(b"\n")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(io.BytesIO(data)).num_rows)
    return None
