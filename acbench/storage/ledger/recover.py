"""Gets out of a damaged ledger what can still be read, into a new one; the damaged file stays beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from acbench.errors import StorageError
from acbench.storage.ledger.database import Database

TABLES = ("calls", "batches", "dialects", "merged", "embeddings", "files", "runs", "artifacts")
"""What is recovered, what was paid for first."""
_PAGE = 4096
"""Bytes of a page, as SQLite makes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was got out of a ledger."""

    rows: Mapping[str, int]
    """Table → rows; none of a sound ledger, which is left alone."""
    answers: int
    """Answers of models among them."""
    dollars: float
    """What all calls among them have cost, upper bound."""
    unread: Mapping[str, str]
    """Table → why some of its rows, or all, could not be read."""
    damaged: Path | None
    """Where the damaged file is now; None if the ledger is sound."""


def recover(path: Path) -> Recovered:
    """Put a ledger of what can be read in the place of a damaged one. A sound one is left alone.

    What earlier attempts have put aside beside it is read too, so it can be stopped and run again at any moment. Nobody
    else may use the ledger meanwhile. Raises StorageError if there is no file, or OSError.
    """
    if not path.is_file():
        raise StorageError(f"there is no ledger {path}", "give the file that the error named")
    if _is_sound(path):
        return Recovered(rows={}, answers=0, dollars=0.0, unread={}, damaged=None)
    fresh = path.with_name(f"{path.name}.recovered")
    _remove(fresh)
    unread: dict[str, str] = {}
    with Database(fresh) as database:
        for source in (path, *sorted(path.parent.glob(f"{path.name}.damaged-*[0-9]"))):
            with TemporaryDirectory(prefix="recover-", dir=path.parent) as folder:
                for name, why in _take(source, Path(folder), database):
                    unread.setdefault(name, why)
        rows = {name: _number(database, f"SELECT COUNT(*) FROM main.{name}") for name in TABLES}  # noqa: S608
        answers = _number(database, "SELECT COUNT(answer) FROM main.calls")
        dollars = _number(database, "SELECT COALESCE(SUM(cost), 0) FROM main.calls")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA journal_mode=DELETE")
    damaged = _put_aside(path)
    _remove(path, keep_main=True)  # its log would be taken for that of the new ledger
    fresh.replace(path)
    return Recovered(
        rows={name: int(number) for name, number in rows.items()}, answers=int(answers), dollars=dollars,
        unread=unread, damaged=damaged,
    )  # fmt: skip


def _is_sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a file, and it is a ledger, of whatever version."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()
            return bool(found[0] == "ok") and connection.execute("SELECT COUNT(*) FROM runs").fetchone() is not None
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return False  # it is something else
        hint = "see that it may be read and that nobody else uses it, then run it again"
        raise StorageError(f"{path} cannot be read: {error}", hint) from None
    except sqlite3.DatabaseError:
        return False


def _take(source: Path, folder: Path, database: Database) -> Iterator[tuple[str, str]]:
    """Copy rows of a file; gives the tables that could not be read to their end, and why.

    The first page says where all tables are. If it is damaged, that of a new ledger stands in for it: tables are made
    in one order, at the same pages.
    """
    copy = folder / "ledger.sqlite"
    _copy(source, copy)
    if not _has_tables(copy):
        with Database(folder / "new.sqlite") as new:
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with copy.open("r+b") as file, (folder / "new.sqlite").open("rb") as sound:
            file.write(sound.read(_PAGE))
            file.seek(28)  # how many pages there are
            file.write((source.stat().st_size // _PAGE).to_bytes(4, "big"))
    with closing(sqlite3.connect(copy)) as connection:
        with suppress(sqlite3.DatabaseError):
            origin = connection.execute("SELECT origin FROM identity").fetchone()
            database.execute("UPDATE identity SET origin = ?", origin)
        for name in TABLES:
            if why := _take_table(connection, database, name):
                yield name, why


def _take_table(connection: sqlite3.Connection, database: Database, name: str) -> str:
    """Copy the rows of a table: from its beginning and from its end, up to where it is damaged. Gives what is wrong."""
    facts = database.execute(f"PRAGMA main.table_info({name})").fetchall()
    columns = ", ".join(str(fact[1]) for fact in facts)
    try:
        database.execute(f"SELECT rowid FROM main.{name} LIMIT 0")  # noqa: S608
        keys = ["rowid"]
    except sqlite3.OperationalError:  # a table without rowids lies in the order of its key
        keys = [str(fact[1]) for fact in sorted(facts, key=lambda fact: int(fact[5])) if fact[5]]
    insert = f"INSERT OR IGNORE INTO main.{name} ({columns}) VALUES ({', '.join('?' * len(facts))})"  # noqa: S608
    why = ""
    for way in ("ASC", "DESC"):
        order = ", ".join(f"{key} {way}" for key in keys)
        try:
            rows = connection.execute(f"SELECT {columns} FROM {name} ORDER BY {order}")  # noqa: S608
        except sqlite3.DatabaseError as error:
            return "" if "no such table" in str(error) else str(error)  # an earlier version had fewer
        with database.transaction():
            while True:
                try:
                    row = rows.fetchone()
                except (sqlite3.DatabaseError, UnicodeError) as error:
                    why = why or str(error)
                    break
                if row is None:
                    return ""
                with suppress(sqlite3.IntegrityError):  # a value is missing that has to be there
                    database.execute(insert, row)
    return why


def _has_tables(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone() is not None
    except sqlite3.DatabaseError:
        return False


def _number(database: Database, statement: str) -> float:
    return float(database.execute(statement).fetchone()[0])


def _put_aside(path: Path) -> Path:
    """Give a damaged ledger a second name, which nothing writes to."""
    number = 1
    while (damaged := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    _copy(path, damaged)
    return damaged


def _copy(path: Path, copy: Path) -> None:
    """Copy a ledger with its log. The file itself comes last: it is the one that is looked for."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
    part = copy.with_name(f"{copy.name}.part")
    shutil.copyfile(path, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(copy)


def _remove(path: Path, *, keep_main: bool = False) -> None:
    for ending in ("-wal", "-shm", "-journal", *(() if keep_main else ("",))):
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
