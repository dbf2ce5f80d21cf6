"""Puts what can be read of a damaged ledger in its place."""

from __future__ import annotations

from pathlib import Path

from acbench.storage.ledger.recover import Recovered, recover
from acbench.storage.project import Project, existing_project


def recover_ledger(folder: Path, ledger: Path | None) -> Recovered:
    """Recover a ledger: that of the project in a folder, or the one in a file. Raises AcbenchError.

    No command may be at work in the project meanwhile.
    """
    if ledger is None or ledger.resolve() == existing_project(folder).ledger:
        project = existing_project(folder)
    else:
        project = Project(ledger.resolve().parent.parent)
    if ledger is not None and ledger.parent.resolve() != project.workspace:
        return recover(ledger)  # a shard's, which nobody else uses
    with project.locked():
        return recover(project.ledger if ledger is None else ledger.resolve())
