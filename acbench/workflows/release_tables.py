"""Writes the tables of a release, one after the other: rows are made once, and no more than a group is in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

from acbench.integrations.huggingface.datasets import DatasetsFormat
from acbench.records import Item, Review
from acbench.release.aside import RowsAside, set_aside
from acbench.release.card_facts import named_images
from acbench.release.columns import IMAGES
from acbench.release.entries import decode_row
from acbench.release.manifest import Manifest
from acbench.release.parquet import (
    batches_of,
    describe_shard,
    known_size,
    plan_shards,
    with_images,
    without_images,
    write_shard,
)
from acbench.release.pictures import Examples
from acbench.release.pseudonyms import anonymous, load_key, pseudonyms
from acbench.release.rows import Row, make_rows
from acbench.release.tally import Tally, kind_of
from acbench.review.history import by_item
from acbench.storage.digests import digest
from acbench.storage.roots import open_tree
from acbench.storage.stored_rows import at_places
from acbench.workflows import propose as asking
from acbench.workflows.label import Labelled
from acbench.workflows.publish_checks import check_space
from acbench.workflows.run import Run

VERSION = f"{asking.VERSION}, 2"
"""Part of every key: see `propose.VERSION`."""


def release_folder(run: Run) -> Path:
    """Where the release of a benchmark is built."""
    return run.files.workspace / "release"


def sha256_of(run: Run, path: Path) -> str:
    """The sha256 of a file that the ledger knows."""
    return run.ledger.artifacts.sha256(run.files.project.relative(path))


class ReleaseTables:
    """The tables of a release: written one after the other, and counted meanwhile."""

    def __init__(self, run: Run, labelled: Labelled, manifest: Manifest) -> None:
        self.tally = Tally(named_images(run.schema))
        """What is in them, once they have been written."""
        self.examples = Examples()
        """A close-up of each class, if the release holds the images."""
        self._run, self._labelled, self._manifest = run, labelled, manifest
        self._tree = open_tree(labelled.proposed.dataset.root)
        self._images = self._tree if manifest.images else None
        self._schema = DatasetsFormat().arrow_schema(
            manifest.categories, manifest.classes, images=manifest.images, boxes=manifest.boxes
        )

    def write(self) -> Manifest:
        """Write every parquet shard that is not there yet; gives the manifest with all of them."""
        run, items = self._run, self._labelled.proposed.dataset.items
        folder = release_folder(run)
        shards = plan_shards(items, self._manifest.categories, self._images)
        check_space(folder, shards)
        described = {}
        with run.console.stage("write tables") as progress:
            for done, shard in enumerate(sorted(shards, key=lambda shard: shard.path), start=1):
                path = folder / shard.path
                batches = batches_of(self._rows(at_places(items, shard.places)), self._schema)
                with set_aside(batches, without_images(self._schema), folder.parent) as rows:
                    key = digest(VERSION, self._schema.to_string(), str(self._schema.metadata), rows.digest)
                    run.build.ensure(path, key, partial(self._write, rows))
                described[shard.path] = describe_shard(path, sha256_of(run, path))
                progress(done, len(shards))
        return dataclasses.replace(self._manifest, files={shard.path: described[shard.path] for shard in shards})

    def _write(self, rows: RowsAside, path: Path) -> None:
        write_shard(path, rows, self._schema, self._images)

    def _rows(self, items: Iterable[Item]) -> Iterator[Row]:
        """The rows of some images, which are counted as they go by."""
        labelled = self._labelled
        by_item = labelled.proposed.by_item
        for row in make_rows(items, labelled.labels, by_item, self._reviews, self._run.schema, known_size(self._tree)):
            entry = decode_row(row, self._manifest)
            self.tally.add(entry, kind_of(entry, row["votes"]))
            if self._images and self.examples.wants(entry):
                cells, _ = with_images(row, self._images)
                self.examples.take(entry, *((cells[column] or {}).get("bytes") for column in IMAGES))
            yield row

    @cached_property
    def _reviews(self) -> Mapping[str, Sequence[Review]]:
        """What people decided, by item_id, with pseudonyms."""
        reviews = self._labelled.reviews
        names = {review.reviewer for review in reviews}
        key = load_key(self._run.files.workspace / "pseudonyms.key") if names else b""
        return by_item(anonymous(reviews, pseudonyms(names, key, self._manifest.version)))
