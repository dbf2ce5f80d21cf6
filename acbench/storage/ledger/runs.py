"""The commands that ran in a project, and how each ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from acbench._util.processes import is_running
from acbench.storage.ledger.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One command, as the ledger saw it."""

    run_id: int
    command: str
    started: str
    """UTC, ISO 8601, to the second; as `finished`."""
    finished: str | None
    outcome: str
    """`done`, `failed`, `stopped`, `running`, or `killed`: it ended without a word."""
    summary: str
    artifacts: int
    """How many files it wrote that no later run replaced."""


class RunTable:
    """The runs in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def record(self, command: str, versions: Mapping[str, str]) -> Iterator[int]:
        """Record a command from start to end, however it ends. Gives the run's id."""
        row = self._database.execute(
            "INSERT INTO runs (command, started, pid, versions) VALUES (?, ?, ?, ?)",
            (command, _now(), os.getpid(), json.dumps(dict(versions))),
        )
        run_id = int(row.lastrowid or 0)
        outcome = "failed"
        try:
            yield run_id
            outcome = "done"
        except KeyboardInterrupt:
            outcome = "stopped"
            raise
        finally:
            self._database.execute(
                "UPDATE runs SET finished = ?, outcome = ? WHERE run_id = ?", (_now(), outcome, run_id)
            )

    def summarise(self, run_id: int, summary: str) -> None:
        """Keep one line on what a run did."""
        self._database.execute("UPDATE runs SET summary = ? WHERE run_id = ?", (summary, run_id))

    def newest(self, limit: int = 20) -> list[RunRecord]:
        """At most `limit` runs, newest first."""
        rows = self._database.execute(
            "SELECT r.run_id, command, started, finished, outcome, summary, pid, COUNT(a.path) FROM runs r"
            " LEFT JOIN artifacts a USING (run_id) GROUP BY r.run_id ORDER BY r.run_id DESC LIMIT ?",
            (limit,),
        ).fetchall()
        return [
            RunRecord(
                run_id=run_id,
                command=command,
                started=started,
                finished=finished,
                outcome=outcome or ("running" if is_running(process_id) else "killed"),
                summary=summary,
                artifacts=artifacts,
            )
            for run_id, command, started, finished, outcome, summary, process_id, artifacts in rows
        ]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
