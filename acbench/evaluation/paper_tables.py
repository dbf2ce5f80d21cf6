"""Writes scores as the tables of a paper: LaTeX (booktabs), Markdown, or CSV with one figure a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from acbench._util import markdown as md
from acbench._util.console import table
from acbench._util.text import printable
from acbench.evaluation.metrics import MEAN, POOLED
from acbench.evaluation.ranking import FIGURE, Pair, Ranking
from acbench.evaluation.result import Scored
from acbench.evaluation.tables import (
    MAIN,
    TITLES,
    Row,
    category_intervals,
    classes,
    difference,
    interval,
    localisation,
    shown_metrics,
    unusable,
    without_interval,
)

FORMATS = ("text", "latex", "markdown", "csv", "json")
CSV_COLUMNS = ("system", "scope", "class", "metric", "value", "low", "high", "n")
_LATEX = {ord(mark): f"\\{mark}" for mark in "&%$#_{}"} | {
    ord("\\"): r"\textbackslash{}", ord("~"): r"\textasciitilde{}", ord("^"): r"\textasciicircum{}",
    ord("–"): "--", ord("−"): "$-$", ord("<"): "$<$", ord(">"): "$>$",
}  # fmt: skip
Titled = tuple[str, list[Row]]
"""A title, and rows of which the first is the head."""
NOTE = (
    "In percent; kappa, MCC and F1 times 100. Means over the categories with intervals of 95 %: Wilson's of shares of "
    "one category, else BCa bootstrap within classes."
)


def of_ranking(ranking: Ranking) -> list[Titled]:
    """The systems, their differences, and each category."""
    systems: list[Row] = [("rank", "system", *(TITLES[name] for name in MAIN), "unusable")]
    for score in ranking.scores:
        values = (interval(score.figures.estimates[name][MEAN]) for name in MAIN)
        systems.append((ranks(ranking, score.system), score.system, *values, f"{score.counts[POOLED].unusable:,}"))
    pairs: list[Row] = [("pair", "difference of accuracy", "p", "p (Holm)", "")]
    for pair in ranking.pairs:
        what = "differs" if pair.differs else "not told apart"
        name = f"{pair.first} minus {pair.second}"
        pairs.append((name, difference(pair.difference), _p(pair.p), _p(pair.p_holm), what))
    names = [score.system for score in ranking.scores]
    categories: list[Row] = [("accuracy by category", "n", *names)]
    for category, counts in ranking.scores[0].counts.items():
        if category != POOLED:
            cells = (interval(score.figures.estimates[FIGURE][category]) for score in ranking.scores)
            categories.append((category, f"{counts.items:,}", *cells))
    return [("Systems", systems), ("Differences", pairs), ("Categories", categories)]


def of_score(score: Scored) -> list[Titled]:
    """The figures of one system, each category with intervals, and each class."""
    figures: list[Row] = [("figure", "mean over categories", "pooled", "n")]
    for name in shown_metrics(score):
        scopes = score.figures.estimates[name]
        n = score.figures.sizes[name][POOLED]
        figures.append((TITLES[name], interval(scopes[MEAN]), interval(scopes[POOLED]), f"{n:,}"))
    return [("Figures", figures), ("Categories", category_intervals(score)), ("Classes", classes(score))]


def text(ranking: Ranking) -> str:
    """What the screen shows of several systems."""
    parts = [table(rows) for _, rows in of_ranking(ranking)]
    lines = [
        printable(
            f"{score.system}: {score.answers_from}; {localisation(score)}; no class named:"
            f" {unusable(score.counts[POOLED])}"
        )
        for score in ranking.scores
    ]
    reasons = dict.fromkeys(line for score in ranking.scores for line in without_interval(score, MAIN))
    return "\n\n".join([*parts, "\n".join([NOTE, together(ranking), *lines, *reasons])])


def ranks(ranking: Ranking, system: str) -> str:
    """The ranks of a system that the differences support: `2`, or `1–3`."""
    best, worst = ranking.ranks[system]
    return str(best) if best == worst else f"{best}–{worst}"


def together(ranking: Ranking) -> str:
    """Which systems are not told apart, in words."""
    groups = "; ".join(", ".join(group) for group in ranking.groups)
    return f"Not told apart: {groups}" if groups else "All are told apart"


def markdown(tables: Iterable[Titled]) -> str:
    """Tables under headings."""
    parts = []
    for title, (head, *rows) in tables:
        cells = [[md.escaped(cell) for cell in row] for row in rows]
        parts.append(f"## {title}\n\n{md.table([md.escaped(cell) for cell in head], cells)}\n")
    return "\n".join([*parts, f"{md.escaped(NOTE)}\n"])


def latex(tables: Iterable[Titled]) -> str:
    """Tables for `\\usepackage{booktabs}`."""
    parts = [f"% {NOTE}"]
    for title, (head, *rows) in tables:
        body = "\n".join(f"{_latex_row(row)} \\\\" for row in rows)
        align = "l" * (2 if title in {"Systems", "Classes"} else 1)
        parts.append(
            f"% {title}\n\\begin{{tabular}}{{{align}{'r' * (len(head) - len(align))}}}\n\\toprule\n"
            f"{_latex_row(head)} \\\\\n\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}"
        )
    return "\n\n".join(parts) + "\n"


def csv_text(scores: Sequence[Scored], pairs: Sequence[Pair] = ()) -> str:
    """One figure a row, as fractions; those of a class have its name, and precision, recall and F1 as metrics.

    A pair is a system `A minus B`, with the difference of the mean accuracy and its p, as it is and corrected.
    """
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for score in scores:
        for each in score.scores:
            writer.writerow((each.system, each.scope, "", each.metric, each.value, each.low, each.high, each.n))
        for category, own in score.by_class.items():
            for name, figures in own.items():
                shares = {"precision": figures.precision, "recall": figures.recall, "f1": figures.f1}
                for metric, value in shares.items():
                    if value is not None:
                        writer.writerow((score.system, category, name, metric, value, None, None, figures.items))
    for pair in pairs:
        name, gap = f"{pair.first} minus {pair.second}", pair.difference
        writer.writerow((name, MEAN, "", f"{FIGURE}_difference", gap.value, gap.low, gap.high, gap.n))
        for metric, p in (("p", pair.p), ("p_holm", pair.p_holm)):
            writer.writerow((name, MEAN, "", metric, p, None, None, gap.n))
    return sink.getvalue()


def _latex_row(row: Row) -> str:
    return " & ".join(" ".join(cell.split()).translate(_LATEX) for cell in row)


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"
