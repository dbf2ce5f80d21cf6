"""Makes, renews or drops the plan of a benchmark, and has the queue follow it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from acbench.errors import AcbenchError
from acbench.review.plan import Commitment, commit, is_begun
from acbench.storage.atomic import write_bytes
from acbench.storage.build import write_json
from acbench.storage.digests import digest
from acbench.storage.typed_json import to_json
from acbench.workflows.label import label, prepare
from acbench.workflows.queue import ERROR, Queue, rank
from acbench.workflows.relabel import relabel
from acbench.workflows.run import Run
from acbench.workflows.summary import RelabelReport


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTask:
    """What the command asks for."""

    error: float | None = None
    """Share of the accepted labels that may be wrong; None for that of the plan so far, or ERROR."""
    anew: bool = False
    """Whether to choose a new cut although the audit has begun."""
    drop: bool = False
    """Whether the queue shall follow no plan."""


def make_plan(run: Run, task: PlanTask) -> RelabelReport:
    """Make or renew the plan, and relabel, so that queue and report follow it. Raises AcbenchError."""
    proposed = prepare(run)
    queue = rank(run, label(run, proposed))
    plan = _dropped(queue) if task.drop else _renewed(run, queue, task)
    if plan != queue.plan:
        run.build.ensure(run.files.plan, digest(to_json(plan)), lambda path: write_json(path, to_json(plan)))
    return relabel(run, proposed)[0]


def draw_curve(run: Run, report: RelabelReport) -> Path | None:
    """Draw the curve of a report's plan; gives the path of the picture, None if there is nothing to draw."""
    from acbench.evaluation import plots  # imports much; only a picture needs it

    if report.plan is None or len(report.plan.curve) < 2:
        return None
    picture = run.files.workspace / "plan.png"
    plan = report.plan
    write_bytes(picture, plots.plan_curve(plan.curve, error=plan.error, end=plan.to_see, title=report.benchmark))
    return picture


def _renewed(run: Run, queue: Queue, task: PlanTask) -> Commitment:
    before = queue.plan
    plan = commit(
        queue.standing,
        queue.doubts.of_label,
        error=task.error or (before.error if before else ERROR),
        seed=run.settings.seed if before is None else before.seed,
        before=before,
        anew=task.anew,
    )
    if before is None and is_begun(queue.standing, None) and not task.anew:
        run.console.note(
            "some of the audit was decided before there was a plan: it counts, and the queue keeps its own cut;"
            f" for a new cut and a new audit: acbench plan {run.schema.argument} --anew"
        )
    if before is not None and plan.number > before.number and not task.anew:
        run.console.note(
            "images, proposals or the schema have changed since the plan was made, so this is a new one: what people"
            " decided stands, and its audit begins anew"
        )
    return plan


def _dropped(queue: Queue) -> Commitment:
    if queue.plan is None:
        raise AcbenchError("there is no plan to drop", "acbench plan BENCHMARK   makes one")
    return dataclasses.replace(queue.plan, dropped=True)
