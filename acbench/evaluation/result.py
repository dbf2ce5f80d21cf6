"""One system's score as a whole: figures, counts, confusion, and what two results must share to be comparable."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acbench import __version__
from acbench._util.text import tidy
from acbench.errors import AcbenchError
from acbench.evaluation import tables as show
from acbench.evaluation.metrics import METRICS, UNUSABLE, Cells, Figure, by_class, cells, figures
from acbench.evaluation.predictions import SHOWN, Answers
from acbench.evaluation.severity import severity
from acbench.evaluation.truth import Truth
from acbench.records import GOOD, JOIN, Score
from acbench.schema.views import ClassSet

RESAMPLES = 1_000
WORDS = {"unknown": "unparsed", "empty": "abstained", "error": "failed", "missing": "missing"}
"""What an outcome without a usable answer is called."""
OTHER = "another set"
"""Column of answers that are never true in their category."""
LOCALISATIONS = ("none", "detector", "ground_truth", "not_stated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How answers came about, as far as it decides whether they may be compared."""

    system: str
    localisation: str = "not_stated"
    """Who told the system where the defect is: one of LOCALISATIONS."""
    detail: str = ""
    """Which detector, which threshold."""
    references: tuple[str, ...] = ()
    """Ids of all items that the system was shown with their class or as normal."""


@dataclass(frozen=True, slots=True, repr=False)
class Scored:
    """The score of one system. `facts` is what `acbench score --json` prints; see README.md for its keys.

    Printed, it is what `acbench score` prints.
    """

    facts: Mapping[str, Any]

    def __str__(self) -> str:
        return show.text(self.facts)

    def __repr__(self) -> str:
        return f"<Scored {show.headline(self.facts)}; accuracy {show.number(self.value('accuracy'))}>"

    @property
    def scores(self) -> tuple[Score, ...]:
        """Every defined figure as a record."""
        system, counts = self.facts["system"], self.facts["counts"]
        return tuple(
            Score(
                system=system,
                scope=scope,
                metric=metric,
                value=found["value"],
                low=found["value"] if found["low"] is None else found["low"],
                high=found["value"] if found["high"] is None else found["high"],
                n=found["n"],
                n_unparsed=counts["pooled" if scope == "mean" else scope]["unparsed"],
            )
            for metric, scopes in self.facts["scores"].items()
            for scope, found in scopes.items()
            if found["value"] is not None
        )

    def value(self, metric: str, scope: str = "mean") -> float | None:
        """One figure; None where it is not defined. Raises KeyError for a metric or scope that there is none of."""
        value: float | None = self.facts["scores"][metric][scope]["value"]
        return value

    def json(self) -> str:
        """The same input gives the same bytes."""
        return json.dumps(self.facts, indent=1, ensure_ascii=False) + "\n"


def scored(
    truth: Truth,
    answers: Answers,
    provenance: Provenance,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    negligible: Sequence[str] = (),
    severity_seeds: int = 0,
    leaderboard: bool = False,
) -> Scored:
    """Score answers. Raises AcbenchError if they are not fit for a leaderboard, where one was asked for."""
    if shown := {target.item_id for target in truth.targets} & set(provenance.references):
        raise AcbenchError(
            f"{provenance.system} was shown {len(shown)} of the scored items, such as {min(shown)}, as references",
            "references never come from what is scored: leave them out of the truth",
        )
    if leaderboard:
        check_leaderboard(provenance, truth)
    counted = cells(truth, answers.by_item)
    counts = {category: _counts(each) for category, each in counted.items()}
    found = figures(counted, resamples=resamples, seed=seed)
    facts = {
        "acbench": __version__,
        "benchmark": truth.benchmark,
        "view": truth.view,
        "categories": list(truth.only) or "all",
        "system": provenance.system,
        "localisation": provenance.localisation,
        "localisation_detail": provenance.detail,
        "references": len(provenance.references),
        "leaderboard": leaderboard,
        "hashes": {**truth.hashes, "predictions": answers.hash},
        "items": len(truth.targets),
        "part": None if truth.part is None else dict(zip(("items", "of"), truth.part, strict=True)),
        "left_out": dict(truth.left_out),
        "answers_not_scored": answers.unscored,
        "bootstrap": {"resamples": resamples, "seed": seed, "level": 0.95},
        "counts": {"pooled": _summed(counts), **counts},
        "scores": {name: {scope: _figure(each) for scope, each in found[name].items()} for name in METRICS},
        "by_class": {key: by_class(each, truth.words[key].axis) for key, each in counted.items()},
        "confusion": {key: _confusion(each, truth.words[key].axis) for key, each in counted.items()},
        "unusable": _unusable(truth, answers),
    }
    if negligible or severity_seeds:
        facts["severity"] = severity(counted, negligible, severity_seeds)
    return Scored(facts)


def check_leaderboard(provenance: Provenance, truth: Truth) -> None:
    """Raises AcbenchError for ground truth as a guide, a source of the localisation that is not stated, or a part."""
    if provenance.localisation == "ground_truth":
        raise AcbenchError(
            f"{provenance.system} was shown ground-truth masks: that is an oracle, and no leaderboard entry",
            "take a detector's maps: acbench velm BENCHMARK",
        )
    if provenance.localisation == "not_stated":
        raise AcbenchError(
            "a leaderboard entry has to state who told the system where the defect is",
            "--localisation none or detector",
        )
    if truth.only:
        raise AcbenchError("a leaderboard entry has all categories", "leave --category out")


def _figure(figure: Figure) -> dict[str, float | int | None]:
    return {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n}


def _counts(counted: Cells) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (wanted, said), count in counted.items():
        found["items"] += count
        found["normal" if wanted == (GOOD,) else "anomalous"] += count
        found["right"] += count * (wanted == said)
        if isinstance(said, str):
            found[WORDS[said]] += count
    return {name: found[name] for name in ("items", "normal", "anomalous", "right", *WORDS.values())}


def _summed(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    whole: Counter[str] = Counter()
    for each in counts.values():
        whole.update(each)
    return {name: whole[name] for name in next(iter(counts.values()))}


def _confusion(counted: Cells, axis: Sequence[ClassSet]) -> dict[str, Any]:
    """A table with a row for each true answer and a column for each answer, both in the schema's order; sets of several
    classes come after it."""
    several = sorted({wanted for wanted, _ in counted} - set(axis))
    rows = [*axis, *several]
    columns: list[ClassSet | str] = [*rows, OTHER, *UNUSABLE]
    place = {answer: number for number, answer in enumerate(columns)}
    table = [[0] * len(columns) for _ in rows]
    for (wanted, said), count in counted.items():
        table[place[wanted]][place.get(said, place[OTHER])] += count
    return {
        "true": [JOIN.join(answer) for answer in rows],
        "answered": [JOIN.join(each) if isinstance(each, tuple) else WORDS.get(each, each) for each in columns],
        "counts": table,
    }


def _unusable(truth: Truth, answers: Answers) -> list[dict[str, str]]:
    """Every item without a usable answer, and what was said; a stranger's text, on one line and cut."""
    found = []
    for target in truth.targets:
        said = answers.by_item.get(target.item_id)
        if said is None or said.parse != "ok":
            row = {"item_id": target.item_id, "image": target.image, "why": WORDS[said.parse if said else "missing"]}
            found.append({**row, "answer": tidy(said.raw, SHOWN) if said else ""})
    return found
