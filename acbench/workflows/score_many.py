"""Scores any number of systems against one truth and ranks them, or compares two."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acbench.errors import AcbenchError
from acbench.evaluation.ranking import Ranking, rank
from acbench.evaluation.scoring import score_answers
from acbench.evaluation.significance import PairedComparison, compare_answers
from acbench.storage.atomic import write_bytes
from acbench.workflows.score import ScoreOptions, benchmark_files, read_systems, scoring_options
from acbench.workflows.score_checks import check


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingReport:
    """Systems ranked, what is to be said of their answers, and what was written."""

    ranking: Ranking
    truth: str
    """Where the truth comes from, for people."""
    failed: int
    """Answers of any system that name no class or failed, and images without any."""
    notes: tuple[str, ...]
    """What is suspicious about the answers of one."""
    files: list[Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReport:
    """Two systems compared on the same items."""

    benchmark: str
    view: str
    first: str
    second: str
    hashes: Mapping[str, str]
    comparison: PairedComparison
    failed: int
    """Answers of either system that name no class or failed, and images without any."""
    notes: tuple[str, ...] = ()
    """What is suspicious about the answers of either."""
    truth: str = ""
    """Where the truth comes from, for people."""
    columns: tuple[str, str] = ("", "")
    """Which columns the answers of each were read from, for people."""

    def to_json(self) -> dict[str, Any]:
        """What `acbench score --compare --json` prints."""
        return {
            "benchmark": self.benchmark,
            "view": self.view,
            "first": self.first,
            "second": self.second,
            "hashes": dict(self.hashes),
            "notes": list(self.notes),
            **self.comparison.to_json(),
        }


def rank_systems(options: ScoreOptions) -> RankingReport:
    """Score the files and kept systems of `options.answers`, and compare each pair.

    Images that one of them was shown as references are scored for none. Raises AcbenchError for one named twice.
    """
    check(options)
    names = _names(options.answers)
    truth, systems = read_systems(options, list(names.values()))
    named = [
        (dataclasses.replace(made_by, system=name), own) for name, (made_by, own) in zip(names, systems, strict=True)
    ]
    scored = [(score_answers(truth, own, made_by, scoring_options(options)), own) for made_by, own in named]
    ranking = rank(truth, scored, resamples=options.resamples, seed=options.seed)
    folder = options.out
    if folder is None and options.benchmark is not None and options.truth is None:
        folder = benchmark_files(options.project, options.benchmark).ranking
    return RankingReport(
        ranking=ranking,
        truth=truth.description,
        failed=sum(own.failed + own.missing(truth) for _, own in systems),
        notes=tuple(f"{made_by.system}: {own.note}" for made_by, own in named if own.note),
        files=_write(ranking, folder) if folder else [],
    )


def compare_pair(options: ScoreOptions, pair: tuple[str, str]) -> PairReport:
    """Compare two files or systems that have answered."""
    check(options)
    names = [Path(name).stem for name in pair]
    truth, systems = read_systems(options, pair)
    (_, first), (_, second) = systems
    return PairReport(
        benchmark=truth.benchmark,
        view=truth.view,
        first=names[0],
        second=names[1],
        hashes={**truth.hashes, "first": first.hash(truth), "second": second.hash(truth)},
        comparison=compare_answers(truth, first, second, resamples=options.resamples, seed=options.seed),
        failed=sum(own.failed + own.missing(truth) for _, own in systems),
        truth=truth.description,
        columns=(first.column, second.column),
        notes=tuple(f"{Path(name).name}: {own.note}" for name, (_, own) in zip(pair, systems, strict=True) if own.note),
    )


def _names(given: tuple[str, ...]) -> dict[str, str]:
    """What each system is called: its file without the ending, or the whole path where two are called alike."""
    if twice := [name for name, count in Counter(given).items() if count > 1]:
        raise AcbenchError(f"{twice[0]} is named twice", "name each system once")
    stems = Counter(Path(name).stem for name in given)
    return {Path(name).stem if stems[Path(name).stem] == 1 else name: name for name in given}


def _write(ranking: Ranking, folder: Path) -> list[Path]:
    from acbench.evaluation import paper_tables, plots

    tables = paper_tables.of_ranking(ranking)
    files = {
        "ranking.json": (json.dumps(ranking.to_json(), indent=1, ensure_ascii=False) + "\n").encode(),
        "ranking.md": paper_tables.markdown(tables).encode(),
        "ranking.tex": paper_tables.latex(tables).encode(),
        "ranks.png": plots.ranks(ranking),
    }
    for name, data in files.items():
        write_bytes(folder / name, data)
    return [folder / name for name in files]
