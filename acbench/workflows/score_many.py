"""Scores any number of systems against one truth, and ranks them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from acbench.errors import AcbenchError
from acbench.evaluation import predictions as reading
from acbench.evaluation.ranking import Ranking, rank
from acbench.evaluation.result import Bootstrap, Provenance
from acbench.evaluation.scoring import REFERENCES, ScoringOptions, score_answers
from acbench.workflows.baselines import provenance
from acbench.workflows.score import ScoreOptions, kept_predictions, load_truth


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingReport:
    """Systems ranked, and what is to be said of their answers."""

    ranking: Ranking
    truth: str
    """Where the truth comes from, for people."""
    failed: int
    """Answers of any system that name no class or failed, and images without any."""
    notes: tuple[str, ...]
    """What is suspicious about the answers of one."""


def rank_systems(options: ScoreOptions) -> RankingReport:
    """Score the files and kept systems of `options.answers`, and compare each pair.

    Images that one of them was shown as references are scored for none. Raises AcbenchError for one named twice.
    """
    truth = load_truth(options)
    paths: dict[str, Path] = {}
    made_by: dict[str, Provenance] = {}
    for name, given in _names(options.answers).items():
        path = Path(given)
        made_by[name] = Provenance(system=name)
        if options.benchmark and not path.exists():
            path = kept_predictions(options.project, options.benchmark, given)
            made_by[name] = dataclasses.replace(provenance(path), system=name)
            truth = truth.without(made_by[name].references, REFERENCES)
        paths[name] = path
    answers = {
        name: reading.match(reading.read(path, options.column), truth, options.column) for name, path in paths.items()
    }
    scoring = ScoringOptions(
        bootstrap=Bootstrap(resamples=options.resamples, seed=options.seed),
        negligible=options.negligible,
        severity_draws=options.severity or 0,
    )
    scored = [(score_answers(truth, own, made_by[name], scoring), own) for name, own in answers.items()]
    return RankingReport(
        ranking=rank(truth, scored, resamples=options.resamples, seed=options.seed),
        truth=truth.description,
        failed=sum(own.failed + own.missing(truth) for own in answers.values()),
        notes=tuple(f"{name}: {own.note}" for name, own in answers.items() if own.note),
    )


def _names(given: tuple[str, ...]) -> dict[str, str]:
    """What each system is called: its file without the ending, or the whole path where two are called alike."""
    if twice := [name for name, count in Counter(given).items() if count > 1]:
        raise AcbenchError(f"{twice[0]} is named twice", "name each system once")
    stems = Counter(Path(name).stem for name in given)
    return {Path(name).stem if stems[Path(name).stem] == 1 else name: name for name in given}
