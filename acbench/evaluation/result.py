"""The score of one system: its figures, counts and confusion matrices, and what makes two scores comparable."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acbench import __version__
from acbench._util.text import json_text
from acbench.evaluation.confidence import Confidence, Selective
from acbench.evaluation.cost import Cost
from acbench.evaluation.metrics import MEAN, POOLED, ClassFigures, Figures
from acbench.evaluation.open_set import OpenSet
from acbench.evaluation.severity import Severity
from acbench.evaluation.truth import Part
from acbench.records import Score
from acbench.stats import Estimate

LOCALISATIONS = ("none", "detector", "ground_truth", "not_stated")
"""Who told the system where the defect is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How answers were made, as far as it decides whether they may be compared."""

    system: str
    localisation: str = "not_stated"
    """One of LOCALISATIONS."""
    detail: str = ""
    """Which detector, which threshold."""
    references: tuple[str, ...] = ()
    """Ids of the items that the system was shown with their class or as normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How intervals are computed."""

    resamples: int = 1_000
    """0 for no intervals."""
    seed: int = 0
    level: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Items of one scope."""

    items: int
    normal: int
    anomalous: int
    right: int
    unparsed: int
    abstained: int
    failed: int
    missing: int

    @property
    def unusable(self) -> int:
        """Items without a usable answer."""
        return self.unparsed + self.abstained + self.failed + self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionMatrix:
    """One category: a row for each right answer, a column for each outcome."""

    true: Sequence[str]
    """Names of the rows: the classes in the schema's order, then sets of several classes."""
    answered: Sequence[str]
    """Names of the columns: those of the rows, then outcomes that are no right answer of the category."""
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableAnswer:
    """One item without a usable answer."""

    item_id: str
    image: str
    why: str
    """`unparsed`, `abstained`, `failed` or `missing`."""
    answer: str
    """What the system wrote, on one line and shortened."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Scored:
    """The score of one system. `facts` is what `acbench score --json` prints; docs/reference/scores.md has its keys.

    `str()` gives what `acbench score` prints.
    """

    benchmark: str
    view: str
    categories: Sequence[str]
    """The categories that were chosen; empty for all."""
    provenance: Provenance
    leaderboard: bool
    hashes: Mapping[str, str]
    """16 hex digits each: `labels`, `split` and `schema` have to be equal for two scores to be comparable."""
    items: int
    part: Part | None
    left_out: Mapping[str, int]
    """Why items of the split are not scored → how many they are."""
    answers_not_scored: int
    answers_from: str
    """Which column of a table was read, and which not; empty if the answers came without columns."""
    note: str
    """What is suspicious about the answers, or empty."""
    bootstrap: Bootstrap
    counts: Mapping[str, Counts]
    """Scope → counts: `pooled`, then each category."""
    figures: Figures
    by_class: Mapping[str, Mapping[str, ClassFigures]]
    """Category → class → figures."""
    confusion: Mapping[str, ConfusionMatrix]
    """By category."""
    unusable: Sequence[UnusableAnswer]
    confidence: Confidence | None
    """None unless answers say how sure they are."""
    selective: Selective | None
    """None if every item has a usable answer."""
    open_set: OpenSet | None
    """None unless answers name a class that their category does not have."""
    cost: Cost | None
    """None unless it is known of some answers."""
    severity: Severity | None
    """None unless it was asked for, or the schema says which classes are negligible."""

    def __str__(self) -> str:
        from acbench.evaluation import tables  # who only computes needs none of it

        return tables.text(self)

    def __repr__(self) -> str:
        from acbench.evaluation import tables

        return f"<Scored {tables.headline(self)}; accuracy {tables.number(self.value('accuracy'))}>"

    @property
    def system(self) -> str:
        """Name of the system."""
        return self.provenance.system

    @property
    def facts(self) -> dict[str, Any]:
        """The whole score as JSON values."""
        facts = {
            "acbench": __version__,
            "benchmark": self.benchmark,
            "view": self.view,
            "categories": list(self.categories) or "all",
            "system": self.provenance.system,
            "localisation": self.provenance.localisation,
            "localisation_detail": self.provenance.detail,
            "references": len(self.provenance.references),
            "leaderboard": self.leaderboard,
            "hashes": dict(self.hashes),
            "items": self.items,
            "part": self.part and self.part._asdict(),
            "left_out": dict(self.left_out),
            "answers_not_scored": self.answers_not_scored,
            "note": self.note,
            "bootstrap": dataclasses.asdict(self.bootstrap),
            "counts": {scope: dataclasses.asdict(counts) for scope, counts in self.counts.items()},
            "scores": {
                metric: {
                    scope: _figure_json(
                        estimate, self.figures.sizes[metric][scope], self.figures.missing.get(metric, {}).get(scope, "")
                    )
                    for scope, estimate in scopes.items()
                }
                for metric, scopes in self.figures.estimates.items()
            },
            "by_class": {
                category: {name: dataclasses.asdict(figures) for name, figures in classes.items()}
                for category, classes in self.by_class.items()
            },
            "confusion": {category: dataclasses.asdict(matrix) for category, matrix in self.confusion.items()},
            "unusable": [dataclasses.asdict(answer) for answer in self.unusable],
        }
        more = {
            "confidence": self.confidence,
            "selective": self.selective,
            "open_set": self.open_set,
            "cost": self.cost,
            "severity": self.severity,
        }
        return facts | {name: dataclasses.asdict(part) for name, part in more.items() if part is not None}

    @property
    def scores(self) -> tuple[Score, ...]:
        """Every defined figure as a record."""
        return tuple(
            Score(
                system=self.system,
                scope=scope,
                metric=metric,
                value=estimate.value,
                low=estimate.low,
                high=estimate.high,
                n=estimate.n,
                n_unparsed=self.counts[POOLED if scope == MEAN else scope].unparsed,
            )
            for metric, scopes in self.figures.estimates.items()
            for scope, estimate in scopes.items()
            if estimate is not None
        )

    def value(self, metric: str, scope: str = MEAN) -> float | None:
        """One figure; None where it is not defined. Raises KeyError for an unknown metric or scope."""
        estimate = self.figures.estimates[metric][scope]
        return None if estimate is None else estimate.value

    def json(self) -> str:
        """The whole score as JSON text. The same input gives the same bytes."""
        return json_text(self.facts) + "\n"


def _figure_json(estimate: Estimate | None, n: int, missing: str) -> dict[str, float | str | None]:
    """The JSON of a figure; one that is not defined still has its size. `missing`: why it has no interval."""
    if estimate is None:
        return {"value": None, "low": None, "high": None, "n": n}
    return dataclasses.asdict(estimate) | ({"no_interval": missing} if missing else {})
