"""Counts where a benchmark stands, for the panel of the FiftyOne App."""

from __future__ import annotations

from dataclasses import asdict

from acbench.review.app_desk import Standing
from acbench.review.app_samples import queue_fields
from acbench.review.wording import labels_counted, reasons_counted
from acbench.workflows.compare import measure_agreement
from acbench.workflows.relabel import relabel
from acbench.workflows.run import Run
from acbench.workflows.summary import RelabelReport


def standing(run: Run) -> Standing:
    """Do what `relabel` does, and count."""
    report, queue = relabel(run)
    waiting, labels = queue.waiting, report.labels
    places = {row.item_id: number for number, row in enumerate(waiting, start=1)}
    ranked = {row.item_id: row for row in [*queue.ranked, *waiting]}
    reasons = reasons_counted(report.queue.by_why)
    facts = [
        ("Decided by people", f"{report.decided_by_people:,} of {labels.all:,} images"),
        ("Left to look at", f"{report.queue.waiting:,}" + (f": {reasons}" if reasons else "")),
        ("Disputed", f"{report.queue.by_why.get('disputed', 0):,}, where proposals differ"),
        ("Labels", labels_counted(asdict(labels))),
        ("Expected remaining error", _error(report)),
        ("People agree", _agreement(run)),
    ]
    return Standing(
        facts=facts,
        places={key: queue_fields(ranked.get(key), places.get(key)) for key in queue.labelled.labels},
    )


def _error(report: RelabelReport) -> str:
    """What share of the accepted labels is probably wrong, and at most."""
    if report.plan is None or not report.plan.curve:
        return "not known"
    now = report.plan.curve[0]
    return f"{now.expected:.1%} of the accepted labels probably; {report.plan.why()}"


def _agreement(run: Run) -> str:
    """On how many images people who answered by themselves say the same."""
    group = measure_agreement(run).agreement
    if not group.shared or group.unanimous is None:
        return "not known: nobody has looked at what another person decided"
    alpha = f", Krippendorff's alpha {group.alpha.value:.2f}" if group.alpha else ""
    return f"on {group.unanimous.value:.0%} of {group.shared:,} images that several looked at{alpha}"
