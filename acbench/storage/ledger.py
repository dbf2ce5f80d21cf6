"""What happened: runs, the artifacts they made, and results too dear to compute twice. One SQLite file a project."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from acbench.errors import StorageError

MIGRATIONS = (
    """
    CREATE TABLE runs (
        run_id INTEGER PRIMARY KEY, command TEXT NOT NULL, started TEXT NOT NULL, finished TEXT,
        pid INTEGER NOT NULL, outcome TEXT, summary TEXT NOT NULL DEFAULT '', versions TEXT NOT NULL
    );
    CREATE TABLE artifacts (
        path TEXT PRIMARY KEY, key TEXT NOT NULL, sha256 TEXT NOT NULL, stamp TEXT NOT NULL,
        run_id INTEGER NOT NULL REFERENCES runs, seconds REAL NOT NULL
    );
    CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, facts TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE embeddings (key TEXT PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
    """,
    """
    CREATE TABLE calls (
        call_id TEXT PRIMARY KEY, model TEXT NOT NULL, owner TEXT NOT NULL, since REAL NOT NULL,
        sends INTEGER NOT NULL DEFAULT 0, cost REAL NOT NULL DEFAULT 0, answer TEXT, error TEXT
    );
    CREATE TABLE batches (
        name TEXT PRIMARY KEY, model TEXT NOT NULL, sha256 TEXT NOT NULL, call_ids TEXT NOT NULL,
        since REAL NOT NULL, batch_id TEXT, closed INTEGER NOT NULL DEFAULT 0
    );
    """,
    """
    CREATE TABLE identity (origin TEXT NOT NULL);
    INSERT INTO identity VALUES (lower(hex(randomblob(8))));
    CREATE TABLE merged (
        origin TEXT NOT NULL, call_id TEXT NOT NULL, sends INTEGER NOT NULL, cost REAL NOT NULL,
        PRIMARY KEY (origin, call_id)
    ) WITHOUT ROWID;
    """,
)
"""Each entry takes a ledger one version up; never edit one that has shipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One command, as the ledger saw it."""

    run_id: int
    command: str
    started: str
    finished: str | None
    outcome: str
    """`done`, `failed`, `stopped`, `running`, or `killed`: it never came to its end."""
    summary: str
    artifacts: int


class Ledger:
    """An open ledger, to be used as a context. Paths of artifacts are kept relative to the project.

    With a `base`, another ledger that nobody writes to, results that are not here are looked for there. It may lie on
    a file system that many machines share, since it is read without locks. Raises StoreError if it is being written.
    """

    def __init__(self, path: Path, base: Path | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._based = base is not None and base.exists()
        try:
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, uri=True)
            with suppress(sqlite3.OperationalError):  # locked: whoever opened it at the same moment sees to it
                self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._migrate()
            if base is not None and self._based:
                self._attach(base)
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from None

    def _attach(self, base: Path) -> None:
        log = base.with_name(f"{base.name}-wal")
        if log.exists() and log.stat().st_size:  # what is in it would not be seen
            self.close()
            raise StorageError(
                f"{base} is in use, or was left by a command that was killed",
                "wait for the other command to end; or tidy up, then run again: acbench merge BENCHMARK",
            )
        self._db.execute("ATTACH DATABASE ? AS base", (f"file:{quote(str(base))}?immutable=1",))
        if self._version("base") != len(MIGRATIONS):
            self.close()
            raise StorageError(f"{base} was written by another acbench", "acbench merge BENCHMARK brings it up to date")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.close()
        if isinstance(error, sqlite3.DatabaseError):
            raise self._unusable(error) from None

    def _unusable(self, error: sqlite3.DatabaseError) -> StorageError:
        hint = f"move it away and run again; labels and reviews do not depend on it: mv {self.path} {self.path}.broken"
        if isinstance(error, sqlite3.OperationalError):  # it is not the file that is wrong, but where it lies
            hint = f"see that {self.path.parent} can be written to, has space left and is not in use, then run again"
        return StorageError(f"{self.path} is not a usable ledger: {error}", hint)

    def _migrate(self) -> None:
        if self._version() > len(MIGRATIONS):
            self._db.close()
            raise StorageError(f"{self.path} was written by a newer acbench", "update: pip install --upgrade acbench")
        if self._version() == len(MIGRATIONS):
            return
        with self._transaction():
            for script in MIGRATIONS[self._version() :]:  # asked again: another process may have been here first
                for statement in script.split(";"):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")

    def _version(self, of: str = "main") -> int:
        return int(self._db.execute(f"PRAGMA {of}.user_version").fetchone()[0])

    def close(self) -> None:
        self._db.close()

    @property
    def origin(self) -> str:
        """16 hex that no other ledger has."""
        return str(self._db.execute("SELECT origin FROM main.identity").fetchone()[0])

    # Runs

    @contextmanager
    def run(self, command: str, versions: Mapping[str, str]) -> Iterator[int]:
        """Record one command from start to end, whatever the end is. Gives the run's id."""
        row = self._db.execute(
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
            self._db.execute("UPDATE runs SET finished = ?, outcome = ? WHERE run_id = ?", (_now(), outcome, run_id))

    def summarise(self, run_id: int, summary: str) -> None:
        """One line on what a run did."""
        self._db.execute("UPDATE runs SET summary = ? WHERE run_id = ?", (summary, run_id))

    def runs(self, limit: int = 20) -> list[RunRecord]:
        """The newest runs, newest first."""
        rows = self._db.execute(
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
                outcome=outcome or ("running" if alive(pid) else "killed"),
                summary=summary,
                artifacts=count,
            )
            for run_id, command, started, finished, outcome, summary, pid, count in rows
        ]

    # Artifacts

    def fresh(self, path: Path, name: str, key: str) -> bool:
        """Whether `path` is still exactly what a run with the same `key` wrote."""
        row = self._db.execute("SELECT key, sha256, stamp FROM artifacts WHERE path = ?", (name,)).fetchone()
        if row is None or row[0] != key or not path.is_file():
            return False
        return bool(row[2] == stamp(path) or row[1] == sha256_file(path))

    def untouched(self, path: Path, name: str) -> bool:
        """Whether a file holds what a run wrote last, whatever the inputs were; False if no run wrote it."""
        row = self._db.execute("SELECT sha256, stamp FROM artifacts WHERE path = ?", (name,)).fetchone()
        return row is not None and path.is_file() and (row[1] == stamp(path) or row[0] == sha256_file(path))

    def made(self, path: Path, name: str, key: str, run_id: int, seconds: float) -> None:
        """Record that this run wrote `path` from inputs that hash to `key`."""
        self._db.execute(
            "INSERT OR REPLACE INTO artifacts (path, key, sha256, stamp, run_id, seconds) VALUES (?, ?, ?, ?, ?, ?)",
            (name, key, sha256_file(path), stamp(path), run_id, seconds),
        )

    def sha256(self, name: str) -> str:
        """Of the bytes that a run wrote last; empty if no run did."""
        row = self._db.execute("SELECT sha256 FROM artifacts WHERE path = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def artifacts(self, prefix: str = "") -> list[dict[str, Any]]:
        """What is known of each artifact: path, key, sha256, run_id, seconds."""
        names = ("path", "key", "sha256", "run_id", "seconds")
        rows = self._db.execute(
            f"SELECT {', '.join(names)} FROM artifacts WHERE substr(path, 1, ?) = ? ORDER BY path",  # noqa: S608
            (len(prefix), prefix),
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    # Facts about files, so that an unchanged file is hashed once

    def file_facts(self) -> dict[str, tuple[str, str]]:
        """Absolute path → (stamp, facts as JSON) of every file seen."""
        return {
            path: (mark, facts)
            for table in self._tables("files")
            for path, mark, facts in self._db.execute(f"SELECT path, stamp, facts FROM {table}")  # noqa: S608
        }

    def put_file_facts(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Remember (absolute path, stamp, facts as JSON) of some files."""
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)

    # Embeddings

    def embeddings(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The vectors that are there, of those asked for."""
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            for table in self._tables("embeddings"):
                found.update(self._db.execute(f"SELECT key, vector FROM {table} WHERE key IN ({marks})", part))  # noqa: S608
        return found

    def put_embeddings(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Remember vectors; written before they are used."""
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)

    # Calls (see `acbench.predictors.llm.cache`)

    def dollars(self, call_ids: Iterable[str]) -> float:
        """What some calls have cost together, upper bound."""
        costs = (self._db.execute("SELECT cost FROM calls WHERE call_id = ?", (each,)).fetchone() for each in call_ids)
        return float(sum(row[0] for row in costs if row is not None))

    def _tables(self, name: str) -> tuple[str, ...]:
        """Where rows are looked for; what is here comes last, and so wins."""
        return (f"base.{name}", f"main.{name}") if self._based else (f"main.{name}",)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def stamp(path: Path) -> str:
    """Changes whenever a file is written: size, modification and change time (ns), inode."""
    stat = path.stat()
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"


def sha256_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(*parts: object, length: int = 16) -> str:
    """A short hash of JSON-able values: the key under which a result may be reused."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(), digest_size=length // 2).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def alive(pid: int) -> bool:
    """Whether a process of this machine runs under this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
