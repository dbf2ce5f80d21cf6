"""Reads a dataset, and writes the tables of its items and findings."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from acbench.data import ingest as reading
from acbench.data import sources
from acbench.data.hashing import FileHasher
from acbench.data.ingest import Dataset, Former, Naming, Write
from acbench.data.item_table import ItemTable
from acbench.data.linked import copy_with_masks
from acbench.errors import AcbenchError, SourceError
from acbench.records import Finding, Item
from acbench.schema import Schema
from acbench.schema.class_names import fold
from acbench.storage import tables
from acbench.storage.build import records_key
from acbench.storage.files import FileTree
from acbench.storage.roots import Root, parse_root
from acbench.storage.stored_rows import StoredRows
from acbench.storage.urls import Url
from acbench.workflows.copied import copy_folder, readable_root
from acbench.workflows.kept_dataset import given, keep_dataset, kept_dataset
from acbench.workflows.origin import naming
from acbench.workflows.run import Run

SHOWN = 5
"""How many categories an error names."""


def ingest(run: Run) -> Dataset:
    """The dataset as it is on disk now. A shard writes no tables, since it knows only a part of the facts."""
    root = dataset_root(run)
    names = naming(run.source, run.schema, run.files)
    asked = given(run, root, names)
    kept = kept_dataset(run, asked)
    if isinstance(kept, Dataset):
        return kept
    if run.shard is not None:
        return _read(run, root, names)
    with ItemTable(run.files.items) as table:
        dataset = _read(run, root, names, table.write, kept)
        run.build.ensure(run.files.items, dataset.key, table.move)
    run.build.ensure(run.files.findings, records_key(dataset.findings), lambda path: _write_findings(path, dataset))
    keep_dataset(run, dataset, asked)
    return replace(dataset, items=StoredRows(run.files.items, Item, len(dataset.items)))


def _read(
    run: Run, root: Root, names: Naming, write: Write = reading.in_memory, former: Former | None = None
) -> Dataset:
    engine = run.distributed.engine if run.distributed else None
    with run.console.stage("read images") as progress:
        dataset = reading.ingest(
            run.source,
            root,
            categories=folders_to_read(run),
            limit=run.settings.limit,
            naming=names,
            hasher=FileHasher(cache=run.ledger.file_facts, progress=progress, engine=engine),
            write=write,
            former=former,
        )
    check_categories(dataset, run.schema, run.source.title)
    return dataset


def folders_to_read(run: Run) -> list[str]:
    """The categories to read, as the dataset calls them; none for all."""
    known = run.schema.categories
    return [known[key].folder or key if key in known else key for key in run.settings.categories]


def check_categories(dataset: Dataset, schema: Schema, title: str) -> None:
    """Raise SourceError if there is no image at all, or none of a category of the schema."""
    if not dataset.items:
        if dataset.limit is None:
            raise SourceError(f"there is no image of {title} in {dataset.root}", "acbench ingest FOLDER  looks what is")
        return
    if schema.categories.keys() & dataset.image_counts:
        return
    here, known = sorted(dataset.image_counts), sorted(schema.categories)
    said = f"none of the {len(dataset.items):,} images in {dataset.root} is of a category of {schema.benchmark}"
    by_fold = {fold(name): name for name in known}
    pairs = [(name, by_fold[like[0]]) for name in here if (like := get_close_matches(fold(name), by_fold, 1))]
    if pairs:
        meant = " and ".join(f"{found!r} by {wanted!r}" for found, wanted in pairs[:SHOWN])
        hint = f"did you mean {meant}? The schema's category has to be spelt as the folder"
    elif len(known) == 1 and "category" in sources.get(schema.source).options:
        hint = f"if all of them are {known[0]}: --reading category={known[0]}"
    else:
        hint = "the names of the schema's categories have to be those on disk"
    on_disk = ", ".join(here[:SHOWN]) + (" …" if len(here) > SHOWN else "")
    raise SourceError(f"{said}: on disk are {on_disk}; the schema has {', '.join(known[:SHOWN])}", hint)


def dataset_root(run: Run) -> Root:
    """Where the dataset lies; a source that makes its own images makes them now.

    Raises AcbenchError if no command has said where it lies.
    """
    if run.settings.root is not None:
        root = readable_root(run.source, parse_root(run.settings.root), run.files.project.copies, run.console)
        return _with_masks(run, root)
    if run.source.render is None:
        raise AcbenchError(
            f"where is {run.origin.title}?",
            f"acbench relabel {run.schema.argument} --root FOLDER   ({run.source.home})",
        )
    with run.console.stage("render the sample") as progress:
        return run.source.render(run.files.workspace / "images", progress=progress)


def _with_masks(run: Run, root: Root) -> Root:
    """The root itself, or a copy with the masks that its annotations describe; of a URL none is made."""
    if run.source.masks is None or isinstance(root, Url) or not root.is_dir():
        return root
    tree = FileTree(root)
    drawings = run.source.masks(tree)
    if not drawings:
        return root
    with run.console.stage("draw masks") as progress:
        folder = copy_folder(run.files.project.copies, tree.root, root.resolve().name)
        return copy_with_masks(tree, drawings, folder, progress=progress)


def _write_findings(path: Path, dataset: Dataset) -> None:
    tables.write(path, dataset.findings, Finding, key=lambda finding: (finding.path, finding.kind, finding.detail))
