"""The SQLite file of a ledger: its schema, its migrations, and one connection to it."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
    """
    CREATE TABLE dialects (model TEXT PRIMARY KEY, dialect TEXT NOT NULL) WITHOUT ROWID;
    """,
    """
    CREATE TABLE datasets (benchmark TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID;
    """,
)
"""Each entry takes a ledger one version up; never edit one that has shipped."""

Values = Sequence[Any] | Mapping[str, Any]
"""What stands for the marks of a statement."""


class Database:
    """An open ledger file, at the newest version of the schema, to be used as a context.

    With a `base`, a ledger that nobody writes to, rows that are not here are looked up there. It is read without locks,
    so that it may lie on a file system that many machines share.

    Raises StorageError if the file is no ledger, cannot be used, or was written by a newer acbench, and if the base is
    being written.
    """

    def __init__(self, path: Path, base: Path | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._has_base = base is not None and base.exists()
        try:
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, uri=True)
            with suppress(sqlite3.OperationalError):  # locked: another process that opens it sets the mode
                self.execute("PRAGMA journal_mode=WAL")
            self.execute("PRAGMA synchronous=NORMAL")
            self._migrate()
            if base is not None and self._has_base:
                self._attach_base(base)
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.close()
        if isinstance(error, sqlite3.DatabaseError):
            raise self._unusable(error) from None

    def close(self) -> None:
        self._connection.close()

    def execute(self, statement: str, values: Values = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(statement, values)

    def execute_many(self, statement: str, rows: Iterable[Values]) -> None:
        """Run one statement for each row."""
        self._connection.executemany(statement, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all changes of a block, or none if it raises."""
        try:
            self.execute("BEGIN IMMEDIATE")
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            raise

    def tables(self, name: str) -> tuple[str, ...]:
        """The table of that name here and in the base; the one here comes last, since its rows win."""
        return (f"base.{name}", f"main.{name}") if self._has_base else (f"main.{name}",)

    @contextmanager
    def attached(self, path: Path, schema: str) -> Iterator[None]:
        """Another ledger under the name of a schema. Raises StorageError if it has another version."""
        self.execute(f"ATTACH DATABASE ? AS {schema}", (f"file:{quote(str(path))}",))
        try:
            if self._version(schema) != len(MIGRATIONS):
                raise StorageError(f"{path} was written by another acbench", "update: pip install --upgrade acbench")
            yield
        finally:
            self.execute(f"DETACH DATABASE {schema}")

    def _attach_base(self, base: Path) -> None:
        log = base.with_name(f"{base.name}-wal")
        if log.exists() and log.stat().st_size:  # its rows would not be seen
            self.close()
            raise StorageError(
                f"{base} is in use, or was left by a command that was killed",
                "wait for the other command to end; or tidy up, then run again: acbench merge BENCHMARK",
            )
        self.execute("ATTACH DATABASE ? AS base", (f"file:{quote(str(base))}?immutable=1",))
        if self._version("base") != len(MIGRATIONS):
            self.close()
            raise StorageError(f"{base} was written by another acbench", "acbench merge BENCHMARK brings it up to date")

    def _migrate(self) -> None:
        if self._version() > len(MIGRATIONS):
            self.close()
            raise StorageError(f"{self.path} was written by a newer acbench", "update: pip install --upgrade acbench")
        if self._version() == len(MIGRATIONS):
            return
        with self.transaction():
            for script in MIGRATIONS[self._version() :]:  # asked again: another process may have been here first
                for statement in script.split(";"):
                    self.execute(statement)
            self.execute(f"PRAGMA user_version={len(MIGRATIONS)}")

    def _version(self, schema: str = "main") -> int:
        return int(self.execute(f"PRAGMA {schema}.user_version").fetchone()[0])

    def _unusable(self, error: sqlite3.DatabaseError) -> StorageError:
        hint = (
            f"it holds answers that were paid for, so do not remove it; get out of it what can be read, and go on:"
            f" acbench ledger recover {shlex.quote(str(self.path))}"
        )
        if isinstance(error, sqlite3.OperationalError):  # not the file is wrong, but the place
            hint = f"see that {self.path.parent} can be written to, has space left and is not in use, then run again"
        return StorageError(f"{self.path} is not a usable ledger: {error}", hint)
