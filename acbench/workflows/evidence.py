"""Draws the evidence pictures of the review queue: of what is looked at next, and of more when somebody asks."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from acbench.review.queue import RankedItem
from acbench.storage.build import Wanted
from acbench.storage.digests import digest
from acbench.storage.project import BenchmarkFiles
from acbench.storage.stored_rows import some
from acbench.workflows.propose import VERSION, Proposed
from acbench.workflows.run import Run

if TYPE_CHECKING:
    from acbench.review.queue_pictures import References

SOON = 500
"""Pictures that are drawn before anybody asks, those of the first images: at ten seconds an image a person looks at
them for more than an hour. A queue that is not longer has all its pictures."""


def draw_queue(run: Run, proposed: Proposed, waiting: Sequence[RankedItem], *, every: bool) -> None:
    """Draw the pictures of the first SOON images of the queue, or of `every` image, in threads.

    Pictures that somebody asked for before are kept up to date.
    """
    from acbench.review import queue_pictures  # needs scipy, which a run with nothing to draw does without

    there = drawn(run.files)
    rows = [row for place, row in enumerate(waiting) if every or place < SOON or picture_name(row.item_id) in there]
    references = queue_pictures.References(proposed.dataset.items if rows else ())
    with run.console.stage("draw evidence") as progress:
        run.build.ensure_all(_pictures(proposed, rows, references), len(rows), progress)
    if len(rows) < len(waiting):
        run.console.note(
            f"{len(rows):,} of the queue's {len(waiting):,} images have a picture, the first ones;"
            f" to draw all: acbench review queue {run.schema.argument}"
        )


def draw_evidence(run: Run, proposed: Proposed, row: RankedItem, references: References) -> Path:
    """The evidence picture of one image, drawn unless it is there."""
    (picture,) = _pictures(proposed, [row], references)
    run.build.ensure(picture.path, picture.key, picture.write)
    return picture.path


def drawn(files: BenchmarkFiles) -> set[str]:
    """File names of the pictures that are there."""
    return {path.name for path in files.evidence.glob("*.jpg")}


def soon(pictures: Sequence[str]) -> Sequence[str]:
    """Those of the queue's pictures, in its order, that are drawn before anybody asks."""
    return pictures[:SOON]


def picture_name(item_id: str) -> str:
    """File name of an image's picture."""
    return f"{item_id}.jpg"


def undrawn(benchmark: str, waiting: Sequence[RankedItem], there: set[str]) -> dict[str, str]:
    """item_id → what the queue's CSV file says in place of a picture that is not `there`.

    The command is that for the project's own folder, so that the file does not depend on where the run was started.
    """
    told = f"not drawn yet: acbench review queue {shlex.quote(benchmark)}"
    return {row.item_id: told for row in waiting if picture_name(row.item_id) not in there}


def csv_key(queue_key: str, pictures: Sequence[str], there: set[str]) -> str:
    """A hash of everything that decides the queue's CSV file, which says which of its pictures are `there`."""
    missing = [name for name in pictures if name not in there]
    return digest(queue_key, "undrawn", missing) if missing else queue_key


def _pictures(proposed: Proposed, rows: Sequence[RankedItem], references: References) -> Iterator[Wanted]:
    """The evidence pictures of some images, as files that are wanted."""
    from acbench.review import queue_pictures

    images = proposed.dataset.images
    normal_image = references.image(images)
    ids = [row.item_id for row in rows]
    items, answers = some(proposed.dataset.by_id, ids), some(proposed.by_item, ids)
    for row in rows:
        item, proposals = items[row.item_id], answers.get(row.item_id, ())
        picture = queue_pictures.EvidencePicture(item, references.beside(item), proposals, row)
        key = digest(VERSION, picture.inputs(), *images.key)
        path = proposed.files.evidence / picture_name(item.item_id)
        yield Wanted(path, key, partial(picture.write, images, normal_image))
