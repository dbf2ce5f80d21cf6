"""`acbench compare`: compares proposers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from acbench.cli.options import benchmark_argument, json_option, opened, option, project_option

if TYPE_CHECKING:
    from acbench.evaluation.proposers import ProposerComparison, ProposerFigures

MISTAKES = 3
"""How many of a proposer's most frequent mistakes are shown."""


@click.command(epilog="\b\nExample:\n  acbench compare sample")
@benchmark_argument
@option(
    "--truth",
    type=click.Choice(["people", "labels"]),
    help="Judge by what people decided, or by all current labels, which the proposers helped to make."
    "  [default: people, if they decided anything]",
)
@json_option
@project_option
def compare(benchmark: str, project: Path, truth: str | None, as_json: bool) -> int:
    """Compare proposers: accuracy, agreement, calibration, cost per right label, and most frequent mistakes."""
    from acbench.cli.screen import Screen
    from acbench.workflows import compare as comparing

    with opened(project, benchmark) as run:
        compared = comparing.compare(run, people_only=None if truth is None else truth == "people")
        picture = comparing.draw_comparison(run, compared)
    if as_json:
        click.echo(json.dumps(compared.to_json(), indent=1, ensure_ascii=False))
        return 0
    click.echo(_text(compared))
    click.echo(f"\npicture  {picture}")
    if truth is None and not compared.people_only:
        Screen().note("nobody has decided anything yet: proposers are judged by labels that they helped to make")
    return 0


def _text(compared: ProposerComparison) -> str:
    from acbench._util.console import table
    from acbench.review.calibrated import CAUTION, METHOD

    head = ("proposer", "answered", "accuracy", "kappa", "calibration error", "dollars", "per right label")
    parts = [
        f"{compared.images:,} anomalous images, judged by {compared.truth}",
        table([head, *(_row(name, figures) for name, figures in compared.proposers.items())]),
    ]
    if reliability := _reliability_rows(compared):
        judged_by = {own.reliability.judged_by for own in compared.proposers.values() if own.reliability}
        parts.append(f"{table(reliability)}\n{METHOD}." + (f"\n{CAUTION}." if "people" in judged_by else ""))
    pairs = [
        (f"{pair.one} and {pair.other}", f"{pair.images:,}", _number(pair.same), _kappa(pair.kappa, pair.missing))
        for pair in compared.agreement
    ]
    if pairs:
        parts.append(table([("agreement of", "images", "same", "kappa"), *pairs]))
    mistakes = [
        (name, mistake.category, mistake.true, mistake.said, str(mistake.images))
        for name, figures in compared.proposers.items()
        for mistake in figures.confusions[:MISTAKES]
    ]
    if mistakes:
        parts.append(table([("fails most", "category", "true", "said", "images"), *mistakes]))
    return "\n\n".join(parts)


def _row(name: str, figures: ProposerFigures) -> tuple[str, ...]:
    overall, cost = figures.overall, figures.cost
    accuracy = overall.accuracy
    return (
        _who(name, figures),
        f"{overall.answered:,}",
        f"{accuracy.value:.3f} ({accuracy.low:.3f}–{accuracy.high:.3f})" if accuracy else "–",
        _kappa(overall.kappa, overall.missing),
        _number(figures.calibration["error"] if figures.calibration else None),
        f"{cost.dollars:.2f}" if cost.calls else "–",
        _number(cost.dollars_per_right, 4),
    )


def _who(name: str, figures: ProposerFigures) -> str:
    """A proposer, with the models that answered, and whether it is still asked."""
    models = f" ({', '.join(figures.models)})" if figures.models else ""
    return f"{name}{models}" + ("" if figures.asked else ", no longer asked")


def _reliability_rows(compared: ProposerComparison) -> list[tuple[str, ...]]:
    """How far each proposer's scores are from what they say, as they are and calibrated; empty without any."""
    rows: list[tuple[str, ...]] = []
    for name, figures in compared.proposers.items():
        if made := figures.reliability:
            before, after = made.before, made.after
            pairs = ((before[key], after[key]) for key in ("error", "brier", "log_loss"))
            shown = (f"{_number(one)} → {_number(other)}" for one, other in pairs)
            rows.append((name, f"{before['n']:,} by {made.judged_by}", *shown))
    head = ("scores, as they are → calibrated", "judged", "calibration error", "Brier score", "log-loss")
    return [head, *rows] if rows else []


def _kappa(value: float | None, missing: str) -> str:
    """A kappa; without one, a dash and why."""
    return f"– ({missing})" if missing else _number(value)


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
