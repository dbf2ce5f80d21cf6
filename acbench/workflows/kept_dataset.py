"""Keeps what a dataset was when it was read, so that a run on an unchanged one neither lists nor reads it again.

Only a folder that a source of acbench reads is kept so: how a source of another package decides may change unseen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from acbench import __version__
from acbench._util.lazy_rows import LazyRows
from acbench.data import hashing, sources
from acbench.data.findings import FindingClass
from acbench.data.ingest import Dataset, Former, Naming, ReadPart, Seen
from acbench.errors import StorageError
from acbench.records import Finding, Item
from acbench.storage import tables
from acbench.storage.build import records_key
from acbench.storage.digests import digest
from acbench.storage.folder_state import folder_state
from acbench.storage.roots import Root
from acbench.storage.stored_rows import StoredRows
from acbench.storage.typed_json import decode, to_json
from acbench.workflows.run import Run

VERSION = f"{__version__}, {hashing.VERSION}, 3"
"""Raise the last number whenever the same files give other items or findings."""


MANY = 1_000
"""A part with more findings of its own is read again when anything has changed: they are not kept by themselves."""
OF_ALL = frozenset({"unmatched_image"})
"""Kinds of findings that say something of other categories too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPart:
    """A part of a dataset as it was read."""

    read: ReadPart
    is_known: bool
    """Whether all its findings are here, and speak of nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDataset:
    """A dataset as it was read, without its items and findings, which are in tables of their own."""

    given: str
    """A hash of what was asked for."""
    root: str
    seen: Mapping[str, Seen]
    common: str | None
    parts: tuple[KeptPart, ...]
    findings_key: str
    finding_classes: tuple[FindingClass, ...]


def given(run: Run, root: Root, naming: Naming) -> str:
    """A hash of what decides how a dataset at `root` is read, besides its files; empty if that cannot be said."""
    if not isinstance(root, Path) or run.shard is not None or not sources.is_bundled(run.source.name):
        return ""
    settings = run.settings
    return digest(
        VERSION,
        str(root),
        run.source.name,
        dict(run.source.reading),
        run.schema.digest,
        sorted(settings.categories),
        settings.limit,
        (naming.prefix, naming.licence, naming.by_folder),
    )


def kept_dataset(run: Run, given: str) -> Dataset | Former | None:
    """The dataset as it was read before, or what is unchanged of it. Rows are read when they are needed."""
    files = run.files
    text = run.ledger.datasets.load(files.benchmark) if given else ""
    if not text:
        return None
    try:
        kept = decode(text.encode(), KeptDataset, "the ledger")
    except StorageError:  # of another version: the dataset is read again
        return None
    if kept.given != given:
        return None
    parts = [part.read for part in kept.parts]
    dataset = Dataset(
        root=Path(kept.root),
        items=StoredRows(files.items, Item, sum(part.items for part in parts)),
        findings=LazyRows(lambda: tables.read(files.findings, Finding)),
        finding_classes=list(kept.finding_classes),
        limit=run.settings.limit,
        parts=parts,
        common=kept.common,
        seen=kept.seen,
    )
    if not run.build.is_fresh(files.items, dataset.key):
        return None
    stands = {name for name, seen in kept.seen.items() if folder_state(seen.folders).digest == seen.state}
    if stands >= {"", *(part.category for part in parts)} and stands == kept.seen.keys():
        return dataset if run.build.is_fresh(files.findings, kept.findings_key) else None
    if kept.common is None:
        return None
    unchanged = {part.read.category for part in kept.parts if part.is_known and part.read.category in stands}
    return Former(common=kept.common, parts=parts, unchanged=unchanged, seen=kept.seen)


def keep_dataset(run: Run, dataset: Dataset, given: str) -> None:
    """Keep a dataset that was read, and whose tables are written."""
    read = {part.category for part in dataset.parts if part.is_read}
    apart = {part.category for part in dataset.parts}
    seen = {name: seen for name, seen in dataset.seen.items() if name in read or name not in apart}
    folders = [folder for each in seen.values() for folder in each.folders]
    if not given or not seen or not _is_text(*folders, *seen, str(dataset.root)):
        return
    kept = KeptDataset(
        given=given,
        root=str(dataset.root),
        seen=seen,
        common=dataset.common,
        parts=tuple(map(_kept, dataset.parts)),
        findings_key=records_key(dataset.findings),
        finding_classes=tuple(dataset.finding_classes),
    )
    run.ledger.datasets.save(run.files.benchmark, json.dumps(to_json(kept), ensure_ascii=False))


def _kept(part: ReadPart) -> KeptPart:
    is_known = len(part.findings) <= MANY and all(finding.kind not in OF_ALL for finding in part.findings)
    return KeptPart(read=part if is_known else replace(part, findings=()), is_known=is_known)


def _is_text(*paths: str) -> bool:
    """Whether paths are Unicode, as JSON needs."""
    try:
        "".join(paths).encode()
    except UnicodeEncodeError:
        return False
    return True
