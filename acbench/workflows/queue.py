"""Ranks what people should see, and writes the queue with an evidence picture for each image in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from acbench.data.images import ImageReader
from acbench.records import PEOPLE
from acbench.review import csv_queue
from acbench.review import queue as ranking
from acbench.review.queue import RankedItem
from acbench.storage import tables
from acbench.storage.atomic import write_bytes
from acbench.storage.digests import digest
from acbench.storage.project import BenchmarkFiles
from acbench.workflows.label import Labelled
from acbench.workflows.propose import VERSION
from acbench.workflows.run import Run

RANKING = f"{VERSION}, label_issue_score"
"""Part of the key of the ranking, which has had other columns."""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Which images people should see, and in what order. The ranking is read when it is needed."""

    labelled: Labelled
    files: BenchmarkFiles
    ranking_key: str
    """A hash of everything that decides the ranking."""

    @property
    def key(self) -> str:
        """A hash of everything that decides the queue."""
        return digest(VERSION, self.ranking_key, self.labelled.key)

    @cached_property
    def ranked(self) -> list[RankedItem]:
        """Every usable image, ranked."""
        return tables.read(self.files.ranked_items, RankedItem)

    @cached_property
    def waiting(self) -> list[RankedItem]:
        """The part of the ranking that people should see and have not decided."""
        from acbench.review import app_marks

        labels, reviews = self.labelled.labels, self.labelled.reviews
        undecided = [row for row in self.ranked if row.why != "settled" and labels[row.item_id].decided_by != PEOPLE]
        again = {item_id: review for item_id, review in app_marks.asked_again(reviews).items() if item_id in labels}
        return app_marks.flagged_first(undecided, self.ranked, again)


def rank(run: Run, labelled: Labelled) -> Queue:
    """Rank the images, unless that was done. Reviews play no part in it."""
    proposed, settings = labelled.proposed, run.settings
    key = digest(RANKING, proposed.keys, proposed.dataset.key, settings.audit, settings.seed, run.schema.digest)

    def write(path: Path) -> None:
        with run.console.stage("rank") as progress:
            ranked = ranking.rank(
                proposed.dataset.items,
                proposed.by_item,
                proposed.machine_labels,
                run.schema,
                audit=settings.audit,
                seed=settings.seed,
            )
            progress(1, 1)
        tables.write(path, ranked, RankedItem, key=lambda row: row.rank)

    run.build.ensure(run.files.ranked_items, key, write)
    return Queue(labelled=labelled, files=run.files, ranking_key=key)


def write_queue(run: Run, queue: Queue) -> None:
    """Write the queue and its pictures, unless they are there.

    A file that holds answers which are not taken in stays as it is.
    """
    _draw(run, queue)
    if unsaved := _unsaved_answers(run, queue):
        run.console.note(
            f"{run.files.queue} holds {unsaved:,} answers that are not taken in, so it stays as it is."
            f" Take them in: acbench relabel {run.schema.argument} --reviews {run.files.queue}"
        )
        return

    def write(path: Path) -> None:
        proposed = queue.labelled.proposed
        pictures = {row.item_id: f"evidence/{row.item_id}.jpg" for row in queue.waiting}
        table = csv_queue.queue_csv(
            queue.waiting, proposed.dataset.by_id, proposed.by_item, queue.labelled.labels, run.schema, pictures
        )
        write_bytes(path, table)

    run.build.ensure(run.files.queue, queue.key, write)


def _unsaved_answers(run: Run, queue: Queue) -> int:
    path = run.files.queue
    if not path.exists() or run.build.is_untouched(path):
        return 0
    known = queue.labelled.proposed.dataset.by_id
    return csv_queue.unsaved(path, known, run.schema, queue.labelled.reviews)


def _draw(run: Run, queue: Queue) -> None:
    from acbench.review import queue_pictures  # brings scipy along, which a run with nothing to draw does not need

    proposed = queue.labelled.proposed
    images = ImageReader(proposed.dataset.root)
    references = queue_pictures.references(proposed.dataset.items)
    with run.console.stage("draw evidence") as progress:
        for done, row in enumerate(queue.waiting, start=1):
            item = proposed.dataset.by_id[row.item_id]
            shown = queue_pictures.Shown(
                item, queue_pictures.beside(item, references), proposed.by_item.get(item.item_id, ()), row
            )
            run.build.ensure(
                run.files.evidence / f"{item.item_id}.jpg",
                digest(VERSION, shown.inputs()),
                partial(queue_pictures.write, shown, images),
            )
            progress(done, len(queue.waiting))
