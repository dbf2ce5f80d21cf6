"""From proposals and reviews to a label for every image."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from acbench.records import Item, Label, Review
from acbench.review import former
from acbench.review.crowdlab import LikelyClass
from acbench.review.former import LostClass
from acbench.review.history import by_item
from acbench.review.resolve import POLICY, MakeLikely, made_anew, resolve
from acbench.storage.atomic import write_bytes
from acbench.storage.build import Build, records_key, write_json
from acbench.storage.digests import digest
from acbench.storage.git_table import GitTable
from acbench.storage.part_table import PartTable
from acbench.storage.stored_rows import RowsById, StoredRows, is_large, some
from acbench.storage.typed_json import convert
from acbench.workflows.ingest import ingest
from acbench.workflows.kept_reviews import keep_copy, kept_reviews, note_rows_that_differ
from acbench.workflows.label_counts import LabelFigures, LabelTally
from acbench.workflows.label_files import REASONS, write_labels
from acbench.workflows.labels_meta import labels_meta
from acbench.workflows.propose import VERSION, Proposed, propose
from acbench.workflows.run import Run


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
    build: Build
    """Writes what follows from one category and is kept."""

    @cached_property
    def resolved(self) -> Mapping[str, Label]:
        """item_id → the label of each image of the dataset, as it follows now."""
        proposed = self.proposed
        return resolve(
            proposed.dataset.items,
            proposed.by_item,
            self.reviews_by_item,
            proposed.schema,
            proposed.machine_labels,
            self._keep_likely,
        )

    def _keep_likely(self, categories: Collection[str], make: MakeLikely) -> Iterable[LikelyClass]:
        """The likeliest classes: in a large benchmark they are found anew where a category has changed."""
        dataset, path = self.proposed.dataset, self.proposed.files.likely_classes
        if not categories or not is_large(dataset.items):
            return made_anew(categories, make)
        common = digest(VERSION, POLICY, self.proposed.schema.digest)
        keys = {
            name: digest(common, dataset.keys[name], self.proposed.key_of(name), self.reviews_keys[name])
            for name in categories
        }
        PartTable(path, LikelyClass).ensure(self.build, keys, make)
        return StoredRows(path, LikelyClass)

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
        return some(self.labels, self.looked_at.keys())

    @cached_property
    def looked_at(self) -> Mapping[str, Item]:
        """item_id → the image, for those about which people said something."""
        return some(self.proposed.dataset.by_id, {review.item_id for review in self.said})

    @cached_property
    def reviews(self) -> list[Review]:
        """What people decided, with classes as the schema calls them now: see `acbench.review.former`."""
        return former.all_as_read(self.said, self.looked_at, self.proposed.schema)

    @cached_property
    def reviews_keys(self) -> Mapping[str, str]:
        """Category → a hash of what people decided about its images; without categories of which they decided none."""
        said: defaultdict[str, list[Review]] = defaultdict(list)
        for review in self.reviews:
            if (item := self.looked_at.get(review.item_id)) is not None:
                said[item.category].append(review)
        return {category: records_key(own) for category, own in said.items()}

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
        build=run.build,
    )
    tally = LabelTally(run.schema)
    labelled.table.ensure(run.build, labelled.key, lambda: write_labels(run, labelled, tally))
    # Labels of images that are not at hand follow from no key: a merge may have brought some.
    key = digest(labelled.key, run.origin_key, labelled.table.made(run.build))
    run.build.ensure(run.files.labels_meta, key, lambda path: _write_meta(run, labelled, tally, path))
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


def _lost_classes(run: Run, labelled: Labelled) -> str:
    """What there is to tell of decisions whose classes are gone; kept, as finding it out takes all items."""

    def write(path: Path) -> None:
        write_bytes(path, former.in_words(labelled.lost_classes).encode())

    run.build.ensure(run.files.lost_classes, labelled.key, write)
    return run.files.lost_classes.read_text(encoding="utf-8")


def _write_meta(run: Run, labelled: Labelled, tally: LabelTally, path: Path) -> None:
    """`tally`: of the labels, if they have just been written."""
    figures = tally.figures
    if not figures.labels.all:
        figures = tally.of(labelled.table.rows).figures
    answers = labelled.proposed.answer_counts
    write_json(path, labels_meta(figures, answers, labelled.reviews, run.schema, run.origin).to_json())
