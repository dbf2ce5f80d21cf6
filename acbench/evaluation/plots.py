"""Draws figures as PNG: comparisons of proposers, agreement of reviewers, confusion matrices, classes, and ranks."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from acbench.evaluation import paper_tables, tables
from acbench.evaluation.agreement import AgreementReport, DecisionTimes, GroupAgreement, ProposerAgreement
from acbench.evaluation.proposers import ProposerComparison
from acbench.evaluation.ranking import FIGURE, Ranking
from acbench.evaluation.result import Scored
from acbench.records import GOOD, short_name
from acbench.review.outlook import CurvePoint
from acbench.review.sight import WORDS
from acbench.stats import Calibration, Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#3266a8", "#d1722c", "#4b9460", "#a8465a", "#7a64a3", "#8a7a55", "#5a9aa8", "#777777")
"""In the order in which they are used."""
FLOOR = 1e-4
"""Lower edge of the curve of a plan."""
_INK, _FADED = "#222222", "#777777"
_COLUMNS = 3
"""Confusion matrices side by side."""
_CUT = 22
"""Characters of a name that fit beside a matrix."""


def proposer_comparison(compared: ProposerComparison) -> bytes:
    """Draw proposers side by side: accuracy with its interval, agreement of each pair, calibration of their scores as
    they are, and once they are calibrated."""
    names = list(compared.proposers)
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    figure = _figure(19.5, 1.6 + max(3.2, 0.5 * len(names)))
    figure.suptitle(f"{compared.benchmark}: {compared.images:,} images, judged by {compared.truth}")
    accuracy, kappas, before, after = figure.subplots(1, 4)
    _draw_accuracy(accuracy, compared, colours)
    _draw_kappas(kappas, compared, names)
    figures = compared.proposers
    before.set_title("How often it is right at each confidence")
    _draw_calibration(before, {name: own.calibration for name, own in figures.items()}, colours)
    after.set_title("Once calibrated, cross-validated")
    calibrated = {name: own.reliability.after if own.reliability else None for name, own in figures.items()}
    _draw_calibration(after, calibrated, colours)
    return _png(figure)


def _draw_accuracy(axes: Axes, compared: ProposerComparison, colours: Mapping[str, str]) -> None:
    axes.set_title("Accuracy where it answered, 95 % interval")
    for row, (name, proposer) in enumerate(compared.proposers.items()):
        accuracy = proposer.overall.accuracy
        if accuracy:
            axes.barh(row, accuracy.value, color=colours[name], height=0.6)
            _draw_interval(axes, accuracy, row, _INK)
        axes.text(
            0.01,
            row,
            f" {proposer.overall.answered:,} answers",
            va="center",
            fontsize=9,
            color="white" if accuracy else _INK,
        )
    axes.set_yticks(range(len(colours)), list(colours))
    axes.set_xlim(0, 1)
    axes.invert_yaxis()


def _draw_kappas(axes: Axes, compared: ProposerComparison, names: Sequence[str]) -> None:
    axes.set_title("Cohen's kappa of each two")
    table = [[float("nan")] * len(names) for _ in names]
    images = [[0] * len(names) for _ in names]
    for pair in compared.agreement:
        if pair.kappa is not None:
            row, column = names.index(pair.one), names.index(pair.other)
            table[row][column] = table[column][row] = pair.kappa
            images[row][column] = images[column][row] = pair.images
    axes.imshow(table, vmin=0, vmax=1, cmap="Blues")
    for row, kappas in enumerate(table):
        for column, kappa in enumerate(kappas):
            if not math.isnan(kappa):
                colour = "white" if kappa > 0.6 else _INK
                axes.text(
                    column,
                    row,
                    f"{kappa:.2f}\nn = {images[row][column]:,}",
                    fontsize=8,
                    ha="center",
                    va="center",
                    color=colour,
                )
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)


def _draw_calibration(axes: Axes, calibrations: Mapping[str, Calibration | None], colours: Mapping[str, str]) -> None:
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, linestyle="--")
    for name, calibration in calibrations.items():
        if calibration:
            confidences = [point["confidence"] for point in calibration["curve"]]
            accuracies = [point["accuracy"] for point in calibration["curve"]]
            sizes = [12 + point["n"] for point in calibration["curve"]]
            label = f"{name} (error {calibration['error']:.2f})"
            axes.plot(confidences, accuracies, color=colours[name], linewidth=1)
            axes.scatter(confidences, accuracies, s=sizes, color=colours[name], label=label)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share right")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", frameon=False)


def agreement(report: AgreementReport) -> bytes:
    """Draw what reviews say about people: agreement, what visible proposals do to them, seconds a decision."""
    groups = {"all, first answers": report.agreement, "all, as settled since": report.adjudicated}
    groups |= {name: category.overall for name, category in report.by_category.items()}
    figure = _figure(15, 1.6 + max(3.2, 0.4 * max(len(groups), 3 * len(report.proposers))))
    figure.suptitle(f"{report.benchmark}: {report.images:,} images reviewed, {report.shared:,} by more than one")
    alphas, matches, seconds = figure.subplots(1, 3)
    _draw_alphas(alphas, groups)
    _draw_matches(matches, report.proposers)
    _draw_times(
        seconds,
        {
            "all": report.seconds,
            **{WORDS[sight]: seconds for sight, seconds in report.seconds_by_sight.items()},
            **{name: category.seconds for name, category in report.by_category.items()},
        },
    )
    return _png(figure)


def _draw_alphas(axes: Axes, groups: Mapping[str, GroupAgreement]) -> None:
    axes.set_title("Krippendorff's alpha (MASI), 95 % interval")
    for row, group in enumerate(groups.values()):
        alpha = group.alpha
        if alpha is not None:
            axes.plot(alpha.value, row, "o", color=COLOURS[0])
            _draw_interval(axes, alpha, row, COLOURS[0])
        else:
            axes.text(0.02, row, group.missing, va="center", fontsize=9, color=_FADED)
    axes.set_yticks(range(len(groups)), [f"{name} ({group.shared:,})" for name, group in groups.items()])
    axes.set_xlim(-0.2, 1.02)
    axes.set_ylim(len(groups) - 0.5, -0.5)


def _draw_matches(axes: Axes, proposers: Mapping[str, ProposerAgreement]) -> None:
    axes.set_title("People decided what it proposes, 95 % interval")
    colours = dict(zip(WORDS, COLOURS, strict=False))
    for row, proposer in enumerate(proposers.values()):
        for place, (sight, matches) in enumerate(proposer.same.items()):
            height = row + 0.14 * (place - (len(proposer.same) - 1) / 2)
            _draw_interval(axes, matches, height, colours[sight])
            axes.plot(matches.value, height, "o", color=colours[sight])
            axes.text(1.03, height, f"n = {matches.n:,}", va="center", fontsize=7, color=_FADED)
    for sight in dict.fromkeys(sight for proposer in proposers.values() for sight in proposer.same):
        axes.plot([], [], "o-", color=colours[sight], label=WORDS[sight])
    axes.set_yticks(range(len(proposers)), [short_name(name) for name in proposers])
    axes.set_xlim(0, 1.02)
    axes.set_ylim(max(len(proposers), 1) - 0.5, -0.5)
    # Below the axes, where it covers no interval.
    if proposers:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)


def _draw_times(axes: Axes, times: Mapping[str, DecisionTimes]) -> None:
    axes.set_title("Median seconds a decision")
    for row, seconds in enumerate(times.values()):
        axes.barh(row, seconds.median or 0, color=COLOURS[2], height=0.6)
    axes.set_yticks(range(len(times)), [f"{name} ({seconds.n:,})" for name, seconds in times.items()])
    axes.invert_yaxis()


def plan_curve(curve: Sequence[CurvePoint], *, error: float, end: int, title: str) -> bytes:
    """Draw expected and possible errors of the accepted labels against the images that people look at from now on.

    `error`: the share that may be wrong. `end`: images until the queue ends.
    """
    figure = _figure(9, 4.6)
    axes = figure.subplots()
    axes.set_title(f"{title}: wrong labels among the accepted ones, as people go on", color=_INK)
    images = [point.images for point in curve]
    for colour, style, name, shares in (
        (COLOURS[0], "-", "probably wrong, by calibrated scores", [point.expected for point in curve]),
        (COLOURS[1], "--", "wrong at most, 95 % confidence, if what is found is as expected",
         [point.bound for point in curve]),
    ):  # fmt: skip
        # A logarithm shows the last per cent; what is zero lies on the lower edge.
        heights = [max(share, FLOOR) for share in shares]
        steps = "default" if style == "-" else "steps-post"  # a bound stands until the next image
        axes.plot(images, heights, style, color=colour, linewidth=1.8, label=name, drawstyle=steps)
    axes.axhline(error, color=COLOURS[2], linewidth=1, label=f"may be wrong: {error:.1%}")
    axes.axvline(end, color=_FADED, linewidth=1, linestyle=":", label=f"the queue ends: {end:,} images")
    axes.set_yscale("log")
    axes.set_ylim(FLOOR, 1.1)
    axes.set_xlim(0, max(images[-1], 1))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    axes.set_xlabel("images that people look at from now on")
    axes.set_ylabel("share of the accepted labels")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False, fontsize=9)
    return _png(figure)


def _draw_interval(axes: Axes, estimate: Estimate, height: float, colour: str) -> None:
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [height, height], color=colour, linewidth=1.5)


def confusion(score: Scored) -> bytes:
    """Draw one matrix a category: rows are right answers, columns outcomes.

    A cell is as dark as its share of the row.
    """
    matrices = {category: tables.confusion(matrix) for category, matrix in score.confusion.items()}
    columns = min(_COLUMNS, len(matrices))
    rows = math.ceil(len(matrices) / columns)
    edge = max(max(len(table), len(table[0])) for table in matrices.values())
    size = max(3.4, 0.46 * edge + 1.9)
    title = f"{score.system} on {score.benchmark}: rows true, columns answered"
    figure = _figure(max(size * columns, 0.1 * len(title)), size * rows + 0.6)
    figure.suptitle(title, color=_INK)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (category, table) in zip(grid, matrices.items(), strict=False):
        _draw_matrix(axes, table)
        accuracy, items = score.value("accuracy", category) or 0.0, score.counts[category].items
        axes.set_title(f"{_cut(category, 30)}: {100 * accuracy:.1f} % of {items:,}", fontsize=9.5, color=_INK)
    for axes in grid[len(matrices) :]:
        axes.axis("off")
    return _png(figure)


def _draw_matrix(axes: Axes, table: Sequence[Sequence[str]]) -> None:
    (_, *columns), *rows = table
    counts = [[int(cell) for cell in cells] for _, *cells in rows]
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="equal")
    for row, cells in enumerate(counts):
        for column, count in enumerate(cells):
            if count:
                colour = "white" if shares[row][column] > 0.55 else _INK
                axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(columns)), [_cut(name) for name in columns], rotation=60, ha="right", fontsize=7.5)
    for label in axes.get_xticklabels():
        label.set_rotation_mode("anchor")
    axes.set_yticks(range(len(rows)), [_cut(name) for name, *_ in rows], fontsize=7.5)
    if len(columns) > len(rows):
        axes.axvline(len(rows) - 0.5, color=_INK, linewidth=0.8)  # beyond it are outcomes that are no class


def classes(score: Scored) -> bytes:
    """Draw one bar a class: the share of its images that were answered rightly, and how many images it has."""
    bars = [
        (category, name, figures)
        for category, named in score.by_class.items()
        for name, figures in named.items()
        if figures.items
    ]
    figure = _figure(9, 0.24 * (len(bars) + 1.4 * len(score.by_class)) + 1.2)
    axes = figure.subplots()
    title = f"{score.system} on {score.benchmark}: share of each class that is right"
    axes.set_title(title, color=_INK, loc="left")
    height, last = 0.0, ""
    ticks = []
    for category, name, figures in bars:
        if category != last:
            height += 1.4
            axes.text(0, height - 0.75, _cut(category, 60), fontweight="bold", fontsize=9, va="center", color=_INK)
        last = category
        share = figures.right / figures.items
        axes.barh(height, 1, color="#eeeeec", height=0.72)
        axes.barh(height, share, color=COLOURS[2] if name == GOOD else COLOURS[0], height=0.72)
        axes.text(1.01, height, f"{100 * share:.0f} % of {figures.items:,}", fontsize=8, va="center", color=_FADED)
        ticks.append((height, _cut(name, 34)))
        height += 1
    axes.set_yticks([tick for tick, _ in ticks], [name for _, name in ticks], fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_ylim(height, 0)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return _png(figure)


def ranks(ranking: Ranking) -> bytes:
    """Draw systems on the axis of their accuracy, and over them a bar for each group of which no pair differs.

    A critical-difference diagram (Demšar 2006) of the tests of `evaluation.ranking`: a dot on a bar is a system of its
    group; what a bar passes over without a dot is told apart from one of them. Labels have the ranks that the
    differences support.
    """
    shares = {score.system: score.value(FIGURE) or 0.0 for score in ranking.scores}
    groups = ranking.groups
    first, rows = 1 + 0.35 * len(groups), math.ceil(len(shares) / 2)
    figure = _figure(9, 1.5 + 0.26 * (first + rows))
    axes = figure.subplots()
    low, high = min(shares.values()), max(shares.values())
    margin = max(0.06 * (high - low), 0.005)
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(first + rows, 0)
    for place, (name, share) in enumerate(shares.items()):
        on_right = place < rows  # the better half; the best is the topmost on either side, and no two lines cross
        height = first + (place if on_right else len(shares) - 1 - place)
        edge = high + margin if on_right else low - margin
        axes.plot([share, share, edge], [0, height, height], color=_FADED, linewidth=1)
        text = f"{_cut(name, 30)}   {100 * share:.1f} %   {paper_tables.ranks(ranking, name)}"
        axes.annotate(
            text, (edge, height), (6 if on_right else -6, 0), textcoords="offset points", va="center",
            ha="left" if on_right else "right", fontsize=9, color=_INK, annotation_clip=False,
        )  # fmt: skip
    for level, group in enumerate(groups):
        places = [shares[name] for name in group]
        height = 0.7 + 0.35 * level
        axes.plot([min(places), max(places)], [height, height], color=COLOURS[0], linewidth=3.5, solid_capstyle="round")
        axes.plot(places, [height] * len(places), "o", color=COLOURS[0], markersize=6)
    axes.xaxis.tick_top()
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")
    axes.set_yticks([])
    for side in ("bottom", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(
        f"{ranking.scores[0].benchmark}: mean accuracy over the categories, and ranks.\n"
        "A bar joins systems that are not told apart (sign flips, Holm, 5 %)",
        fontsize=10, color=_INK,
    )  # fmt: skip
    return _png(figure)


def _cut(name: str, most: int = _CUT) -> str:
    """Leave out the middle of a long name: names of label sets differ at their ends."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[most // 2 + 1 - most :]}"


def _figure(width: float, height: float) -> Figure:
    """Make a figure of a size in inches. It draws without a screen and keeps no global state, as pyplot would."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110, metadata={"Software": None})  # else the file names matplotlib's version
    return sink.getvalue()
