"""Tells where the benchmarks of a project stand and what its last runs did, without changing anything."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from acbench import schema as schemas
from acbench.errors import AcbenchError, StorageError
from acbench.storage.ledger import Ledger
from acbench.storage.ledger.artifacts import Artifact
from acbench.storage.ledger.runs import RunRecord
from acbench.storage.project import BenchmarkFiles, Project

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
    labels, waiting, plan = _counts(files)
    return BenchmarkStatus(
        labels=labels,
        waiting=waiting,
        plan=plan,
        artifacts=[
            FileStatus(**dataclasses.asdict(artifact), state=_state(files.project, artifact, ledger))
            for artifact in shown
        ],
        evidence=evidence,
        pictures=len(artifacts) - len(shown),
    )


def _counts(files: BenchmarkFiles) -> tuple[dict[str, int], int, str]:
    """The labels by status, the length of the queue, and what its plan says, as the last relabel reported them.

    Raises StorageError if the report is damaged.
    """
    path = files.report
    if not path.exists():
        return {}, 0, ""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        labels, waiting = dict(report["labels"]), int(report["queue"]["waiting"])
        plan = report.get("plan")  # an earlier version wrote none
        return labels, waiting, str(plan["why"]) if plan else ""
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(
            f"{path} is damaged: {error}",
            f"it is remade: acbench relabel {schemas.argument(files.benchmark, files.project.folder)}",
        ) from None


def _state(project: Project, artifact: Artifact, ledger: Ledger) -> FileState:
    path = project.folder / artifact.path
    if not path.exists():
        return "missing"
    return "as made" if ledger.artifacts.is_untouched(path, artifact.path) else "changed since"
