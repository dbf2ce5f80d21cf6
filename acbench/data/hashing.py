"""Facts of many files: each is read once, hashed and probed from the same bytes, and not at all if a cache
knows it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import NamedTuple, Protocol

from acbench._util.console import Progress
from acbench._util.execution import Engine, Home, WorkerTask
from acbench.data.images import probe
from acbench.errors import ImageError
from acbench.storage.files import FileRefused, FileTree, LocatedFile

VERSION = 1
"""Raise it when the same bytes would give other facts: cached ones are then computed again."""
_CHUNK = 8
"""Files a task takes at once: enough to hide the cost of a task, few enough to see progress on a slow
disk."""
_PART = 64
"""Files that a worker of an engine takes at once."""
_FLUSH = 0.5
"""Seconds of work that are lost if the process is killed."""

_Row = tuple[str, str, str]


class FileFacts(NamedTuple):
    """What is known of one picture file."""

    sha256: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    format: str = ""
    problem: str = ""
    """Why it cannot be used, or empty."""
    hint: str = ""


class FileFactsCache(Protocol):
    """Facts of files from earlier runs, as JSON, under absolute path or URL, and stamp: see
    `acbench.storage.ledger.file_facts.FileFactTable`."""

    def load(self) -> Mapping[str, tuple[str, str]]:
        """Path → (stamp, facts) of every file known."""

    def save(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Remember (path, stamp, facts) of some files."""


class MemoryCache:
    """A cache that lasts as long as the process."""

    def __init__(self) -> None:
        self.facts: dict[str, tuple[str, str]] = {}

    def load(self) -> Mapping[str, tuple[str, str]]:
        return self.facts

    def save(self, rows: Iterable[tuple[str, str, str]]) -> None:
        self.facts.update((path, (stamp, facts)) for path, stamp, facts in rows)


@dataclass(frozen=True, slots=True)
class _Job:
    """Of plain values, so that it can be sent to others."""

    path: str
    real: str
    size: int | None
    mark: str
    stamp: str
    """What the facts are kept with."""

    @property
    def located(self) -> LocatedFile:
        return LocatedFile(self.real, self.size, self.mark)


def measure(
    tree: FileTree,
    paths: Sequence[str],
    cache: FileFactsCache,
    progress: Progress | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
) -> dict[str, FileFacts]:
    """Path → facts of every file; one that cannot be read has a `problem`, and no file raises.

    At most `workers` files are in memory at a time. When interrupted, what was done until then is in the
    cache.
    """
    known = cache.load()
    facts: dict[str, FileFacts] = {}
    jobs: list[_Job] = []
    for path in paths:
        try:
            located = tree.locate(path)
        except FileRefused as why:
            facts[path] = FileFacts(problem=why.message, hint=why.hint)
            continue
        stamp = f"{VERSION}:{located.stamp}" if located.stamp else ""
        old_stamp, old_facts = known.get(located.address, ("", ""))
        old = _parsed(old_facts) if stamp and old_stamp == stamp else None
        if old is None:
            jobs.append(_Job(path, *located, stamp))
        else:
            facts[path] = old
    if progress:
        progress(len(facts), len(paths))
    work = _in_threads(tree, jobs, workers or tree.readers, cache) if engine is None else _on(engine, tree, jobs, cache)
    with closing(work) as finished:
        for done in finished:
            facts.update(done)
            if progress:
                progress(len(facts), len(paths))
    return facts


def _in_threads(
    tree: FileTree, jobs: Sequence[_Job], workers: int, cache: FileFactsCache
) -> Generator[dict[str, FileFacts], None, None]:
    """Facts as they come. The cache is written by this thread alone, every `_FLUSH` seconds and at the end."""
    stop = Event()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ingest")
    chunks = [jobs[start : start + _CHUNK] for start in range(0, len(jobs), _CHUNK)]
    running = {pool.submit(_measure_some, tree, chunk, stop) for chunk in chunks}
    rows: list[_Row] = []
    written = time.monotonic()
    try:
        for future in as_completed(set(running)):
            done = future.result()
            rows += _rows(done)
            running.discard(future)
            if time.monotonic() - written > _FLUSH:
                cache.save(rows)
                rows, written = [], time.monotonic()
            yield {job.path: facts for job, facts in done}
        cache.save(rows)
    except BaseException:  # Ctrl-C, or an error of whoever reads: keep what is done, then let it pass
        stop.set()
        pool.shutdown(cancel_futures=True)
        for future in running:
            if not future.cancelled() and future.exception() is None:
                rows += _rows(future.result())
        with suppress(Exception):
            cache.save(rows)
        raise
    pool.shutdown()


def _on(
    engine: Engine, tree: FileTree, jobs: Sequence[_Job], cache: FileFactsCache
) -> Generator[dict[str, FileFacts], None, None]:
    """Facts as they come from the workers of an engine, each in the cache before it is told."""
    parts = (jobs[start : start + _PART] for start in range(0, len(jobs), _PART))
    for done in engine.map(WorkerTask(start=partial(_measurer, tree), kind=_Job), parts):
        cache.save(_rows(done))
        yield {job.path: facts for job, facts in done}


def _measurer(tree: FileTree, _home: Home) -> Callable[[Sequence[_Job]], list[tuple[_Job, FileFacts]]]:
    return lambda jobs: _measure_some(tree, jobs, Event())


def _rows(done: Iterable[tuple[_Job, FileFacts]]) -> list[_Row]:
    """For the cache. What failed before its bytes were read is left out: it may go well next time."""
    return [(job.real, job.stamp, json.dumps(facts)) for job, facts in done if facts.sha256 and job.stamp]


def _measure_some(tree: FileTree, jobs: Iterable[_Job], stop: Event) -> list[tuple[_Job, FileFacts]]:
    done = []
    for job in jobs:
        if stop.is_set():
            break
        done.append((job, _facts(tree, job)))
    return done


def _facts(tree: FileTree, job: _Job) -> FileFacts:
    try:
        data = tree.fetch(job.path, job.located)
    except FileRefused as why:
        return FileFacts(problem=why.message, hint=why.hint)
    except MemoryError:
        return FileFacts(problem="there is not enough memory to read it", hint="close other programs and run again")
    digest = hashlib.sha256(data).hexdigest()
    try:
        header = probe(data)
    except ImageError as why:
        return FileFacts(digest, problem=why.message, hint=why.hint)
    return FileFacts(digest, header.width, header.height, header.mode, header.format)


def _parsed(text: str) -> FileFacts | None:
    """Facts as they were kept, or None if it is anything else."""
    try:
        match json.loads(text):
            case [str(sha256), int(width), int(height), str(mode), str(kind), str(problem), str(hint)]:
                return FileFacts(sha256, width, height, mode, kind, problem, hint)
    except ValueError:
        pass
    return None
