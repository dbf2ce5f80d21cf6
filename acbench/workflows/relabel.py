"""The main job, from images to labels with reasons. Like make: what is there and fresh is not done again."""

from __future__ import annotations

import json
from typing import Any

from acbench.data.ingest import describe
from acbench.storage.build import write_json
from acbench.workflows.label import label, prepare
from acbench.workflows.propose import Proposed
from acbench.workflows.queue import Queue, rank, write_queue
from acbench.workflows.run import Run

Report = dict[str, Any]
"""What `acbench relabel --json` prints: see `summary.report`."""


def relabel(run: Run, proposed: Proposed | None = None) -> tuple[Report, Queue]:
    """Do all that can be done now; gives what there is to say, and the queue."""
    queue = rank(run, label(run, proposed or prepare(run)))
    if not _all_there(run, queue.key):
        write_queue(run, queue)
        run.build.ensure(run.files.report, queue.key, lambda path: write_json(path, _report(run, queue)))
    return _kept_report(run), queue


def _all_there(run: Run, key: str) -> bool:
    """Whether queue, pictures and report stand as the last run left them, from the same inputs."""
    if not all(run.build.is_fresh(path, key) for path in (run.files.queue, run.files.report)):
        return False
    drawn = {path.name for path in run.files.evidence.glob("*.jpg")}
    return drawn.issuperset(_kept_report(run)["pictures"])


def _kept_report(run: Run) -> Report:
    kept: Report = json.loads(run.files.report.read_text(encoding="utf-8"))
    return kept


def _report(run: Run, queue: Queue) -> Report:
    from acbench.workflows import summary

    proposed = queue.labelled.proposed
    return summary.report(
        dataset=describe(run.source, proposed.dataset),
        items=proposed.dataset.items,
        findings=proposed.dataset.findings,
        proposals=proposed.by_item,
        ranked=queue.ranked,
        waiting=queue.waiting,
        machine=proposed.machine_labels,
        labels=queue.labelled.labels,
        schema=run.schema,
    )
