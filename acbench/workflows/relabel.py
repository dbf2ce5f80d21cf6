"""The main job, from images to labels with reasons. It works like make: what is there and fresh is not made again."""

from __future__ import annotations

import json

from acbench.storage.build import write_json
from acbench.workflows.label import label, prepare
from acbench.workflows.propose import Proposed
from acbench.workflows.queue import Queue, rank, write_queue
from acbench.workflows.run import Run
from acbench.workflows.summary import RelabelOutcome, RelabelReport, relabel_report


def relabel(run: Run, proposed: Proposed | None = None) -> tuple[RelabelReport, Queue]:
    """Do all that can be done now; gives what there is to say about it, and the queue."""
    queue = rank(run, label(run, proposed or prepare(run)))
    kept = _kept_report(run, queue.key)
    if kept is None or not _is_queue_complete(run, queue.key, kept):
        write_queue(run, queue)
    if kept is not None:
        return kept, queue
    made = _report(run, queue)
    run.build.ensure(run.files.report, queue.key, lambda path: write_json(path, made.to_json()))
    return made, queue


def _kept_report(run: Run, key: str) -> RelabelReport | None:
    """The report, if it stands as the last run left it, from the same inputs."""
    if not run.build.is_fresh(run.files.report, key):
        return None
    return RelabelReport.from_json(json.loads(run.files.report.read_bytes()))


def _is_queue_complete(run: Run, key: str, kept: RelabelReport) -> bool:
    """Whether the queue stands as the last run left it, from the same inputs, with all its pictures."""
    if not run.build.is_fresh(run.files.queue, key):
        return False
    drawn = {path.name for path in run.files.evidence.glob("*.jpg")}
    return drawn.issuperset(kept.pictures)


def _report(run: Run, queue: Queue) -> RelabelReport:
    proposed = queue.labelled.proposed
    outcome = RelabelOutcome(
        dataset=proposed.dataset,
        proposals=proposed.by_item,
        machine=proposed.machine_labels,
        labels=queue.labelled.labels,
        ranked=queue.ranked,
        waiting=queue.waiting,
    )
    return relabel_report(outcome, run.schema, run.source)
