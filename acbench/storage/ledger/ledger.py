"""A ledger as a whole: one connection, and a table for each thing that it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from acbench.storage.ledger.artifacts import ArtifactTable
from acbench.storage.ledger.calls import CallTable
from acbench.storage.ledger.database import Database
from acbench.storage.ledger.datasets import DatasetTable
from acbench.storage.ledger.file_facts import FileFactTable
from acbench.storage.ledger.runs import RunTable
from acbench.storage.ledger.vectors import VectorTable


class Ledger:
    """An open ledger, to be used as a context.

    With a `base`, the ledger of the project in the case of a shard, file facts, vectors and calls that are not here are
    looked up there: see `Database`, also for what is raised.
    """

    def __init__(self, path: Path, base: Path | None = None) -> None:
        self.path = path
        self.database = Database(path, base)
        self.runs = RunTable(self.database)
        self.artifacts = ArtifactTable(self.database)
        self.file_facts = FileFactTable(self.database)
        self.datasets = DatasetTable(self.database)
        self.vectors = VectorTable(self.database)
        self.calls = CallTable(self.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.database.__exit__(kind, error, trace)

    def close(self) -> None:
        self.database.close()

    @property
    def origin(self) -> str:
        """16 hex digits that no other ledger has."""
        return str(self.database.execute("SELECT origin FROM main.identity").fetchone()[0])
