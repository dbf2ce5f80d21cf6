"""A score as people read it: rows for the terminal, and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from acbench._util.console import table
from acbench._util.text import printable

TITLES = {
    "accuracy": "accuracy",
    "accuracy_anomalous": "anomalies only",
    "accuracy_detected": "given detected",
    "macro_f1": "macro-F1",
    "kappa": "kappa",
    "jaccard": "Jaccard",
    "jaccard_anomalous": "Jaccard, anomalies",
    "missed": "missed",
    "false_alarms": "false alarms",
    "floor": "floor",
    "floor_anomalous": "floor, anomalies",
}
SHORT = {
    "accuracy_anomalous": "anomalies",
    "accuracy_detected": "detected",
    "macro_f1": "F1",
    "jaccard_anomalous": "J., an.",
    "false_alarms": "alarms",
    "floor_anomalous": "floor, an.",
}
"""Heads of narrow columns."""
SINGLE = tuple(name for name in TITLES if not name.startswith("jaccard"))
"""Where every item has one class, Jaccard is accuracy."""
UNUSABLE = ("unparsed", "abstained", "failed", "missing")
FIRST = 3
"""So many answers without a class, and so many images without an answer, are shown on the screen."""

Facts = Mapping[str, Any]


def headline(facts: Facts) -> str:
    """One sentence."""
    counts = facts["counts"]["pooled"]
    what = f"{counts['items']:,} images ({counts['anomalous']:,} anomalous), {facts['view']} view"
    if facts["categories"] != "all":
        what += f", {', '.join(facts['categories'])} alone"
    if facts["part"]:
        what += f", a part: {facts['part']['items']:,} of {facts['part']['of']:,}"
    left = "; ".join(f"{count:,} {why}" for why, count in facts["left_out"].items())
    said = f"{facts['system']} on {facts['benchmark']}: {what}" + (f"; not scored: {left}" if left else "")
    return printable(said)


def summary(facts: Facts) -> list[tuple[str, ...]]:
    """Overall figures, one a row: mean over the categories, and pooled."""
    rows: list[tuple[str, ...]] = [("", "mean over categories", "pooled", "n")]
    for name in _metrics(facts):
        mean, pooled = (facts["scores"][name][scope] for scope in ("mean", "pooled"))
        rows.append((TITLES[name], interval(mean), interval(pooled), f"{pooled['n']:,}"))
    return rows


def categories(facts: Facts) -> list[tuple[str, ...]]:
    """Figures of each category, one a row."""
    metrics = _metrics(facts)
    rows = [("category", "n", *(SHORT.get(name, TITLES[name]) for name in metrics), "unusable")]
    for key, counts in facts["counts"].items():
        if key != "pooled":
            values = (number(facts["scores"][name][key]["value"]) for name in metrics)
            rows.append((printable(key), f"{counts['items']:,}", *values, str(sum(counts[name] for name in UNUSABLE))))
    return rows


def unusable(facts: Facts) -> str:
    """How many answers were none, in words."""
    counts = facts["counts"]["pooled"]
    return ", ".join(f"{counts[name]:,} {name}" for name in UNUSABLE)


def text(facts: Facts, *more: str) -> str:
    """The screen. `more`: lines below the first."""
    lines = [headline(facts), *more, "", table(summary(facts)), "", table(categories(facts)), ""]
    lines.append("In percent; kappa and F1 times 100; intervals of 95 %.")
    if "severity" in facts:
        lines += ["", table(severity(facts))]
    lines.append(f"No usable answer, counted as wrong: {unusable(facts)}")
    spoken = [row for row in facts["unusable"] if row["why"] != "missing"]
    missing = [row for row in facts["unusable"] if row["why"] == "missing"]
    for rows in (spoken, missing):
        for row in rows[:FIRST]:
            answer = f": {row['answer'][:80]!r}" if rows is spoken else ""
            lines.append(f"  {printable(row['image'])}: {row['why']}{answer}")
        if len(rows) > FIRST:
            lines.append(f"  and {len(rows) - FIRST:,} more: --json")
    if facts["answers_not_scored"]:
        lines.append(f"{facts['answers_not_scored']:,} answers are about images that are not scored")
    lines.append(f"Comparable with what has the same: {comparability(facts)}")
    return "\n".join(lines)


def comparability(facts: Facts) -> str:
    """What two results have to share; the hash of the answers is no part of it."""
    hashes = "  ".join(f"{name} {value}" for name, value in facts["hashes"].items() if name != "predictions")
    told = facts["localisation"].replace("_", " ") + (
        f" ({facts['localisation_detail']})" if facts["localisation_detail"] else ""
    )
    return f"localisation: {told}; {hashes}"


def markdown(facts: Facts) -> str:
    """The whole score for a README or a pull request."""
    parts = [
        f"# {_safe(facts['system'])} on {_safe(facts['benchmark'])}",
        _safe(headline(facts)),
        _table([[cell or "figure" for cell in row] for row in summary(facts)]),
        f"Intervals: 95 %, bootstrap of {facts['bootstrap']['resamples']:,} resamples within each category. "
        f"Without a usable answer, and counted as wrong: {unusable(facts)}.",
        "## Categories",
        _table(categories(facts)),
    ]
    if "severity" in facts:
        parts += ["## Anomaly or defect", _table(severity(facts))]
    for key, found in facts["confusion"].items():
        parts += [f"## Confusion: {_safe(key)}", _table(confusion(found))]
    if facts["unusable"]:
        rows = [("image", "why", "answer"), *((row["image"], row["why"], row["answer"]) for row in facts["unusable"])]
        parts += ["## Without a usable answer", _table(rows)]
    return "\n\n".join([*parts, "## Comparable with", f"`{comparability(facts)}`"]) + "\n"


def severity(facts: Facts) -> list[tuple[str, ...]]:
    """Defect or not, over the draws of negligible classes."""
    found = facts["severity"]
    rows: list[tuple[str, ...]] = [("negligible: " + found["chosen"], "mean", "standard deviation")]
    for name, title in (("accuracy", "accuracy"), ("missed_defects", "missed defects"), ("false_stops", "false stops")):
        rows.append((title, number(found["mean"][name]), number(found["spread"][name])))
    return rows


def confusion(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows are what is true, columns what was answered; columns of zeros past the classes are left out."""
    classes = len(found["true"])
    keep = [at for at, _ in enumerate(found["answered"]) if at < classes or any(row[at] for row in found["counts"])]
    head = ("true \\ answered", *(found["answered"][at] for at in keep))
    rows = zip(found["true"], found["counts"], strict=True)
    return [head, *((name, *(str(row[at]) for at in keep)) for name, row in rows)]


def versus(facts: Facts, one: str, other: str) -> list[tuple[str, ...]]:
    """Differences of two systems, one a row."""
    rows: list[tuple[str, ...]] = [(f"{one} minus {other}", "mean over categories", "pooled")]
    for name, scopes in facts["difference"].items():
        rows.append((TITLES[name], *(_signed(scopes[scope]) for scope in ("mean", "pooled"))))
    return rows


def interval(found: Mapping[str, Any]) -> str:
    """`71.2 % (69.0–73.1)`, or what there is of it."""
    if found["value"] is None or found["low"] is None:
        return number(found["value"])
    return f"{number(found['value'])} ({100 * found['low']:.1f}–{100 * found['high']:.1f})"


def number(value: float | None) -> str:
    """In hundredths."""
    return "–" if value is None else f"{100 * value:.1f}"


def _signed(found: Mapping[str, float | None]) -> str:
    if found["value"] is None or found["low"] is None or found["high"] is None:
        return "–" if found["value"] is None else f"{100 * found['value']:+.1f}"
    return f"{100 * found['value']:+.1f} ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"


def _metrics(facts: Facts) -> Sequence[str]:
    return tuple(TITLES) if facts["view"] == "sets" else SINGLE


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(map(_safe, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def _safe(text: str) -> str:
    """A stranger's words as words: no markup, no link, no cell of their own."""
    return text.translate(_SAFE)


_SAFE = {ord(mark): f"\\{mark}" for mark in "\\`*_{}[]()#+!|~$"} | {ord(mark): f"&#{ord(mark)};" for mark in "<>@&"}
