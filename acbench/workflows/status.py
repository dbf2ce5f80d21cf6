"""Tells where the benchmarks of a project stand and what its last runs did, without changing anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from acbench import schema as schemas
from acbench.errors import AcbenchError
from acbench.review.pull import read_unread
from acbench.storage.build import records_key
from acbench.storage.ledger import Ledger
from acbench.storage.ledger.artifacts import Artifact
from acbench.storage.ledger.runs import RunRecord
from acbench.storage.project import BenchmarkFiles, Project
from acbench.storage.typed_json import read_if_there

FileState = Literal["as made", "changed since", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStatus(Artifact):
    """One file of a benchmark, and whether it is still as a run wrote it."""

    state: FileState


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkStatus:
    """Where one benchmark stands."""

    labels: dict[str, int]
    """Status → how many labels have it, and `all`; empty before the first relabel."""
    waiting: int
    """Images in the queue."""
    plan: str
    """Why the queue is as long as it is, by the plan; empty before the first relabel."""
    notes: list[str]
    """What else there is to know: decisions that cannot be used, and whether the counts are of earlier files."""
    artifacts: list[FileStatus]
    """Its files, without the evidence pictures, by path."""
    evidence: str
    """The folder of the evidence pictures, relative to the project."""
    pictures: int
    """How many evidence pictures there are."""


def status(folder: Path, benchmark: str | None = None) -> dict[str, BenchmarkStatus]:
    """The benchmark's status, or that of all benchmarks of the project, by name. Raises AcbenchError.

    `benchmark`: its name, or the path of its schema file.
    """
    project = _project_with_runs(folder)
    known = sorted(path.parent.name for path in project.workspace.glob("*/settings.json"))
    if benchmark is not None and benchmark.endswith((".yaml", ".yml")):
        benchmark = schemas.load(benchmark).benchmark
    if benchmark is not None and benchmark not in known:
        raise AcbenchError(f"{benchmark} has not been relabelled here", f"known: {', '.join(known) or 'nothing yet'}")
    with Ledger(project.ledger) as ledger:
        names = known if benchmark is None else [benchmark]
        return {name: _status(project.benchmark(name), ledger) for name in names}


def recent_runs(folder: Path, limit: int) -> list[RunRecord]:
    """The last runs in a project, newest first. Raises AcbenchError."""
    with Ledger(_project_with_runs(folder).ledger) as ledger:
        return ledger.runs.newest(limit)


def _project_with_runs(folder: Path) -> Project:
    project = Project(folder.resolve())
    if not project.ledger.exists():
        raise AcbenchError(f"there is no project in {project.folder}", "acbench relabel sample   starts one")
    return project


def _status(files: BenchmarkFiles, ledger: Ledger) -> BenchmarkStatus:
    relative = files.project.relative
    evidence = relative(files.evidence)
    artifacts = [
        artifact
        for folder in (files.workspace, files.annotations)
        for artifact in ledger.artifacts.below(f"{relative(folder)}/")
    ]
    shown = [artifact for artifact in artifacts if not artifact.path.startswith(f"{evidence}/")]
    counts = _counts(files)
    return BenchmarkStatus(
        labels=counts.labels,
        waiting=counts.waiting,
        plan=counts.plan,
        notes=_notes(files, counts, {artifact.path: artifact.run_id for artifact in artifacts}),
        artifacts=[
            FileStatus(**dataclasses.asdict(artifact), state=_state(files.project, artifact, ledger))
            for artifact in shown
        ],
        evidence=evidence,
        pictures=len(artifacts) - len(shown),
    )


@dataclass(frozen=True, slots=True)
class _KeptQueue:
    waiting: int


@dataclass(frozen=True, slots=True)
class _KeptPlan:
    why: str


@dataclass(frozen=True, slots=True)
class _KeptReport:
    """What is read of `report.json`. An earlier version wrote neither plan nor lost classes."""

    labels: dict[str, int]
    queue: _KeptQueue
    plan: _KeptPlan | None = None
    lost_classes: str = ""
    reviews_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Counts:
    """What the last relabel reported; empty before the first."""

    labels: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    plan: str = ""
    lost_classes: str = ""
    reviews_key: str | None = None
    """None if it is not known."""


def _counts(files: BenchmarkFiles) -> _Counts:
    """What the last relabel reported. Raises StorageError if the report is damaged."""
    path = files.report
    again = f"it is made anew: acbench relabel {schemas.argument(files.benchmark, files.project.folder)}"
    report = read_if_there(path, _KeptReport, hint=again, allow_unknown=True)
    if report is None:
        return _Counts()
    why = report.plan.why if report.plan else ""
    return _Counts(report.labels, report.queue.waiting, why, report.lost_classes, report.reviews_key)


def _notes(files: BenchmarkFiles, counts: _Counts, run_of: Mapping[str, int]) -> list[str]:
    """`run_of`: file → the run that wrote it."""
    relative = files.project.relative
    notes = [counts.lost_classes] if counts.lost_classes else []
    if unread := read_unread(files.unread_decisions):
        kinds = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in sorted(unread.items()))
        notes.append(
            f"the last pull could not read {sum(unread.values()):,} annotations ({kinds}): nothing of them was taken,"
            " and what was decided there before stands"
        )
    argument = schemas.argument(files.benchmark, files.project.folder)
    again = f"the counts are older: acbench relabel {argument}"
    if counts.reviews_key is not None and records_key(files.reviews.read()) != counts.reviews_key:
        notes.append(f"{relative(files.reviews.place)} is not as the last relabel found it; {again}")
    elif any(run_of.get(relative(path), 0) > run_of.get(relative(files.report), 0) for path in files.labels.paths):
        notes.append(f"{relative(files.labels.place)} was made anew since the last relabel; {again}")
    return notes


def _state(project: Project, artifact: Artifact, ledger: Ledger) -> FileState:
    path = project.folder / artifact.path
    if not path.exists():
        return "missing"
    return "as made" if ledger.artifacts.is_untouched(path, artifact.path) else "changed since"
