"""Scores the answers of one system: puts figures, counts, confusion matrices and unusable answers together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from acbench._util.text import tidy
from acbench.errors import AcbenchError
from acbench.evaluation.answer_parsing import Outcome
from acbench.evaluation.confidence import confidence, selective
from acbench.evaluation.cost import cost
from acbench.evaluation.metrics import POOLED, UNUSABLE, by_class, cells, figures
from acbench.evaluation.open_set import open_set
from acbench.evaluation.predictions import MAX_SHOWN, Answers
from acbench.evaluation.result import (
    Bootstrap,
    ConfusionMatrix,
    Counts,
    Provenance,
    Scored,
    UnusableAnswer,
)
from acbench.evaluation.severity import severity
from acbench.evaluation.tallies import Cells
from acbench.evaluation.truth import Truth
from acbench.records import GOOD, JOIN
from acbench.schema.views import ClassSet

REFERENCES = "references of the system"
"""Why items that a system was shown are not scored."""
OTHER = "another set"
"""The column of answers that are right for no item of the category."""
_WORDS = {
    "unknown": "unparsed",
    "empty": "abstained",
    "error": "failed",
    "missing": "missing",
}
"""What an outcome without a usable answer is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringOptions:
    """What to compute."""

    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    negligible: Sequence[str] = ()
    """Classes (`category/class`) that are anomalies and no defects; see `severity`."""
    severity_draws: int = 0
    """How often negligible classes are drawn, if none are declared; 0 for never."""
    leaderboard: bool = False
    """Refuse what is no fair leaderboard entry."""


def score_answers(
    truth: Truth, answers: Answers, provenance: Provenance, options: ScoringOptions | None = None
) -> Scored:
    """Score answers.

    Raises AcbenchError if an item that is scored was shown to the system, if a negligible class occurs nowhere, or if
    a leaderboard entry was asked for and this is none.
    """
    options = options or ScoringOptions()
    if shown := {each for each in provenance.references if truth.targets.place(each) is not None}:
        raise AcbenchError(
            f"{provenance.system} was shown {len(shown)} of the scored items, such as {min(shown)}, as references",
            "references never come from what is scored: leave them out of the truth",
        )
    if options.leaderboard:
        check_leaderboard(provenance.system, provenance.localisation, truth.chosen)
    counted = cells(truth, answers)
    bootstrap = options.bootstrap
    return Scored(
        benchmark=truth.benchmark,
        view=truth.view,
        categories=truth.chosen,
        provenance=provenance,
        leaderboard=options.leaderboard,
        hashes={**truth.hashes, "predictions": answers.hash(truth)},
        items=len(truth.targets),
        part=truth.part,
        left_out=truth.left_out,
        answers_not_scored=answers.unscored,
        answers_from=answers.column,
        note="; ".join(filter(None, (truth.note, answers.note))),
        bootstrap=bootstrap,
        counts={
            POOLED: _counts(counted.values()),
            **{category: _counts([category_cells]) for category, category_cells in counted.items()},
        },
        figures=figures(counted, resamples=bootstrap.resamples, seed=bootstrap.seed),
        by_class={
            category: by_class(category_cells, truth.axis(category)) for category, category_cells in counted.items()
        },
        confusion={
            category: _confusion(category_cells, truth.axis(category)) for category, category_cells in counted.items()
        },
        unusable=_unusable(truth, answers),
        confidence=confidence(truth, answers),
        selective=selective(truth, answers),
        open_set=open_set(truth, answers),
        cost=cost(truth, answers),
        severity=severity(counted, options.negligible, options.severity_draws, truth.negligible),
    )


def check_leaderboard(system: str, localisation: str, categories: Sequence[str]) -> None:
    """Raises AcbenchError if masks or an unnamed source told where the defect is, or if only some categories are
    scored."""
    if localisation == "ground_truth":
        raise AcbenchError(
            f"{system} was shown ground-truth masks or boxes: that is an oracle, and no leaderboard entry",
            "take a detector's maps: acbench velm BENCHMARK",
        )
    if localisation == "not_stated":
        raise AcbenchError(
            "a leaderboard entry has to state who told the system where the defect is",
            "--localisation none or detector",
        )
    if categories:
        raise AcbenchError("a leaderboard entry has all categories", "leave --category out")


def _counts(parts: Iterable[Cells]) -> Counts:
    counts: Counter[str] = Counter()
    for counted in parts:
        for (wanted, outcome), count in counted.items():
            counts["items"] += count
            counts["normal" if wanted == (GOOD,) else "anomalous"] += count
            counts["right"] += count * (wanted == outcome.labels)
            if not outcome.usable:
                counts[_WORDS[outcome.status]] += count
    return Counts(
        items=counts["items"],
        normal=counts["normal"],
        anomalous=counts["anomalous"],
        right=counts["right"],
        unparsed=counts["unparsed"],
        abstained=counts["abstained"],
        failed=counts["failed"],
        missing=counts["missing"],
    )


def _confusion(counted: Cells, axis: Sequence[ClassSet]) -> ConfusionMatrix:
    rows = [*axis, *sorted({wanted for wanted, _ in counted} - set(axis))]
    names = [JOIN.join(answer) for answer in rows]
    row_of = {answer: number for number, answer in enumerate(rows)}
    columns: list[str] = [*names, OTHER, *(_WORDS[status] for status in UNUSABLE)]
    other = len(rows)
    column_of = {status: other + 1 + number for number, status in enumerate(UNUSABLE)}

    def column(outcome: Outcome) -> int:
        return row_of.get(outcome.labels, other) if outcome.usable else column_of[outcome.status]

    table = [[0] * len(columns) for _ in rows]
    for (wanted, outcome), count in counted.items():
        table[row_of[wanted]][column(outcome)] += count
    return ConfusionMatrix(true=names, answered=columns, counts=table)


def _unusable(truth: Truth, answers: Answers) -> list[UnusableAnswer]:
    unusable = []
    table = answers.table(truth)
    for place in table.having(*UNUSABLE).tolist():
        target = truth.targets[place]
        unusable.append(
            UnusableAnswer(
                item_id=target.item_id,
                image=target.image,
                why=_WORDS[table.outcomes[table.outcome[place]].status],
                answer=tidy(table.raw(place), MAX_SHOWN),
            )
        )
    return unusable
