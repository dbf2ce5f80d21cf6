"""From proposals and reviews to a label for every image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from acbench.records import Label, Review
from acbench.review import former
from acbench.review.former import LostClass
from acbench.review.history import by_item
from acbench.review.resolve import POLICY, resolve
from acbench.storage.atomic import write_bytes
from acbench.storage.build import records_key, write_json
from acbench.storage.digests import digest
from acbench.storage.git_table import GitTable
from acbench.storage.typed_json import convert
from acbench.workflows.ingest import ingest
from acbench.workflows.kept_reviews import keep_copy, kept_reviews, note_rows_that_differ
from acbench.workflows.labels_meta import labels_meta
from acbench.workflows.propose import VERSION, Proposed, propose
from acbench.workflows.run import Run
from acbench.workflows.summary import LabelCounts, count_labels

REASONS = "in plain words"
"""Part of the key of the labels, whose reasons have had other words."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What was proposed, what people decided, and the labels that follow. Labels are read when they are needed."""

    proposed: Proposed
    said: Sequence[Review]
    """What people decided, as they said it."""
    table: GitTable[Label]
    """The labels of the benchmark, also those of images that the dataset does not hold now."""
    reviews_key: str
    """A hash of the reviews as they are kept."""
    key: str
    """A hash of everything that decides the labels."""

    @cached_property
    def labels(self) -> dict[str, Label]:
        """item_id → the label of each image of the dataset."""
        known = self.proposed.dataset.by_id
        return {label.item_id: label for label in self.table.rows if label.item_id in known}

    @cached_property
    def reviews(self) -> list[Review]:
        """What people decided, with classes as the schema calls them now: see `acbench.review.former`."""
        return former.all_as_read(self.said, self.proposed.dataset.by_id, self.proposed.schema)

    @cached_property
    def lost_classes(self) -> list[LostClass]:
        """The decisions that name classes which the schema no longer has."""
        return former.lost_classes(self.reviews, self.proposed.dataset.by_id, self.proposed.schema)

    @cached_property
    def reviews_by_item(self) -> dict[str, list[Review]]:
        """item_id → what people decided about it, also of images that the dataset does not hold now."""
        return by_item(self.reviews)


def prepare(run: Run) -> Proposed:
    """Read the dataset and ask the proposers: all that comes before people's decisions.

    Raises ReviewError if decisions that were known are gone: proposers learn from them, and some cost money.
    """
    kept_reviews(run)
    return propose(run, ingest(run))


def label(run: Run, proposed: Proposed) -> Labelled:
    """Write the labels and their summary, unless they are there."""
    reviews = kept_reviews(run)
    note_rows_that_differ(run, reviews)
    reviews_key = records_key(reviews)
    labelled = Labelled(
        proposed=proposed,
        said=reviews,
        table=run.files.labels,
        reviews_key=reviews_key,
        key=digest(VERSION, POLICY, REASONS, proposed.keys, proposed.dataset.key, reviews_key, run.schema.digest),
    )
    labelled.table.ensure(run.build, labelled.key, lambda: _write_labels(run, labelled))
    run.build.ensure(
        run.files.labels_meta, labelled.key + run.origin_key, lambda path: _write_meta(run, labelled, path)
    )
    if not run.reviews.exists():
        write_reviews(run, [])
    elif run.reviews.is_mixed:
        write_reviews(run, reviews)
        where = run.files.project.relative(run.reviews.place)
        run.console.note(
            "decisions lay in one file and in files of categories, as merges leave them: all"
            f" {len(reviews):,} are kept, and are in {where}"
        )
    keep_copy(run)
    if told := _lost_classes(run, labelled):
        run.console.note(f"{told}; they stand as they were said, and their images are first in the queue")
    return labelled


def counts_of(run: Run, labelled: Labelled) -> LabelCounts:
    """How many labels there are of each status, of images that the dataset holds."""
    kept = convert(json.loads(run.files.labels_meta.read_bytes())["labels"], LabelCounts, str(run.files.labels_meta))
    if kept.all == len(labelled.proposed.dataset.items):  # then there are no labels of other images
        return kept
    return count_labels(labelled.labels.values())


def write_reviews(run: Run, reviews: Iterable[Review]) -> None:
    """Write all reviews of the benchmark."""
    run.build.written += map(run.files.project.relative, run.reviews.write(reviews))


def _write_labels(run: Run, labelled: Labelled) -> list[Path]:
    """Write the labels; gives the files that have changed."""
    proposed, table = labelled.proposed, labelled.table
    with run.console.stage("resolve") as progress:
        labels = resolve(
            proposed.dataset.items, proposed.by_item, labelled.reviews_by_item, run.schema, proposed.machine_labels
        )
        progress(1, 1)
    # Labels of images that this folder does not hold stay: a part of a dataset says nothing about the rest.
    others = table.one_of_each(label for label in table.read_all() if label.item_id not in proposed.dataset.by_id)
    if others:
        run.console.note(f"{len(others):,} labels of images that are not in this folder stay as they were")
    after = {label.item_id: label for label in (*labels.values(), *others)}
    for path in table.paths:
        if not run.build.is_untouched(path):
            _save_hand_edits(run, path, table.read_file(path), after)
    return table.write(after.values())


def _lost_classes(run: Run, labelled: Labelled) -> str:
    """What there is to tell of decisions whose classes are gone; kept, as finding it out takes all items."""

    def write(path: Path) -> None:
        write_bytes(path, former.in_words(labelled.lost_classes).encode())

    run.build.ensure(run.files.lost_classes, labelled.key, write)
    return run.files.lost_classes.read_text(encoding="utf-8")


def _save_hand_edits(run: Run, path: Path, rows: Iterable[Label], after: Mapping[str, Label]) -> None:
    if all(row == after.get(row.item_id) for row in rows):  # a run that was killed may have written them just before
        return
    name = run.files.project.relative(path)
    data = path.read_bytes()
    copy = run.files.workspace / f"labels-before-{hashlib.sha256(data).hexdigest()[:8]}.jsonl"
    write_bytes(copy, data)
    run.console.note(
        f"{name} is not as the last run here left it; a copy is in {run.files.project.relative(copy)}."
        " To decide a label, give a review: edits of this file are not kept"
    )


def _write_meta(run: Run, labelled: Labelled, path: Path) -> None:
    meta = labels_meta(labelled.table.rows, labelled.proposed.by_item, labelled.reviews, run.schema, run.origin)
    write_json(path, meta.to_json())
