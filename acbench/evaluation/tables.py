"""Shows a score to people: as text for the screen, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from acbench._util import markdown as md
from acbench._util.console import table
from acbench._util.text import printable
from acbench.evaluation.metrics import MEAN, POOLED
from acbench.evaluation.severity import Severity
from acbench.evaluation.significance import PairedComparison
from acbench.review.wording import STATUS, UNPARSED
from acbench.stats import Estimate

if TYPE_CHECKING:
    from acbench.evaluation.open_set import NamedOutside
    from acbench.evaluation.result import ConfusionMatrix, Counts, Scored, UnusableAnswer

TITLES = {
    "accuracy": "accuracy",
    "accuracy_anomalous": "anomalies only",
    "accuracy_detected": "given detected",
    "macro_f1": "macro-F1",
    "f1_velm": "macro-F1 as VELM",
    "balanced_accuracy": "balanced accuracy",
    "kappa": "kappa",
    "mcc": "MCC",
    "jaccard": "Jaccard",
    "jaccard_anomalous": "Jaccard, anomalies",
    "missed": "missed",
    "false_alarms": "false alarms",
    "floor": "floor",
    "floor_anomalous": "floor, anomalies",
}
SHORT_TITLES = {
    "accuracy_anomalous": "anomalies",
    "accuracy_detected": "detected",
    "macro_f1": "F1",
    "f1_velm": "F1, VELM",
    "balanced_accuracy": "balanced",
    "jaccard_anomalous": "J., an.",
    "false_alarms": "alarms",
    "floor_anomalous": "floor, an.",
}
"""Heads of narrow columns, where they differ."""
SINGLE_CLASS_METRICS = tuple(name for name in TITLES if not name.startswith("jaccard"))
"""Where every item has one class, the Jaccard index is the accuracy."""
MAIN = ("accuracy", "accuracy_anomalous", "macro_f1", "balanced_accuracy", "kappa", "mcc")
"""Figures that stand beside each other with their intervals."""
UNUSABLE = {
    "unparsed": UNPARSED["unknown"],
    "abstained": UNPARSED["empty"],
    "failed": UNPARSED["error"],
    "missing": "no answer",
}
"""Why an answer cannot be used → how people read it."""
SHOWN = 3
"""How many unusable answers, and how many images without an answer, the screen lists."""

Row = tuple[str, ...]


def headline(score: Scored) -> str:
    """One sentence on what was scored."""
    counts = score.counts[POOLED]
    what = f"{counts.items:,} images ({counts.anomalous:,} anomalous), {score.view} view"
    if score.categories:
        what += f", {', '.join(score.categories)} alone"
    if score.part:
        what += f", a part: {score.part.items:,} of {score.part.of:,}"
    left_out = "; ".join(f"{count:,} {STATUS.get(why, why)}" for why, count in score.left_out.items())
    sentence = f"{score.system} on {score.benchmark}: {what}" + (f"; not scored: {left_out}" if left_out else "")
    return printable(sentence)


def summary(score: Scored) -> list[Row]:
    """The overall figures, one a row: mean over the categories, and pooled."""
    rows: list[Row] = [("", "mean over categories", "pooled", "n")]
    for metric in shown_metrics(score):
        scopes, n = score.figures.estimates[metric], score.figures.sizes[metric][POOLED]
        missing = score.figures.missing.get(metric, {})
        shown = (interval(scopes[scope]) + (" (–)" if scope in missing else "") for scope in (MEAN, POOLED))
        rows.append((TITLES[metric], *shown, f"{n:,}"))
    return rows


def without_interval(score: Scored, metrics: Sequence[str] = ()) -> list[str]:
    """Why figures of the summary have no interval, a reason a line. `metrics`: which; empty for all that are shown."""
    reasons: dict[str, list[str]] = {}
    for metric in metrics or shown_metrics(score):
        for scope in (MEAN, POOLED):
            if why := score.figures.missing.get(metric, {}).get(scope):
                reasons.setdefault(why, []).append(TITLES[metric])
    return [f"(–) no interval of {', '.join(dict.fromkeys(of))}: {why}" for why, of in reasons.items()]


def categories(score: Scored) -> list[Row]:
    """The figures of each category, one category a row."""
    metrics = shown_metrics(score)
    rows: list[Row] = [("category", "n", *(SHORT_TITLES.get(name, TITLES[name]) for name in metrics), "unusable")]
    for category, counts in score.counts.items():
        if category != POOLED:
            values = (number(score.value(metric, category)) for metric in metrics)
            rows.append((printable(category), f"{counts.items:,}", *values, str(counts.unusable)))
    return rows


def category_intervals(score: Scored) -> list[Row]:
    """The main figures of each category with their intervals."""
    rows: list[Row] = [("category", "n", *(TITLES[name] for name in MAIN))]
    for category, counts in score.counts.items():
        if category != POOLED:
            values = (interval(score.figures.estimates[name][category]) for name in MAIN)
            rows.append((category, f"{counts.items:,}", *values))
    return rows


def classes(score: Scored) -> list[Row]:
    """Precision, recall and F1 of each class, and how many images show it."""
    rows: list[Row] = [("category", "class", "precision", "recall", "F1", "support")]
    for category, own in score.by_class.items():
        for name, each in own.items():
            shares = (number(each.precision), number(each.recall), number(each.f1))
            rows.append((category, name, *shares, f"{each.items:,}"))
    return rows


def unusable(counts: Counts) -> str:
    """How many items have no usable answer, and why."""
    by_why = ((words, getattr(counts, why)) for why, words in UNUSABLE.items())
    return ", ".join(f"{count:,} × {words}" for words, count in by_why if count) or "none"


def text(score: Scored, *more: str) -> str:
    """What the screen shows. `more`: lines below the first."""
    lines = [headline(score), *more]
    if score.answers_from:
        lines.append(printable(f"Answers: {score.answers_from}"))
    if score.note:
        lines.append(printable(f"Note: {score.note}"))
    lines += ["", table(summary(score)), "", table(categories(score)), ""]
    lines.append(
        "In percent; kappa, MCC and F1 times 100; intervals of 95 %. Floor: who always says the commonest class."
    )
    lines += without_interval(score)
    lines += about_answers(score)
    if score.severity:
        lines += ["", table(severity(score.severity))]
    lines.append(f"Counted as wrong, since no class was named: {unusable(score.counts[POOLED])}")
    lines += _first(answer for answer in score.unusable if answer.why != "missing")
    lines += _first(answer for answer in score.unusable if answer.why == "missing")
    if score.answers_not_scored:
        lines.append(f"{score.answers_not_scored:,} answers are about images that are not scored")
    lines.append(f"Comparable with scores that have the same: {comparability(score)}")
    return "\n".join(lines)


def _first(answers: Iterable[UnusableAnswer]) -> list[str]:
    listed = list(answers)
    lines = []
    for answer in listed[:SHOWN]:
        words = "" if answer.why == "missing" else f": {answer.answer[:80]!r}"
        lines.append(f"  {printable(answer.image)}: {UNUSABLE[answer.why]}{words}")
    if len(listed) > SHOWN:
        lines.append(f"  and {len(listed) - SHOWN:,} more: --json")
    return lines


def comparability(score: Scored) -> str:
    """What two scores have to share to be comparable. The hash of the answers is no part of it."""
    return f"{localisation(score)}; {hashes(score)}"


def localisation(score: Scored) -> str:
    """Who told the system where the defect is."""
    provenance = score.provenance
    detail = f" ({provenance.detail})" if provenance.detail else ""
    return f"localisation: {provenance.localisation.replace('_', ' ')}{detail}"


def hashes(score: Scored) -> str:
    """The hashes of what is scored, and how."""
    return "  ".join(f"{name} {value}" for name, value in score.hashes.items() if name != "predictions")


def markdown(score: Scored) -> str:
    """The whole score as a Markdown page, for a README or a pull request."""
    (_, *head), *rows = summary(score)
    parts = [
        f"# {md.escaped(score.system)} on {md.escaped(score.benchmark)}",
        md.escaped(headline(score)),
        _markdown_table([("figure", *head), *rows]),
        f"Intervals: 95 %; Wilson's of shares, else BCa of {score.bootstrap.resamples:,} resamples within each class. "
        f"Counted as wrong, since no class was named: {unusable(score.counts[POOLED])}.",
        *without_interval(score),
        *([f"Note: {md.escaped(score.note)}"] if score.note else []),
        "## Categories",
        _markdown_table(categories(score)),
        "With intervals:",
        _markdown_table(category_intervals(score)),
        "## Classes",
        _markdown_table(classes(score)),
    ]
    parts += [md.escaped(line.strip()) for line in about_answers(score)]
    if score.severity:
        parts += ["## Anomaly or defect", _markdown_table(severity(score.severity))]
    for category, matrix in score.confusion.items():
        parts += [f"## Confusion: {md.escaped(category)}", _markdown_table(confusion(matrix))]
    if score.unusable:
        answers = [(answer.image, UNUSABLE[answer.why], answer.answer) for answer in score.unusable]
        parts += ["## Without a usable answer", _markdown_table([("image", "why", "answer"), *answers])]
    return "\n\n".join([*parts, "## Comparable with", f"`{comparability(score)}`"]) + "\n"


def about_answers(score: Scored) -> list[str]:
    """What confidences, abstentions, answers that are no class, and money are worth, a line each; none where there are
    none."""
    lines = []
    if part := score.selective:
        lines.append(f"Answered: {interval(part.coverage)}; of these wrong: {interval(part.risk)}")
    if given := score.confidence:
        top = "".join(f"top-{k} {interval(share)}, " for k, share in given.top_k.items())
        error, brier = number(given.calibration["error"]), number(given.calibration["brier"])
        lines.append(
            f"{'Probabilities' if given.top_k else 'Confidences'} of {given.answers:,} images: {top}"
            f"expected calibration error {error}, Brier score {brier}, area under risk and coverage"
            f" {number(given.aurc)}"
        )
    if named := score.open_set:
        lines.append(
            f"No class of its category named: {interval(named.outside)}; a class of another category:"
            f" {interval(named.elsewhere)}"
        )
        lines += [f"  {printable(outside(each))}" for each in named.named[:SHOWN]]
        if len(named.named) > SHOWN:
            lines.append(f"  and {len(named.named) - SHOWN:,} more: --json")
    if spent := score.cost:
        per_right = "–" if spent.dollars_per_right is None else f"{spent.dollars_per_right:,.4g}"
        lines.append(
            f"Cost: {spent.dollars:,.4g} dollars for {spent.answers:,} answers, {per_right} dollars a right answer"
        )
    return lines


def outside(named: NamedOutside) -> str:
    """An answer that is no class of its category, and whose class it is."""
    whose = f", a class of {', '.join(named.class_of)}" if named.class_of else ""
    times = f", {named.items:,} times" if named.items > 1 else ""
    return f"{named.category}: {named.answer!r}{times}{whose}"


def severity(figures: Severity) -> list[Row]:
    """Anomaly or defect, averaged over the draws of negligible classes."""
    mean, spread = figures.mean, figures.spread
    named = (
        ("normal, negligible or defect (VELM, table 4): mean", mean.three_way.mean, spread.three_way.mean),
        ("  normal as normal", mean.three_way.normal, spread.three_way.normal),
        ("  negligible as negligible", mean.three_way.negligible, spread.three_way.negligible),
        ("  defects as defects", mean.three_way.defect, spread.three_way.defect),
        ("stop or pass: accuracy", mean.accuracy, spread.accuracy),
        ("  missed defects", mean.missed_defects, spread.missed_defects),
        ("  false stops", mean.false_stops, spread.false_stops),
    )
    return [
        (f"negligible: {figures.chosen}", "mean", "standard deviation"),
        *((name, number(value), number(deviation)) for name, value, deviation in named),
    ]


def confusion(matrix: ConfusionMatrix) -> list[Row]:
    """A row for each right answer, a column for each outcome; columns of zeros after the right answers are left out."""
    columns = [
        column
        for column in range(len(matrix.answered))
        if column < len(matrix.true) or any(row[column] for row in matrix.counts)
    ]
    head = ("true \\ answered", *(matrix.answered[column] for column in columns))
    rows = zip(matrix.true, matrix.counts, strict=True)
    return [head, *((name, *(str(row[column]) for column in columns)) for name, row in rows)]


def comparison(compared: PairedComparison, first: str, second: str) -> list[Row]:
    """The differences of two systems, one metric a row."""
    rows: list[Row] = [(f"{first} minus {second}", "mean over categories", "pooled")]
    for metric, scopes in compared.difference.items():
        rows.append((TITLES[metric], difference(scopes[MEAN]), difference(scopes[POOLED])))
    return rows


def interval(estimate: Estimate | None) -> str:
    """In percent: `71.2 (69.0–73.1)`, or as much of it as is defined."""
    if estimate is None:
        return number(None)
    if estimate.low is None or estimate.high is None:
        return number(estimate.value)
    return f"{number(estimate.value)} ({100 * estimate.low:.1f}–{100 * estimate.high:.1f})"


def number(value: float | None) -> str:
    """In percent."""
    return "–" if value is None else f"{100 * value:.1f}"


def difference(estimate: Estimate) -> str:
    """In points: `+1.2 (-0.3 to +2.7)`."""
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:+.1f}"
    return f"{100 * estimate.value:+.1f} ({100 * estimate.low:+.1f} to {100 * estimate.high:+.1f})"


def shown_metrics(score: Scored) -> Sequence[str]:
    """The figures that are shown; where every item has one class, Jaccard is accuracy and left out."""
    return tuple(TITLES) if score.view == "sets" else SINGLE_CLASS_METRICS


def _markdown_table(rows: Sequence[Row]) -> str:
    head, *others = ([md.escaped(cell) for cell in row] for row in rows)
    return md.table(head, others)
