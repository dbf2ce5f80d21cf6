"""From proposals and reviews to a label for every image."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from acbench.records import Label, Proposal, Review
from acbench.review import resolve as resolving
from acbench.review.queue import by_item
from acbench.storage import tables
from acbench.storage.atomic import write_bytes
from acbench.storage.build import records_key, write_json
from acbench.storage.digests import digest
from acbench.storage.project import BenchmarkFiles
from acbench.workflows.ingest import ingest
from acbench.workflows.propose import VERSION, Proposed, propose
from acbench.workflows.run import Run


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What was proposed, what people decided, and the labels that follow. Tables are read when they are needed."""

    proposed: Proposed
    reviews: list[Review]
    files: BenchmarkFiles
    key: str
    """A hash of everything that decides the labels."""

    @cached_property
    def labels(self) -> dict[str, Label]:
        """item_id → the label of each image of the dataset."""
        known = self.proposed.dataset.by_id
        return {label.item_id: label for label in tables.read(self.files.labels, Label) if label.item_id in known}


def prepare(run: Run) -> Proposed:
    """Read the dataset and ask the proposers: all that comes before people's decisions."""
    return propose(run, ingest(run))


def read_reviews(run: Run) -> list[Review]:
    """What people have decided so far."""
    return tables.read(run.files.reviews, Review)


def keep_reviews(run: Run, reviews: list[Review], before: list[Review]) -> None:
    """Write the reviews that there are, if any were added to those `before`."""
    if len(reviews) > len(before):
        _write_reviews(run, reviews)


def label(run: Run, proposed: Proposed) -> Labelled:
    """Write the labels, and what there is to say about them."""
    reviews = read_reviews(run)
    key = digest(
        VERSION, resolving.POLICY, proposed.keys, proposed.dataset.key, records_key(reviews), run.schema.digest
    )
    labelled = Labelled(proposed=proposed, reviews=reviews, files=run.files, key=key)
    run.build.ensure(run.files.labels, key, lambda path: _write_labels(run, labelled, path))
    run.build.ensure(run.files.labels_meta, key, lambda path: _write_meta(run, labelled, path))
    if not run.files.reviews.exists():
        _write_reviews(run, [])
    return labelled


def _write_reviews(run: Run, reviews: Iterable[Review]) -> None:
    tables.write(run.files.reviews, reviews, Review, key=lambda one: (one.item_id, one.reviewer, one.round))
    run.build.written.append(run.files.project.relative(run.files.reviews))


def _write_labels(run: Run, labelled: Labelled, path: Path) -> None:
    from acbench.review.crowdlab import resolved

    proposed = labelled.proposed
    items = proposed.dataset.items
    with run.console.stage("resolve") as progress:
        labels = resolved(items, proposed.by_item, by_item(labelled.reviews), run.schema, proposed.machine_labels)
        progress(1, 1)
    # Labels of images that this folder does not hold stay: a part of a dataset says nothing about the rest.
    before = tables.read(path, Label)
    others = [one for one in before if one.item_id not in proposed.dataset.by_id]
    if others:
        run.console.note(f"{len(others):,} labels of images that are not in this folder stay as they were")
    after = sorted([*labels, *others], key=lambda one: one.image)
    if before not in ([], after):  # a run that was killed may have written them just before
        _save_hand_edits(run, path)
    tables.write(path, after, Label, key=lambda one: one.image)


def _save_hand_edits(run: Run, path: Path) -> None:
    if run.build.is_untouched(path):
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
    from acbench.workflows import summary

    by_name: defaultdict[str, list[Proposal]] = defaultdict(list)
    for proposals in labelled.proposed.by_item.values():
        for proposal in proposals:
            by_name[proposal.proposer].append(proposal)
    labels = tables.read(run.files.labels, Label)
    write_json(path, summary.meta(labels, by_name, labelled.reviews, run.schema, run.source))
