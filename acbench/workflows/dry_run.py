"""Keeps what a dry run of an LLM found: the cost estimate, and an example question as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from acbench.errors import AcbenchError
from acbench.predictors.base import DryRun
from acbench.storage.atomic import write_bytes
from acbench.storage.project import BenchmarkFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunReport:
    """What one proposer or system would ask."""

    dry_run: DryRun
    folder: Path | None
    """The folder of the example question's text and pictures; None if there is no example."""


def keep_examples(files: BenchmarkFiles, dry_runs: Mapping[str, DryRun]) -> dict[str, DryRunReport]:
    """Write the example question of each proposer or system, by name.

    Raises AcbenchError if `dry_runs` is empty: then no proposer of the command asks an LLM.
    """
    if not dry_runs:
        raise AcbenchError("no proposer here costs anything", "--with llm --llm MODEL")
    return {name: _keep_example(files, name, dry_run) for name, dry_run in dry_runs.items()}


def _keep_example(files: BenchmarkFiles, name: str, dry_run: DryRun) -> DryRunReport:
    if dry_run.example is None:
        return DryRunReport(dry_run=dry_run, folder=None)
    folder = files.workspace / "dry-run" / name
    for earlier in folder.glob("picture-*"):  # a question may have had more of them
        earlier.unlink()
    for file_name, data in dry_run.example.pictures:
        write_bytes(folder / file_name, data)
    write_bytes(folder / "question.txt", dry_run.example.text.encode())
    return DryRunReport(dry_run=dry_run, folder=folder)
