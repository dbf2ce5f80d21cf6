"""One benchmark in a viewer: its images, labels and queue as samples that are updated in place."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from acbench.errors import AcbenchError
from acbench.predictors.proposers import neighbours
from acbench.records import GOOD, Prediction
from acbench.review.app_records import FORMAT, AppSample
from acbench.review.app_samples import cards
from acbench.storage import tables
from acbench.storage.digests import digest, sha256_file
from acbench.storage.project import BenchmarkFiles
from acbench.storage.roots import parse_root
from acbench.storage.urls import Url
from acbench.workflows.propose import proposer_setup
from acbench.workflows.queue import Queue, write_queue
from acbench.workflows.run import Run

if TYPE_CHECKING:
    from acbench.integrations.fiftyone.dataset import Shelf, Updated


def refuse_remote(run: Run) -> None:
    """A viewer reads pictures of this machine only. Raises AcbenchError, with how to copy them, for a URL."""
    root = parse_root(run.settings.root or "")
    if isinstance(root, Url):
        copy = f"f, p = url_to_fs({str(root)!r}); f.get(p.rstrip('/') + '/', 'COPY/', recursive=True)"
        raise AcbenchError(
            f"the FiftyOne App shows pictures of this machine only, and the dataset is at {root}",
            "copy it, and name the copy; labels and answers stay as they are:\n"
            f'    python -c "from fsspec.core import url_to_fs; {copy}"\n'
            f"    acbench relabel {shlex.quote(run.settings.schema)} --root COPY",
        )


def update(run: Run, queue: Queue, shelf: Shelf, systems: Sequence[str]) -> Updated:
    """Bring the viewer's dataset up to date, unless it is."""
    from acbench.integrations.fiftyone.dataset import Updated

    write_queue(run, queue)
    key = _key(run, queue, systems)
    if shelf.key == key:
        return Updated()
    dataset = queue.labelled.proposed.dataset
    with run.console.stage("update the App") as progress:
        return shelf.update(
            _samples(run, queue, systems),
            key=key,
            classes=[GOOD, *sorted({one for each in run.schema.categories.values() for one in each.class_ids})],
            vectors=neighbours.build(proposer_setup(run, dataset)).kept_vectors(dataset.items),
            model=run.models.embedder.name,
            progress=progress,
        )


def _key(run: Run, queue: Queue, systems: Sequence[str]) -> str:
    """A hash of everything that the samples show."""
    predictions = [(name, sha256_file(_predictions(run.files, name))) for name in sorted(set(systems))]
    files, proposed = run.files, queue.labelled.proposed
    inputs = [files.items, files.labels, files.ranked_items, files.queue, files.reviews]
    inputs += [files.proposals(name) for name in proposed.keys]
    hashes = [sha256_file(path) for path in inputs]
    return digest(FORMAT, str(proposed.dataset.root), run.schema.digest, predictions, hashes)


def _samples(run: Run, queue: Queue, systems: Sequence[str]) -> list[AppSample]:
    labelled, proposed = queue.labelled, queue.labelled.proposed
    root = proposed.dataset.root
    assert isinstance(root, Path), "refused before"
    return cards(
        proposed.dataset.items,
        root,
        labels=labelled.labels,
        proposals=proposed.by_item,
        reviews=labelled.reviews,
        ranked=queue.ranked,
        waiting=queue.waiting,
        predictions={name: tables.read(_predictions(run.files, name), Prediction) for name in sorted(set(systems))},
        schema=run.schema,
    )


def _predictions(files: BenchmarkFiles, system: str) -> Path:
    """The table of a system. Raises AcbenchError if it has not answered."""
    folder = files.workspace / "predictions"
    known = sorted(path.stem for path in folder.glob("*.parquet"))
    if system not in known:
        raise AcbenchError(
            f"there are no predictions of {system!r} for {files.benchmark}",
            f"known: {', '.join(known) or 'none yet'}",
        )
    return folder / f"{system}.parquet"
