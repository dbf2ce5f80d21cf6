"""Shows how far people agree as rows of text, for the screen and for the report."""

from __future__ import annotations

from acbench.evaluation.agreement import AgreementReport
from acbench.records import short_name
from acbench.review.sight import WORDS
from acbench.stats import AlternativeAnnotatorTest, Estimate

OF_FIRST_ANSWERS = "First answers: before anybody was asked again, or was asked to settle what others dispute."
OF_PROPOSERS = (
    "Proposals to unfold lie folded beside the picture; whether somebody unfolded them is not recorded.\n"
    "Kappa and the last column are of people who had not had the proposer's answer in reach."
)

Row = tuple[str, ...]
"""The cells of one row. The first row of a table is its head."""


def reviewer_rows(report: AgreementReport) -> list[Row]:
    """The current decisions of each person: how many, what they could know, how long they took."""
    states = [sight for sight in WORDS if any(sight in own.by_sight for own in report.reviewers.values())]
    head = ("reviewer", "decisions", *(WORDS[sight] for sight in states), "unsure", "median seconds")
    rows = [
        (
            name,
            f"{own.decisions:,}",
            *(f"{own.by_sight.get(sight, 0):,}" for sight in states),
            f"{own.unsure:,}",
            f"{_number(own.seconds.median, 1)} of {own.seconds.n:,}" if own.seconds.n else "–",
        )
        for name, own in report.reviewers.items()
    ]
    return [head, *rows]


def group_rows(report: AgreementReport) -> list[Row]:
    """How far all people agree: on all images, by category, and after what has been settled since."""
    groups = [("all", report.agreement)]
    groups += [(name, category.overall) for name, category in report.by_category.items()]
    if report.adjudicated != report.agreement:
        groups.append(("all, as settled since", report.adjudicated))
    rows: list[Row] = [("agreement", "shared", "unanimous", "alpha (MASI)", "Fleiss' kappa")]
    for name, group in groups:
        alpha = _interval(group.alpha, group.missing)
        figures = (_interval(group.unanimous), alpha, _interval(group.fleiss))
        rows.append((name, f"{group.shared:,} of {group.images:,}", *figures))
    return rows


def class_rows(report: AgreementReport) -> list[Row]:
    """How far people agree whether a class is there; classes without enough answers are left out."""
    rows: list[Row] = [
        (name, label, f"{figures.images:,}", _interval(figures.alpha))
        for name, category in report.by_category.items()
        for label, figures in category.by_class.items()
        if figures.alpha
    ]
    return [("category", "class", "images", "alpha, there or not"), *rows] if rows else []


def pair_rows(report: AgreementReport) -> list[Row]:
    """How far each two people agree; empty if no two have decided the same image."""
    pairs: list[Row] = [
        (name, f"{pair.images:,}", _interval(pair.same), _interval(pair.kappa, pair.missing))
        for name, pair in report.pairs.items()
    ]
    return [("two people", "images", "same", "Cohen's kappa"), *pairs] if pairs else []


def proposer_rows(report: AgreementReport) -> list[Row]:
    """How far people agree with each proposer, by what they could know of its answer."""
    rows: list[Row] = [("proposer", "to people", "n", "same", "kappa, not in reach", "in a person's place")]
    for name, proposer in report.proposers.items():
        figures = _interval(proposer.kappa, proposer.missing), _verdict(proposer.alternative)
        for sight, share in proposer.same.items():
            rows.append((short_name(name), WORDS[sight], f"{share.n:,}", _ends(share), *figures))
            figures = "", ""  # they are of the proposer, once
    return rows


def _verdict(test: AlternativeAnnotatorTest) -> str:
    if test.winning_rate is None:
        return "–"
    return f"{'yes' if test.passes else 'no'}, {test.winning_rate:.0%} of {test.people}"


def _interval(estimate: Estimate | None, missing: str = "") -> str:
    """A figure with its interval and n; without one, a dash and why: `missing`."""
    if estimate is None:
        return f"– ({missing})" if missing else "–"
    return f"{_ends(estimate)}, n = {estimate.n:,}"


def _ends(estimate: Estimate) -> str:
    ends = f" ({estimate.low:.2f} to {estimate.high:.2f})" if estimate.low is not None else ""
    return f"{estimate.value:.2f}{ends}"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
