"""Loads the truth to score against: from the labels of a project, from the bundled edition, or from a release."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from acbench import schema as schemas
from acbench.data import sources
from acbench.errors import AcbenchError, ReleaseError
from acbench.evaluation.truth import (
    NothingToScore,
    OtherItems,
    Part,
    Truth,
    TruthOptions,
    TruthRow,
    check_aliases,
    check_categories,
    truth_of_labels,
    truth_of_rows,
)
from acbench.integrations.huggingface.remote import deprecation
from acbench.records import Item, Label, LabelStatus
from acbench.release.entries import ReleaseEntry, ReleaseReader, read_entries, read_manifest
from acbench.release.manifest import Manifest
from acbench.release.schema_file import released_schema
from acbench.schema import Schema
from acbench.storage import bundled as editions
from acbench.storage.git_table import GitTable, Moved
from acbench.storage.project import BenchmarkFiles, labels_in
from acbench.storage.stored_rows import StoredRows
from acbench.storage.texts import Texts
from acbench.workflows import settings as kept_settings

TEST = "test"
"""The split that is scored."""


@dataclass(frozen=True, slots=True)
class LabelSource:
    """Labels of a benchmark."""

    labels: GitTable[Label]
    description: str
    """Where they come from, for people."""
    is_tested: Callable[[str], bool]
    """Whether an image, by its path, is in the split that is scored."""
    edition: GitTable[Label] | None = None
    """The labels of the bundled edition, if these are not the same: if it has more images, these are a part."""

    def truth(self, schema: Schema, options: TruthOptions) -> Truth:
        """Make the truth from the labels of the test split."""
        truth = replace(self._truth(self.labels, schema, options), description=self.description)
        check_aliases(options.aliases, truth)
        everything = TruthOptions(view=options.view)
        size = len(self._truth(self.labels, schema, everything).targets) if options.categories else len(truth.targets)
        with suppress(AcbenchError):  # a schema of one's own, of the same name, may not know the edition's classes
            size = max(size, len(self._truth(self.edition, schema, everything).targets) if self.edition else 0)
        return truth if size == len(truth.targets) else replace(truth, part=Part(len(truth.targets), size))

    def _truth(self, labels: GitTable[Label], schema: Schema, options: TruthOptions) -> Truth:
        def scored(label: Label) -> bool:
            return self.is_tested(label.image)

        if labels.parts:
            with suppress(Moved):
                return truth_of_labels(labels.each(), schema, options, scored=scored)
        return truth_of_labels(labels.rows, schema, options, scored=scored)


def project_labels(bench: BenchmarkFiles, schema: Schema) -> LabelSource:
    """Find the project's own labels or, without any, the bundled edition's. Raises AcbenchError if there are none."""
    edition = labels_in(Path(str(editions.edition_folder(bench.benchmark))))
    if bench.labels.parts or bench.labels.rows:
        return LabelSource(bench.labels, f"the labels in {bench.labels.place}", _is_tested(bench, schema), edition)
    if not edition.rows:
        empty = f": {bench.labels.place} holds none" if bench.labels.exists() else ""
        raise AcbenchError(f"there are no labels of {schema.benchmark}{empty}", f"acbench relabel {schema.argument}")
    description = f"the edition of {schema.title} that comes with acbench"
    return LabelSource(edition, description, _is_tested(bench, schema))


def _is_tested(bench: BenchmarkFiles, schema: Schema) -> Callable[[str], bool]:
    by_path = _source(bench, schema).split_of
    if by_path is not None:
        return lambda image: by_path(image) == TEST
    images, tested = Texts(), bytearray()
    if os.path.lexists(bench.items):
        items = StoredRows(bench.items, Item)
        for chunk in items.column("image").chunks:
            images.extend(chunk.to_pylist())
        for chunk in items.column("split").chunks:
            tested += bytes(split == TEST for split in chunk.to_pylist())

    def is_tested(image: str) -> bool:
        number = next(images.find(image), None)
        if number is None:
            raise AcbenchError(f"which split is {image} in?", f"acbench ingest {schema.argument} --root FOLDER")
        return bool(tested[number])

    return is_tested


def _source(bench: BenchmarkFiles, schema: Schema) -> sources.Source:
    kept = kept_settings.read(bench.settings)
    return sources.get(schema.source, {**schema.reading, **(kept.reading if kept else {})})


_GIVE_ANOTHER = "give another release, --truth, or other categories of this one, --category"


def release_truth(release: ReleaseReader, schema: Schema | None, options: TruthOptions) -> Truth:
    """Make the truth from the test split of a release.

    `schema`: None for the very schema that the labels were made with: the bundled one, or that of the release. Releases
    of format 2 hold none: the classes are then those of the `label` column, and their aliases are unknown.

    A deprecated release is scored against all the same, and its description says so.

    Raises ReleaseError or HubError if the release cannot be read, AcbenchError if the view needs the schema, and
    NothingToScore.
    """
    manifest = read_manifest(release)
    description = f"{manifest.title} {manifest.version}, {release.name}"
    if told := deprecation(release, manifest):
        description += f". {told}"
    schema = schema or bundled_schema(manifest) or released_schema(release, manifest)
    return truth_of_entries(manifest, read_entries(release, manifest).values(), schema, options, description)


def truth_of_entries(
    manifest: Manifest, entries: Collection[ReleaseEntry], schema: Schema | None, options: TruthOptions,
    description: str = "",
) -> Truth:  # fmt: skip
    """Make the truth from the labels of a release that has been read: see `release_truth`."""
    entries = [_checked_entry(entry) for entry in entries]
    if schema is None:
        if options.view != "published":
            raise AcbenchError(f"{description}: sets of classes need the schema", "acbench score SCHEMA.yaml --truth …")
        description += ", without its schema: class ids alone are known"
        return replace(_truth_without_schema(entries, manifest, options), description=description)
    if schema.benchmark != manifest.benchmark:
        raise AcbenchError(
            f"{description} is a release of {manifest.benchmark}, not of {schema.benchmark}", "give its schema"
        )
    tested = {entry.item_id for entry in entries if entry.split == TEST}
    try:
        labels = (_label(entry, manifest) for entry in entries)
        truth = truth_of_labels(labels, schema, options, scored=lambda label: label.item_id in tested)
    except NothingToScore as error:
        raise NothingToScore(error.message, _GIVE_ANOTHER) from None
    check_aliases(options.aliases, truth)
    return replace(truth, description=description)


def bundled_schema(manifest: Manifest) -> Schema | None:
    """The bundled schema of a release, if its labels were made with it."""
    schema = schemas.load(manifest.benchmark) if manifest.benchmark in schemas.names() else None
    return schema if schema is not None and schema.digest == manifest.schema_digest else None


def _truth_without_schema(entries: Collection[ReleaseEntry], manifest: Manifest, options: TruthOptions) -> Truth:
    categories = options.categories
    check_categories(categories, {entry.category for entry in entries})
    rows: list[TruthRow] = []
    why_not: dict[str, str] = {}
    for entry in entries:
        if entry.split == TEST and entry.status == "accepted" and entry.label is not None:
            rows.append(TruthRow(entry.image, entry.item_id, entry.category, entry.label))
        elif not categories or entry.category in categories:
            why_not[entry.item_id] = _why_not(entry)
    if not any(not categories or row.category in categories for row in rows):
        raise NothingToScore(f"no item of {manifest.benchmark} has an accepted label", _GIVE_ANOTHER)
    others = OtherItems(why_not=why_not, images={entry.item_id: entry.image for entry in entries})
    return truth_of_rows(manifest.benchmark, rows, options, others)


def _why_not(entry: ReleaseEntry) -> str:
    """Why an item is not scored."""
    if entry.split != TEST:
        return "of the training split"
    return entry.status if entry.status != "accepted" else "outside the published view"


def _checked_entry(entry: ReleaseEntry) -> ReleaseEntry:
    """Raises ReleaseError for an unknown status."""
    if entry.status not in get_args(LabelStatus):
        raise ReleaseError(
            f"{entry.item_id!a:.80}: there is no status {entry.status!a:.80}", "acbench verify tells what is wrong"
        )
    return entry


def _label(entry: ReleaseEntry, manifest: Manifest) -> Label:
    return Label(
        item_id=entry.item_id,
        image=entry.image,
        labels=entry.labels,
        status=cast(LabelStatus, entry.status),
        decided_by=entry.decided_by,
        policy=manifest.policy,
        agreement=entry.agreement,
        confidence=None,
        reason=entry.reason,
        licence=manifest.licence,
        schema_version=manifest.schema_version,
    )
