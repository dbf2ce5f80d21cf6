"""Scores the answers of a system against a truth. Runs a baseline first if it has to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acbench import schema as schemas
from acbench._util.console import Console
from acbench.errors import AcbenchError
from acbench.evaluation import answer_files
from acbench.evaluation import predictions as reading
from acbench.evaluation.cost import with_costs
from acbench.evaluation.predictions import Answers
from acbench.evaluation.result import Bootstrap, Provenance, Scored
from acbench.evaluation.scoring import REFERENCES, ScoringOptions, score_answers
from acbench.evaluation.truth import Truth, TruthOptions, read_aliases, truth_of_table
from acbench.predictors.base import BaselineOptions
from acbench.schema.views import View
from acbench.storage.atomic import write_bytes
from acbench.storage.project import BenchmarkFiles, existing_project
from acbench.workflows import settings
from acbench.workflows.baselines import baseline_setup, check_models, kept_costs, predict, provenance
from acbench.workflows.ingest import ingest
from acbench.workflows.releases import open_release
from acbench.workflows.run import Options, Run, open_run
from acbench.workflows.score_checks import check, check_system, is_system
from acbench.workflows.settings import SettingChanges
from acbench.workflows.truth import project_labels, release_truth

KEPT_SYSTEM = "velm"
"""The system that a command of its own runs: its answers cost money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """The options of `acbench score`."""

    project: Path
    benchmark: str | None
    """None if the truth is a release or a table."""
    answers: tuple[str, ...]
    """Files or systems to compare; one file is scored as `predictions` is."""
    predictions: Path | None
    system: str | None
    """A baseline, in place of a file of predictions."""
    column: str | None
    """The column of the answers, if somebody named it."""
    pair: tuple[str, str] | None
    """Two files or systems to compare, in place of one to score."""
    truth: str | None
    """A release or a table, in place of the project's labels."""
    name: str | None
    """What the system is called; None for the name of its file, or its own."""
    view: View
    categories: tuple[str, ...]
    aliases: Path | None
    localisation: str | None
    leaderboard: bool
    negligible: tuple[str, ...]
    severity: int | None
    """How often negligible classes are drawn."""
    resamples: int
    seed: int
    """Seed of the bootstrap and of `few_shot`."""
    out: Path | None
    """Folder of the score; None for the project's, if a benchmark of the project is scored."""
    shots: int
    detector: str
    false_alarms: float
    gate: tuple[float, float] | None
    input_size: int
    root: str | None
    backbone: str | None
    clip_model: str | None
    clip_weights: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReport:
    """One system's score, and what was written."""

    score: Scored
    truth: str
    """Where the truth comes from, for people."""
    failed: int
    """Answers that name no class or failed, and images without any."""
    files: list[Path]


def score(options: ScoreOptions, console: Console) -> ScoreReport:
    """Score one system; runs it first if it is a baseline that has not answered yet."""
    check(options)
    if options.benchmark and options.system and options.system != KEPT_SYSTEM:
        _run_baseline(options.benchmark, options.system, options, console)
    given = options.system or str(options.predictions)
    truth, ((made_by, answers),) = read_systems(options, [given], kept=options.system is not None)
    if options.name:
        made_by = dataclasses.replace(made_by, system=options.name)
    scored = score_answers(
        truth, answers, made_by, dataclasses.replace(scoring_options(options), leaderboard=options.leaderboard)
    )
    folder = options.out
    if folder is None and options.benchmark is not None and options.truth is None:
        files = benchmark_files(options.project, options.benchmark)
        folder = files.score(options.name or options.system or Path(given).stem)
    return ScoreReport(
        score=scored,
        truth=truth.description,
        failed=answers.failed + answers.missing(truth),
        files=_write(scored, folder) if folder else [],
    )


def read_systems(
    options: ScoreOptions, names: Sequence[str], *, kept: bool | None = None
) -> tuple[Truth, list[tuple[Provenance, Answers]]]:
    """The truth, without what any of the systems was shown as a reference; and how each was made, and what it answered.

    `names`: files, and systems that have answered. `kept`: whether all are systems; None to look.
    """
    truth = load_truth(options)
    made: list[tuple[Path, Provenance]] = []
    costs: list[Mapping[str, float]] = []
    for name in names:
        if is_system(options, name) if kept is None else kept:
            assert options.benchmark is not None, "checked by the command"
            path = kept_predictions(options.project, options.benchmark, name)
            made.append((path, provenance(path)))
            costs.append(kept_costs(existing_project(options.project).ledger, path))
        else:
            localisation = options.localisation or "not_stated"
            made.append((Path(name), Provenance(system=Path(name).stem, localisation=localisation)))
            costs.append({})
        truth = truth.without(made[-1][1].references, REFERENCES)
    systems = []
    for name, (path, made_by), own in zip(names, made, costs, strict=True):
        answers = with_costs(reading.match(answer_files.read(path, options.column), truth, options.column), own)
        if path != Path(name):  # a table of ours: which of its columns was read tells nobody anything
            answers = dataclasses.replace(answers, column=f"the baseline {name}, kept in {path}", note="")
        systems.append((made_by, answers))
    return truth, systems


def scoring_options(options: ScoreOptions) -> ScoringOptions:
    """What to compute of each system."""
    return ScoringOptions(
        bootstrap=Bootstrap(resamples=options.resamples, seed=options.seed),
        negligible=options.negligible,
        severity_draws=options.severity or 0,
    )


def answer(run: Run, system: str, view: View, options: BaselineOptions) -> None:
    """Have a baseline answer for every test image, unless it has."""
    check_models(run, system)
    truth_options = TruthOptions(view=view, categories=run.settings.categories)
    truth = project_labels(run.files, run.schema).truth(run.schema, truth_options)
    dataset = ingest(run)
    predict(run, dataset, system, baseline_setup(run, dataset, view=view, truth=truth, options=options))


def kept_predictions(project: Path, benchmark: str, system: str) -> Path:
    """The table of a system that has answered. Raises AcbenchError if it has not, or if there is no such system."""
    check_system(system)
    path = benchmark_files(project, benchmark).predictions(system)
    if not path.exists():
        which = schemas.argument(benchmark, project)
        command = f"acbench velm {which}" if system == KEPT_SYSTEM else f"acbench score {which} --system {system}"
        raise AcbenchError(f"{system} has not answered yet", command)
    return path


def is_table(truth: str) -> bool:
    """Whether a truth is a table, or was meant as one, and no release."""
    return Path(truth).is_file() or Path(truth).suffix.lower() in {".csv", ".tsv"}


def _run_baseline(benchmark: str, system: str, options: ScoreOptions, console: Console) -> None:
    # Nothing that is said here is kept, but where the images are if that was not known: who asks for figures does not
    # narrow a project, nor choose its models.
    changes = SettingChanges(
        root=options.root,
        backbone=options.backbone,
        clip_model=options.clip_model,
        clip_weights=options.clip_weights,
    )
    chosen = BaselineOptions(
        detector=options.detector,
        false_alarms=options.false_alarms,
        gate=options.gate,
        input_size=options.input_size,
        shots=options.shots,
        seed=options.seed,
    )
    with open_run(options.project, benchmark, console=console, options=Options(changes=changes, keeps=False)) as run:
        answer(run, system, options.view, chosen)


def load_truth(options: ScoreOptions) -> Truth:
    """What the options say is true."""
    aliases = read_aliases(options.aliases) if options.aliases else {}
    schema = schemas.load(options.benchmark, options.project) if options.benchmark else None
    categories = _categories(options)
    truth_options = TruthOptions(
        view=options.view,
        categories=tuple(map(schema.key_of, categories)) if schema else categories,
        aliases=aliases,
    )
    if options.truth is not None and is_table(options.truth):
        truth = truth_of_table(Path(options.truth), truth_options)
        return dataclasses.replace(truth, description=f"the table {options.truth}")
    if options.truth is not None:
        return release_truth(open_release(options.truth), schema, truth_options)
    assert schema is not None and options.benchmark is not None, "checked by the command"
    labels = project_labels(benchmark_files(options.project, options.benchmark), schema)
    return labels.truth(schema, truth_options)


def _categories(options: ScoreOptions) -> tuple[str, ...]:
    """The categories to score; empty for all. A system that ran on a project has seen the project's."""
    several = (*options.answers, *(options.pair or ()))
    has_run = options.system is not None or any(is_system(options, name) for name in several)
    if options.categories or not has_run or options.benchmark is None:
        return () if options.categories == (settings.ALL,) else options.categories
    kept = settings.read(benchmark_files(options.project, options.benchmark).settings)
    return kept.categories if kept else ()


def benchmark_files(project: Path, benchmark: str) -> BenchmarkFiles:
    """The files of a benchmark in a project."""
    return existing_project(project).benchmark(schemas.load(benchmark, project).benchmark)


def _write(scored: Scored, folder: Path) -> list[Path]:
    from acbench.evaluation import plots
    from acbench.evaluation.tables import markdown

    files = {
        "score.json": scored.json().encode(),
        "score.md": markdown(scored).encode(),
        "confusion.png": plots.confusion(scored),
        "classes.png": plots.classes(scored),
    }
    for name, data in files.items():
        write_bytes(folder / name, data)
    return [folder / name for name in files]
