"""Says what a plan still takes: the part of a relabel's report that the screen, JSON and the HTML page show."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from acbench.records import Review
from acbench.review.history import by_item, current_reviews
from acbench.review.outlook import CurvePoint, Outlook
from acbench.review.plan import CONFIDENCE

PlanState = Literal["draft", "followed", "stale", "dropped"]
"""`followed`: the queue follows the plan. `draft`: there is none yet. `stale`: images, proposals or schema have changed
since. `dropped`: the queue was told not to follow it. In all cases but the first, the figures are those of a plan that
would be made now."""

MIN_TIMES = 5
"""With fewer known times, the pace is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """What a plan promises, and how far people are."""

    state: PlanState
    error: float
    """Share of the accepted labels of test images that may be wrong."""
    confidence: float
    number: int
    accepted: int
    """Accepted labels of test images, now."""
    decided: int
    """Test images that people have decided."""
    to_see: int
    """Images that people still see: the next three together."""
    pending: int
    """Images without a label."""
    doubtful: int
    """Labels that are more likely wrong than all others."""
    audit: int
    """Labels drawn at random from all others; an estimate."""
    everything: int
    """Images that people would see if they looked at all of them."""
    cut: float | None
    """How likely the least doubtful of the doubtful labels is wrong; None if there are none to see."""
    rest: int
    """Labels that the audit is drawn from."""
    audited: int
    """Labels of the audit that people have seen."""
    found: int
    """Wrong ones among them. One of which people are unsure counts as wrong."""
    beyond: int
    """Labels of the rest that people have seen although an earlier one of the draw is open: they do not count yet."""
    at_most: int
    """How many accepted labels are wrong at most, now, with this confidence."""
    allowed: int
    """How many may be."""
    holds: bool
    """Whether that is kept now."""
    expected_errors: float
    """Wrong labels that people will probably find in what they still see."""
    scored: int
    """Labels for which a proposer gives scores that tell anything."""
    seconds: float | None
    """Median seconds of a decision; None if fewer than MIN_TIMES are known."""
    timed: int
    """Decisions whose time is known."""
    minutes: float | None
    """What the images to see probably take."""
    cheaper: int | None
    """Images that a new plan would take, if it took fewer; else None."""
    curve: tuple[CurvePoint, ...]

    @property
    def is_all(self) -> bool:
        """Whether nothing can be promised without looking at everything."""
        return not self.holds and self.to_see >= self.everything > 0

    @property
    def is_done(self) -> bool:
        """Whether the queue has ended: the promise holds, and no image lacks a label."""
        return self.state == "followed" and self.holds and not self.pending

    def to_json(self) -> dict[str, Any]:
        """JSON values in the order of the fields, and the sentences that the screen prints."""
        sentences = {"promise": self.promise(), "rule": self.rule(), "why": self.why(), "pace": self.pace()}
        return {**dataclasses.asdict(self), **sentences}

    def promise(self) -> str:
        """What is promised, in words."""
        error, confidence = _percent(self.error), _percent(self.confidence)
        return f"at most {error} of the accepted labels are wrong, with {confidence} confidence"

    def rule(self) -> str:
        """The rule in one sentence."""
        return (
            "People see every image without a label, and the labels that are most likely wrong by the proposers'"
            f" calibrated scores. Of the other {self.rest:,} they see so many, in a random order fixed beforehand, that"
            f" at most {self.allowed:,} of all {self.accepted:,} accepted labels of test images are wrong, with"
            f" {_percent(self.confidence)} confidence and whatever the scores are worth."
            " What people decide counts as right."
        )

    def work(self) -> str:
        """What people still see, in words."""
        counts = self.pending, self.doubtful, self.audit
        parts = (f"{counts[0]:,} without a label", f"{counts[1]:,} doubtful", f"about {counts[2]:,} drawn at random")
        kinds = ", ".join(part for part, count in zip(parts, counts, strict=True) if count)
        return f"{self.to_see:,} of {self.everything:,} undecided images" + (f" ({kinds})" if kinds else "")

    def pace(self) -> str:
        """How long that takes, and how that is known, in words."""
        if self.minutes is None:
            known = f"only {self.timed:,} decisions have" if self.timed else "no decision has"
            return f"not known: {known} a time (Label Studio keeps it, a CSV does not)"
        return f"{self.minutes:,.0f} minutes, at {self.seconds:.0f} s a decision, the median of {self.timed:,}"

    def why(self) -> str:
        """Why the queue is as long as it is, or ends, in one sentence."""
        bound = f"at most {self.at_most:,} of {self.accepted:,} accepted labels are wrong ({_percent(self.confidence)})"
        if self.state != "followed" and self.is_all:
            return f"{_STATES[self.state]}; one made now could promise nothing without all {self.everything:,} images"
        if self.state != "followed":
            return f"{_STATES[self.state]}; one made now has people see {self.work()}, and then {self.promise()}"
        if self.is_done:
            return f"the queue ends here: {bound}, and {self.allowed:,} may be"
        if self.holds:
            return f"{bound}, and {self.allowed:,} may be; only {self.pending:,} images without a label are left"
        if self.is_all:
            return f"nothing can be promised more cheaply than by seeing all {self.everything:,} images"
        return f"people still see {self.work()}; then {self.promise()}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


_STATES = {
    "draft": "there is no plan yet",
    "stale": "the plan was made for other labels: images, proposals or the schema have changed since",
    "dropped": "the plan was dropped",
}


def plan_report(
    outlook: Outlook, state: PlanState, *, scored: int, cheaper: int | None, reviews: Iterable[Review]
) -> PlanReport:
    """What a plan promises and still takes. `reviews`: all of the benchmark, for the pace."""
    from acbench.evaluation.agreement import (
        decision_times,  # the package imports numpy; a report that is kept needs none
    )

    standing, to_see = outlook.standing, outlook.to_see
    current = [review for history in by_item(reviews).values() for review in current_reviews(history)]
    times = decision_times(current)
    seconds = times.median if times.n >= MIN_TIMES else None
    doubtful = len(outlook.asked) + sum(row.why == "doubtful" for row in outlook.unlabelled)
    return PlanReport(
        state=state,
        error=outlook.commitment.error,
        confidence=CONFIDENCE,
        number=outlook.commitment.number,
        accepted=standing.accepted,
        decided=standing.decided,
        to_see=to_see,
        pending=len(standing.pending),
        doubtful=doubtful,
        audit=len(outlook.audit),
        everything=outlook.everything,
        cut=outlook.cut,
        rest=len(outlook.rest),
        audited=len(outlook.audited),
        found=outlook.found,
        beyond=len(outlook.beyond),
        at_most=outlook.at_most,
        allowed=int(outlook.allowed + 1e-9),
        holds=outlook.holds,
        expected_errors=outlook.expected_errors,
        scored=scored,
        seconds=seconds,
        timed=times.n,
        minutes=None if seconds is None else to_see * seconds / 60,
        cheaper=cheaper,
        curve=tuple(outlook.curve),
    )
