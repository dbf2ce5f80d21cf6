"""Shows a benchmark in the FiftyOne App as samples that are updated in place, and takes in what people mark there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from acbench.data.ingest import Dataset
from acbench.data.regions import Mask
from acbench.errors import AcbenchError
from acbench.integrations.fiftyone.database import database_errors
from acbench.integrations.fiftyone.dataset import (
    AppContents,
    AppDataset,
    Updated,
    dataset_of,
    find_dataset,
    open_dataset,
)
from acbench.predictors.proposers import neighbours
from acbench.records import Item, Prediction
from acbench.review.app_desk import DeskAddress
from acbench.review.app_marks import CollectCounts
from acbench.review.app_records import FORMAT, AppSample
from acbench.review.app_samples import SampleBuilder
from acbench.review.decisions import choices, class_names
from acbench.storage import tables
from acbench.storage.digests import digest, sha256_file
from acbench.storage.project import BenchmarkFiles
from acbench.storage.roots import parse_root
from acbench.storage.urls import Url
from acbench.workflows.app_copies import copies
from acbench.workflows.app_desk import MAKER
from acbench.workflows.label import label, prepare
from acbench.workflows.propose import proposer_setup
from acbench.workflows.queue import Queue, rank, write_queue
from acbench.workflows.relabel import relabel
from acbench.workflows.reviews import collect_marks
from acbench.workflows.run import Run
from acbench.workflows.summary import RelabelReport


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A benchmark that is ready to be looked at."""

    dataset: AppDataset
    updated: Updated


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What came of collecting marks."""

    counts: CollectCounts
    waiting: int
    """Images that wait for people now."""
    other_tags: Sequence[tuple[str, str]]
    """(image, tag) of each tag that is no class of its image and no word of acbench; it stays."""
    problems: Sequence[str]
    """The image of each mark that was not taken, and why; it stays."""


def show(run: Run, systems: Sequence[str]) -> Shown:
    """Bring the benchmark's dataset up to date; `systems` are scored systems that it shows too. Raises AcbenchError."""
    refuse_remote(run)
    dataset = open_dataset(_name(run))
    with database_errors():
        updated = _update(run, rank(run, label(run, prepare(run))), dataset, systems)
    return Shown(dataset=dataset, updated=updated)


def collect(run: Run, reviewer: str, systems: Sequence[str], *, sure: bool) -> Collected:
    """Turn what `reviewer` marked in the App into reviews, then do all that `relabel` does.

    What looks like a slip is refused, unless somebody is `sure`. Raises AcbenchError.
    """
    dataset = find_dataset(_name(run))
    if dataset is None:
        raise AcbenchError("this benchmark was never opened in the App", f"acbench app {run.schema.argument}")
    refuse_remote(run)
    with database_errors():
        proposed = prepare(run)
        result = collect_marks(run, proposed, dataset.marks(), reviewer, sure=sure)
        _, queue = relabel(run, proposed)  # so that status and report tell of it
        dataset.remove_marks(result.taken)
        _update(run, queue, dataset, systems)
    return Collected(
        counts=result.counts,
        waiting=len(queue.waiting),
        other_tags=sorted(result.other_tags),
        problems=result.problems,
    )


def desk_address(run: Run, shown: Shown, reviewer: str) -> DeskAddress:
    """Where the panels of the App find who decides about what. Their process runs in another folder."""
    return DeskAddress(
        maker=MAKER,
        project=str(run.files.project.folder),
        benchmark=str(Path(run.schema.file).resolve()) if run.schema.file else run.schema.benchmark,
        reviewer=reviewer,
        dataset=shown.dataset.data.name,
    )


def bring_home(run: Run) -> RelabelReport:
    """Make labels and queue of what was decided in the App: what `relabel` does."""
    return relabel(run)[0]


def marked(shown: Shown) -> int:
    """How many images hold marks that nobody has collected. Raises AcbenchError if the database has gone."""
    with database_errors():
        return len(shown.dataset.marks())


def reviews_mark(run: Run) -> str:
    """Changes when somebody decides something."""
    return run.files.reviews.mark


def _name(run: Run) -> str:
    """The dataset of the benchmark in the App, also after its project was moved."""
    name, told = dataset_of(run.files.benchmark, run.files.project.folder, run.files.workspace / "app.json")
    if told:
        run.console.note(told)
    return name


def refuse_remote(run: Run) -> None:
    """Raises AcbenchError, with how to copy the dataset, if it is at a URL: the App shows files of this machine."""
    root = parse_root(run.settings.root or "")
    if isinstance(root, Url):
        copy = f"f, p = url_to_fs({str(root)!r}); f.get(p.rstrip('/') + '/', 'COPY/', recursive=True)"
        raise AcbenchError(
            f"the FiftyOne App shows pictures of this machine only, and the dataset is at {root}",
            "copy it, and name the copy; labels and answers stay as they are:\n"
            f'    python -c "from fsspec.core import url_to_fs; {copy}"\n'
            f"    acbench relabel {run.schema.argument} --root COPY",
        )


def _update(run: Run, queue: Queue, dataset: AppDataset, systems: Sequence[str]) -> Updated:
    """Bring the dataset up to date, unless it is."""
    write_queue(run, queue)
    key = _key(run, queue, systems)
    if dataset.key == key:
        return Updated()
    source = queue.labelled.proposed.dataset
    with run.console.stage("update the App") as progress:
        contents = AppContents(
            samples=_samples(run, queue, systems),
            outlined=partial(_marked, source),
            key=key,
            classes=_classes(run, source.items),
            vectors=neighbours.build(proposer_setup(run, source)).kept_vectors(source.items),
            model=run.models.embedder.name,
        )
        return dataset.update(contents, progress)


def _classes(run: Run, items: Sequence[Item]) -> Sequence[str]:
    """What Annotate offers: the classes of the category, if all images are of one. It knows no list for each."""
    shown = {item.category for item in items}
    category = run.schema.category(shown.pop()) if len(shown) == 1 else None
    names = class_names(category)
    return [names.get(class_id, class_id) for class_id in choices(category)] if category else []


def _key(run: Run, queue: Queue, systems: Sequence[str]) -> str:
    """A hash of everything that the samples show."""
    predictions = [(name, sha256_file(_predictions(run.files, name))) for name in sorted(set(systems))]
    files, proposed = run.files, queue.labelled.proposed
    hashes = [sha256_file(files.items), files.labels.mark, sha256_file(files.ranked_items), sha256_file(files.queue)]
    hashes += [files.reviews.mark, *(sha256_file(files.proposals(name)) for name in proposed.keys)]
    return digest(FORMAT, str(proposed.dataset.root), run.schema.digest, predictions, hashes)


def _samples(run: Run, queue: Queue, systems: Sequence[str]) -> list[AppSample]:
    labelled, proposed = queue.labelled, queue.labelled.proposed
    root = proposed.dataset.root
    assert isinstance(root, Path), "refused before"
    builder = SampleBuilder(
        root=root,
        items=proposed.dataset.items,
        labels=labelled.labels,
        proposals=proposed.by_item,
        reviews=labelled.reviews,
        ranked=queue.ranked,
        waiting=queue.waiting,
        predictions={name: tables.read(_predictions(run.files, name), Prediction) for name in sorted(set(systems))},
        schema=run.schema,
        evidence={path.stem: path for path in run.files.evidence.glob("*.jpg")},
        copies=copies(proposed.dataset.items, proposed.dataset.images, root, run.files.workspace / "app"),
    )
    return builder.samples()


def _marked(dataset: Dataset, item_id: str) -> Mask | None:
    """What is marked on an image, bool[H, W]; None where that cannot be told."""
    item = dataset.by_id[item_id]
    with suppress(AcbenchError):
        return dataset.images.marked(item, (item.width, item.height))
    return None


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
