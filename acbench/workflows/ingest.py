"""Reads a dataset, and keeps its items and findings."""

from __future__ import annotations

from pathlib import Path

from acbench.data import ingest as reading
from acbench.data.ingest import Dataset
from acbench.errors import AcbenchError
from acbench.records import Finding, Item
from acbench.storage import tables
from acbench.storage.build import records_key
from acbench.storage.roots import Root, parse_root
from acbench.workflows.run import Run


def ingest(run: Run) -> Dataset:
    """The dataset as it is on disk now. A shard keeps no table, since it knows a part of the facts alone."""
    root = dataset_root(run)
    with run.console.stage("read images") as progress:
        dataset = reading.ingest(
            run.source,
            root,
            categories=run.settings.categories or None,
            limit=run.settings.limit,
            cache=run.ledger.file_facts,
            progress=progress,
            engine=run.distributed.engine if run.distributed else None,
        )
    if run.shard is not None:
        return dataset

    def write_items(path: Path) -> None:
        tables.write(path, dataset.items, Item, key=lambda item: item.image)

    def write_findings(path: Path) -> None:
        tables.write(path, dataset.findings, Finding, key=lambda one: (one.path, one.kind, one.detail))

    run.build.ensure(run.files.items, dataset.key, write_items)
    run.build.ensure(run.files.findings, records_key(dataset.findings), write_findings)
    return dataset


def dataset_root(run: Run) -> Root:
    """Where the dataset lies; a source that makes its own makes it. Raises AcbenchError if nobody has said where."""
    if run.settings.root is not None:
        return parse_root(run.settings.root)
    render = getattr(run.source, "render", None)
    if render is None:
        raise AcbenchError(
            f"where is {run.source.TITLE}?",
            f"acbench relabel {run.schema.argument} --root FOLDER   ({run.source.HOME})",
        )
    with run.console.stage("render the sample") as progress:
        root: Path = render(run.files.workspace / "images", progress=progress)
    return root
