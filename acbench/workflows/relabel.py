"""The main job, from images to labels with reasons. It works like make: what is there and fresh is not made again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acbench.review import former
from acbench.review.csv_queue import TakeCounts
from acbench.storage.build import write_json
from acbench.storage.typed_json import any_json
from acbench.workflows.export import export, label_files, proposal_files
from acbench.workflows.label import figures_of, label, prepare
from acbench.workflows.propose import Proposed
from acbench.workflows.queue import Queue, is_queue_complete, rank, write_queue
from acbench.workflows.reviews import take_reviews
from acbench.workflows.run import Run
from acbench.workflows.summary import RelabelOutcome, RelabelReport, relabel_report

if TYPE_CHECKING:
    from acbench.review.pull import PullResult
    from acbench.workflows.label_studio import Pushed


@dataclass(frozen=True, slots=True, kw_only=True)
class RelabelTask:
    """What the command does besides the relabel itself."""

    reviews: Path | None = None
    """A filled-in queue to take in first."""
    reviewer: str | None = None
    """Who decided, for rows of the file that name nobody."""
    label_studio: bool = False
    """Whether to pull decisions from Label Studio first, and to push the queue in the end."""
    out: str | None = None
    """A folder or URL that gets a copy of the records."""


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """What came of pull, relabel and push."""

    pulled: PullResult
    report: RelabelReport
    pushed: Pushed


@dataclass(frozen=True, kw_only=True)
class Relabelled:
    """What came of the command."""

    report: RelabelReport
    reviews: TakeCounts | None
    """What came of the filled-in queue; None if there was none."""
    label_studio: Cycle | None
    """What came of pull and push; None if Label Studio has no part in it."""


def run_relabel(run: Run, task: RelabelTask) -> Relabelled:
    """Do the main job from start to end. Raises AcbenchError."""
    proposed = prepare(run)
    taken = take_reviews(run, proposed, task.reviews, task.reviewer) if task.reviews else None
    cycle = _pull_relabel_push(run, proposed) if task.label_studio else None
    report = cycle.report if cycle else relabel(run, proposed)[0]
    export(run, task.out, [*proposal_files(run.files, proposed.keys), *label_files(run.files)])
    return Relabelled(report=report, reviews=taken, label_studio=cycle)


def relabel(run: Run, proposed: Proposed | None = None) -> tuple[RelabelReport, Queue]:
    """Do all that can be done now; gives what there is to say about it, and the queue."""
    queue = rank(run, label(run, proposed or prepare(run)))
    kept = _kept_report(run, queue.key)
    if kept is None or not is_queue_complete(run, queue.key, kept.pictures):
        write_queue(run, queue)
    if kept is not None:
        return kept, queue
    made = _report(run, queue)
    run.build.ensure(run.files.report, queue.key, lambda path: write_json(path, made.to_json()))
    return made, queue


def _pull_relabel_push(run: Run, proposed: Proposed) -> Cycle:
    from acbench.workflows import annotate  # imported here: a relabel without Label Studio needs none of this
    from acbench.workflows.annotate import PushOptions
    from acbench.workflows.label_studio import connected, push_queue

    with connected(run.files.project) as tool:
        pulled = annotate.pull(run, tool, proposed.dataset)
        report, queue = relabel(run, proposed)
        return Cycle(pulled=pulled, report=report, pushed=push_queue(run, tool, queue, PushOptions()))


def _kept_report(run: Run, key: str) -> RelabelReport | None:
    """The report, if it stands as the last run left it, from the same inputs."""
    if not run.build.is_fresh(run.files.report, key):
        return None
    with suppress(ValueError):  # of another version
        return RelabelReport.from_json(any_json(run.files.report.read_bytes()))
    return None


def _report(run: Run, queue: Queue) -> RelabelReport:
    proposed = queue.labelled.proposed
    outcome = RelabelOutcome(
        dataset=proposed.dataset,
        proposals=proposed.by_item,
        answers=proposed.answer_counts,
        machine=proposed.machine_labels,
        labels=queue.labelled.labels,
        counts=figures_of(run, queue.labelled),
        ranked=queue.ranked,
        waiting=queue.waiting,
        audit=queue.audit,
        drawn_from=queue.drawn_from,
        plan=queue.plan_report(),
        lost_classes=former.in_words(queue.labelled.lost_classes),
        reviews_key=queue.labelled.reviews_key,
    )
    return relabel_report(outcome, run.schema, run.origin)
