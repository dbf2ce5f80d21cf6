"""Keeps what a dataset was when it was read, so that a run on an unchanged one neither lists nor reads it again.

Only a folder that a source of acbench reads is kept so: how a source of another package decides may change unseen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from acbench import __version__
from acbench._util.lazy_rows import LazyRows
from acbench.data import hashing, sources
from acbench.data.findings import FindingClass
from acbench.data.ingest import Dataset, Naming
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

VERSION = f"{__version__}, {hashing.VERSION}, 2"
"""Raise the last number whenever the same files give other items or findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDataset:
    """A dataset as it was read, without its items and findings, which are in tables of their own."""

    given: str
    """A hash of what was asked for."""
    root: str
    folders: tuple[str, ...]
    state: str
    """These two are those of `Seen`."""
    images: int
    items_key: str
    findings_key: str
    finding_classes: tuple[FindingClass, ...]
    bits: Mapping[str, int]
    boxed: bool


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


def kept_dataset(run: Run, given: str) -> Dataset | None:
    """The dataset as it was read before, if all stands as it stood then. Rows are read when they are needed."""
    files = run.files
    text = run.ledger.datasets.load(files.benchmark) if given else ""
    if not text:
        return None
    try:
        kept = decode(text.encode(), KeptDataset, "the ledger")
    except StorageError:  # of another version: the dataset is read again
        return None
    if kept.given != given or folder_state(kept.folders).digest != kept.state:
        return None
    dataset = Dataset(
        root=Path(kept.root),
        items=StoredRows(files.items, Item, kept.images),
        findings=LazyRows(lambda: tables.read(files.findings, Finding)),
        finding_classes=list(kept.finding_classes),
        limit=run.settings.limit,
        bits=kept.bits,
        boxed=kept.boxed,
        items_key=kept.items_key,
    )
    tables_stand = run.build.is_fresh(files.items, dataset.key) and run.build.is_fresh(
        files.findings, kept.findings_key
    )
    return dataset if tables_stand else None


def keep_dataset(run: Run, dataset: Dataset, given: str) -> None:
    """Keep a dataset that was read, and whose tables are written."""
    seen = dataset.seen
    if not given or seen is None or not _is_text(*seen.folders, str(dataset.root)):
        return
    kept = KeptDataset(
        given=given,
        root=str(dataset.root),
        folders=seen.folders,
        state=seen.state,
        images=len(dataset.items),
        items_key=dataset.key_of_items,
        findings_key=records_key(dataset.findings),
        finding_classes=tuple(dataset.finding_classes),
        bits=dataset.bits,
        boxed=dataset.boxed,
    )
    run.ledger.datasets.save(run.files.benchmark, json.dumps(to_json(kept), ensure_ascii=False))


def _is_text(*paths: str) -> bool:
    """Whether paths are Unicode, as JSON needs."""
    try:
        "".join(paths).encode()
    except UnicodeEncodeError:
        return False
    return True
