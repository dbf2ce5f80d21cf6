"""Shows a comparison of proposers as rows of text, for the screen and for the report."""

from __future__ import annotations

from acbench.evaluation.proposers import ProposerComparison, ProposerFigures

Row = tuple[str, ...]
"""The cells of one row. The first row of a table is its head."""


def proposer_rows(compared: ProposerComparison) -> list[Row]:
    """How good each proposer is, and what its answers cost."""
    head = ("proposer", "answered", "accuracy", "kappa", "calibration error", "dollars", "per right label")
    return [head, *(_cells(name, figures) for name, figures in compared.proposers.items())]


def _cells(name: str, figures: ProposerFigures) -> Row:
    overall, cost = figures.overall, figures.cost
    accuracy = overall.accuracy
    return (
        _who(name, figures),
        f"{overall.answered:,}",
        f"{accuracy.value:.3f} ({accuracy.low:.3f}–{accuracy.high:.3f})" if accuracy else "–",
        _kappa(overall.kappa, overall.missing),
        _number(figures.calibration["error"] if figures.calibration else None),
        f"– ({cost.missing})" if cost.missing else _number(cost.dollars if cost.calls else None, 2),
        _number(cost.dollars_per_right, 4),
    )


def _who(name: str, figures: ProposerFigures) -> str:
    """A proposer, with the models that answered, and whether it is still asked."""
    models = f" ({', '.join(figures.models)})" if figures.models else ""
    return f"{name}{models}" + ("" if figures.asked else ", no longer asked")


def pair_rows(compared: ProposerComparison) -> list[Row]:
    """How far each two proposers agree; empty if there is one."""
    pairs: list[Row] = [
        (f"{pair.one} and {pair.other}", f"{pair.images:,}", _number(pair.same), _kappa(pair.kappa, pair.missing))
        for pair in compared.agreement
    ]
    return [("agreement of", "images", "same", "kappa"), *pairs] if pairs else []


def mistake_rows(compared: ProposerComparison, most: int) -> list[Row]:
    """The most frequent mistakes of each proposer, at most so many; empty if there are none."""
    mistakes: list[Row] = [
        (name, mistake.category, mistake.true, mistake.said, str(mistake.images))
        for name, figures in compared.proposers.items()
        for mistake in figures.confusions[:most]
    ]
    return [("fails most", "category", "true", "said", "images"), *mistakes] if mistakes else []


def reliability_rows(compared: ProposerComparison) -> list[Row]:
    """How far each proposer's scores are from what they say, as they are and calibrated; empty without any."""
    rows: list[Row] = []
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
