"""The curves of the report: what a plan promises, how many images were decided by each day, and what error was left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from acbench.workflows.plan_report import PlanReport
from acbench.workflows.report_charts import Axis, Curve, chart
from acbench.workflows.report_error import ErrorOnDay
from acbench.workflows.report_images import Progress

HEADROOM = 8
"""The curve of a plan shows errors up to so many times those that are promised: without data all may be wrong."""
DAYS = Axis(title="day", text=lambda value: date.fromordinal(round(value)).isoformat(), whole=True)


def plan_chart(plan: PlanReport | None) -> str:
    """How many labels are wrong, probably and at most, while people look at more images; empty without a curve."""
    if plan is None or len(plan.curve) < 2:
        return ""
    ends = plan.curve[0].images, plan.curve[-1].images
    return chart(
        "Share of wrong labels against images that people look at from now on",
        [
            Curve(name="at most", kind="second", points=[(point.images, point.bound) for point in plan.curve]),
            Curve(name="probably", kind="main", points=[(point.images, point.expected) for point in plan.curve]),
            Curve(name=f"promised: {plan.error:.1%}", kind="limit", points=[(end, plan.error) for end in ends]),
        ],
        Axis(title="images that people look at from now on", text=lambda value: f"{value:,.0f}", whole=True),
        Axis(title="wrong labels", text=lambda value: f"{value:.1%}"),
        top=max(HEADROOM * plan.error, 1.2 * max(point.expected for point in plan.curve)),
    )


def progress_chart(progress: Progress) -> str:
    """How many images were decided by each day; empty before the second day with a decision."""
    days = [(date.fromisoformat(day).toordinal(), images) for day, images in progress.days]
    if len(days) < 2:
        return ""
    return chart(
        "Images that people had decided by each day",
        [Curve(name="decided", kind="main", points=days, steps=True)],
        DAYS,
        Axis(title="images decided", text=lambda value: f"{value:,.0f}", whole=True),
    )


def error_chart(errors: Sequence[ErrorOnDay]) -> str:
    """What share of the labels was probably wrong by each day; empty without a dated decision."""
    points = [(date.fromisoformat(each.day).toordinal(), each.expected) for each in errors]
    if not points:
        return ""
    return chart(
        "Share of wrong labels that was to be expected at the end of each day with a decision, and before the first",
        [Curve(name="probably", kind="main", points=points, steps=True)],
        DAYS,
        Axis(title="wrong labels, probably", text=lambda value: f"{value:.2%}"),
    )
