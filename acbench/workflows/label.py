"""From proposals and reviews to a label for every image."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from acbench.records import Item, Label, Review
from acbench.review import former
from acbench.review.former import LostClass
from acbench.review.history import by_item
from acbench.review.resolve import POLICY, resolve
from acbench.storage.atomic import write_bytes
from acbench.storage.build import records_key, write_json
from acbench.storage.digests import digest
from acbench.storage.git_table import GitTable, part_name
from acbench.storage.stored_rows import RowsById, grouped, some
from acbench.storage.typed_json import convert
from acbench.workflows.ingest import ingest
from acbench.workflows.kept_reviews import keep_copy, kept_reviews, note_rows_that_differ
from acbench.workflows.label_counts import LabelFigures, LabelTally
from acbench.workflows.labels_meta import labels_meta
from acbench.workflows.propose import VERSION, Proposed, propose
from acbench.workflows.run import Run

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
    def resolved(self) -> Mapping[str, Label]:
        """item_id → the label of each image of the dataset, as it follows now."""
        proposed = self.proposed
        return resolve(
            proposed.dataset.items, proposed.by_item, self.reviews_by_item, proposed.schema, proposed.machine_labels
        )

    @cached_property
    def labels(self) -> Mapping[str, Label]:
        """The same, read from the table where it is small."""
        known = self.proposed.dataset.by_id
        if "resolved" in vars(self) or isinstance(known, RowsById):
            return self.resolved
        return {label.item_id: label for label in self.table.rows if label.item_id in known}

    @cached_property
    def decided(self) -> Mapping[str, Label]:
        """The labels of images about which people said something."""
        return {item_id: self.labels[item_id] for item_id in self.looked_at}

    @cached_property
    def looked_at(self) -> Mapping[str, Item]:
        """item_id → the image, for those about which people said something."""
        return some(self.proposed.dataset.by_id, {review.item_id for review in self.said})

    @cached_property
    def reviews(self) -> list[Review]:
        """What people decided, with classes as the schema calls them now: see `acbench.review.former`."""
        return former.all_as_read(self.said, self.looked_at, self.proposed.schema)

    @cached_property
    def lost_classes(self) -> list[LostClass]:
        """The decisions that name classes which the schema no longer has."""
        return former.lost_classes(self.reviews, self.looked_at, self.proposed.schema)

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
    tally = LabelTally(run.schema)
    labelled.table.ensure(run.build, labelled.key, lambda: _write_labels(run, labelled, tally))
    run.build.ensure(
        run.files.labels_meta, labelled.key + run.origin_key, lambda path: _write_meta(run, labelled, tally, path)
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


def figures_of(run: Run, labelled: Labelled) -> LabelFigures:
    """What the labels come to, of images that the dataset holds."""
    kept = json.loads(run.files.labels_meta.read_bytes())
    own = {name: kept[name] for name in LabelFigures.__slots__}
    figures = convert(own, LabelFigures, str(run.files.labels_meta))
    if figures.labels.all == len(labelled.proposed.dataset.items):  # then there are no labels of other images
        return figures
    return LabelTally(run.schema).of(labelled.labels.values()).figures


def write_reviews(run: Run, reviews: Iterable[Review]) -> None:
    """Write all reviews of the benchmark."""
    run.build.written += map(run.files.project.relative, run.reviews.write(reviews))


def _write_labels(run: Run, labelled: Labelled, tally: LabelTally) -> list[Path]:
    """Write the labels, and count them; gives the files that have changed."""
    table, labels = labelled.table, labelled.resolved
    with run.console.stage("resolve") as progress:
        # Labels of images that this folder does not hold stay: a part of a dataset says nothing about the rest.
        others = table.one_of_each(
            label for path in table.paths for label in table.each_of(path) if label.item_id not in labels
        )
        if others:
            run.console.note(f"{len(others):,} labels of images that are not in this folder stay as they were")
        for path in table.paths:
            if not run.build.is_untouched(path):
                _save_hand_edits(run, table, path, labels)
        changed = table.write_parts(_by_file(labelled, others, tally))
        progress(1, 1)
    return changed


def _by_file(labelled: Labelled, others: Iterable[Label], tally: LabelTally) -> Iterator[tuple[Path, Iterable[Label]]]:
    """The labels, and `others`, by the file of their category, in the order of the file. Each is counted."""
    table, labels = labelled.table, labelled.resolved
    items = grouped(labelled.proposed.dataset.items, "item_id", part_name)
    beside: defaultdict[str, list[Label]] = defaultdict(list)
    for label in others:
        beside[part_name(label.item_id)].append(label)
    for name in sorted({*items, *beside}):
        own = (labels[item.item_id] for item in items.get(name, ()))
        rows = heapq.merge(own, sorted(beside[name], key=table.order), key=table.order)
        yield table.part_called(name), _counted(rows, tally)


def _counted(labels: Iterable[Label], tally: LabelTally) -> Iterator[Label]:
    for label in labels:
        tally.add(label)
        yield label


def _lost_classes(run: Run, labelled: Labelled) -> str:
    """What there is to tell of decisions whose classes are gone; kept, as finding it out takes all items."""

    def write(path: Path) -> None:
        write_bytes(path, former.in_words(labelled.lost_classes).encode())

    run.build.ensure(run.files.lost_classes, labelled.key, write)
    return run.files.lost_classes.read_text(encoding="utf-8")


def _save_hand_edits(run: Run, table: GitTable[Label], path: Path, labels: Mapping[str, Label]) -> None:
    if all(labels.get(row.item_id, row) == row for row in table.each_of(path)):
        return  # a run that was killed may have written them just before
    name = run.files.project.relative(path)
    data = path.read_bytes()
    copy = run.files.workspace / f"labels-before-{hashlib.sha256(data).hexdigest()[:8]}.jsonl"
    write_bytes(copy, data)
    run.console.note(
        f"{name} is not as the last run here left it; a copy is in {run.files.project.relative(copy)}."
        " To decide a label, give a review: edits of this file are not kept"
    )


def _write_meta(run: Run, labelled: Labelled, tally: LabelTally, path: Path) -> None:
    """`tally`: of the labels, if they have just been written."""
    figures = tally.figures
    if not figures.labels.all:
        figures = tally.of(labelled.table.rows).figures
    answers = labelled.proposed.answer_counts
    write_json(path, labels_meta(figures, answers, labelled.reviews, run.schema, run.origin).to_json())
