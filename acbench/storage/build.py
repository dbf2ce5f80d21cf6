"""Writes a file unless it is there already, as a run wrote it from the same inputs."""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from acbench._util.console import Progress
from acbench._util.cores import cores
from acbench._util.waiting import result_of
from acbench.storage.atomic import write_bytes
from acbench.storage.digests import sha256_file
from acbench.storage.ledger import Ledger
from acbench.storage.project import Project
from acbench.storage.typed_json import to_json

THREADS = min(16, cores())
"""Threads that draw, here and elsewhere."""
_AHEAD = 4
"""Files for each thread that are on the way at once, which bounds memory."""


class Wanted(NamedTuple):
    """A file that is to be there."""

    path: Path
    key: str
    """A hash of everything that decides it."""
    write: Callable[[Path], None]


class _Written(NamedTuple):
    sha256: str
    seconds: float


def _write(file: Wanted) -> _Written:
    started = time.monotonic()
    file.write(file.path)
    return _Written(sha256_file(file.path), time.monotonic() - started)


@dataclass(kw_only=True)
class Build:
    """Writes the files of one run, each unless it is fresh."""

    project: Project
    ledger: Ledger
    run_id: int
    written: list[str] = field(default_factory=list)
    """The files that this run wrote, in order: paths relative to the project."""

    def ensure(
        self, path: Path, key: str, write: Callable[[Path], None], *, unfinished: Callable[[], bool] = lambda: False
    ) -> None:
        """Write a file unless a run has written it from inputs that hash to `key`.

        `unfinished` is asked after `write`: whether the file is incomplete, so that the next run writes it again.
        """
        name = self.project.relative(path)
        if self.ledger.artifacts.is_fresh(path, name, key):
            return
        started = time.monotonic()
        write(path)
        recorded_key = f"{key} in part" if unfinished() else key
        self.ledger.artifacts.record(path, name, recorded_key, self.run_id, time.monotonic() - started)
        self.written.append(name)

    def ensure_all(self, wanted: Iterable[Wanted], total: int, progress: Progress) -> None:
        """`ensure` many files, which threads write. Only this thread uses the ledger.

        A file that was written before an error or Ctrl-C is on record. Raises what a write raises.
        """
        waiting: deque[tuple[Wanted, Future[_Written]]] = deque()
        done = 0

        def finish_first() -> None:
            nonlocal done
            file, future = waiting.popleft()
            self._keep(file, result_of(future))
            done += 1
            progress(done, total)

        with ThreadPoolExecutor(THREADS, thread_name_prefix="build") as pool:
            try:
                for file in wanted:
                    if self.is_fresh(file.path, file.key):
                        done += 1
                        progress(done, total)
                        continue
                    waiting.append((file, pool.submit(_write, file)))
                    if len(waiting) > _AHEAD * THREADS:
                        finish_first()
                while waiting:
                    finish_first()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                for file, future in waiting:
                    if not future.cancelled() and future.exception() is None:
                        self._keep(file, future.result())
                raise

    def _keep(self, file: Wanted, written: _Written) -> None:
        name = self.project.relative(file.path)
        self.ledger.artifacts.record(file.path, name, file.key, self.run_id, written.seconds, written.sha256)
        self.written.append(name)

    def record(self, path: Path, key: str, seconds: float, *, written: bool) -> None:
        """Keep that a file is what inputs that hash to `key` make it; `written`: whether this run had to write it."""
        name = self.project.relative(path)
        self.ledger.artifacts.record(path, name, key, self.run_id, seconds)
        if written:
            self.written.append(name)

    def is_fresh(self, path: Path, key: str) -> bool:
        """Whether a run has written the file from inputs that hash to `key`, and nobody has changed it."""
        return self.ledger.artifacts.is_fresh(path, self.project.relative(path), key)

    def is_untouched(self, path: Path) -> bool:
        """Whether the file is as a run wrote it last, whatever its inputs were."""
        return self.ledger.artifacts.is_untouched(path, self.project.relative(path))


_TEXT = json.JSONEncoder(ensure_ascii=False)


class RecordsKey:
    """A hash of records, as they come."""

    def __init__(self) -> None:
        self._hasher = hashlib.blake2b(digest_size=8)

    def add(self, row: object) -> None:
        """Take in the next record."""
        self._hasher.update(_TEXT.encode(to_json(row)).encode())

    @property
    def value(self) -> str:
        """The hash of all records so far, 16 hex digits."""
        return self._hasher.hexdigest()


def records_key(rows: Iterable[object]) -> str:
    """A hash of records, 16 hex digits."""
    key = RecordsKey()
    for row in rows:
        key.add(row)
    return key.value


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON that people can read, atomically."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
