"""Reads each file once: hashes it, reads its header, and looks at the pixels of masks and of 16-bit images.

A file that a cache knows is not read again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from threading import Event
from typing import NamedTuple, Protocol, Self

from acbench._util.chunks import chunks
from acbench._util.console import Progress
from acbench._util.execution import Engine, Home, WorkerTask
from acbench._util.waiting import as_they_end
from acbench.data.images import brightest, decode, decode_probed, probe
from acbench.data.mask_content import MaskContent, content
from acbench.errors import ImageError
from acbench.storage.files import FileRefused, FileTree, LocatedFile
from acbench.storage.typed_json import any_json

VERSION = 3
"""Raise it when the same bytes give other facts, so that cached ones are computed again."""
_CHUNK, _CHUNK_BYTES = 16, 1 << 22
"""Files of one task of a thread, and about how many bytes: enough to make its overhead small, few enough to show
progress on a slow disk."""
_SMALL = 1 << 16
"""Bytes from which on a file is read by a thread."""
_QUICK, _SLACK = 0.0005, 0.02
"""Seconds that a smaller one may take, and seconds that all may take longer together, before threads read them too."""
_PART = 64
"""Files of one task of an engine's worker."""
_FLUSH = 0.5
"""Seconds between two writes to the cache: at most this much work is lost if the process is killed."""


class FileFacts(NamedTuple):
    """What is known of one image or mask file."""

    sha256: str = ""
    """64 hex digits; empty if the file could not be read."""
    width: int = 0
    height: int = 0
    mode: str = ""
    """Pillow's name of the pixel format."""
    format: str = ""
    """Pillow's name of the file format, such as `PNG`."""
    problem: str = ""
    """Why the file cannot be used, or empty."""
    hint: str = ""
    """What to do about the problem."""
    peak: int | None = None
    """The largest value of a pixel, if a channel has 16 bits in the file: of 65,535, or of 255 if it has colours."""
    mask: MaskContent | None = None
    """What a mask marks; None of an image, and of a mask that cannot be used."""
    more: bool = False
    """Whether the file holds more pictures than the first, which is read."""


class FileFactsCache(Protocol):
    """Keeps the facts of files, as JSON, for later runs; `acbench.storage.ledger.file_facts.FileFactTable` is one.

    Facts are kept under the file's absolute path or URL. They hold as long as the stamp is the same.
    """

    def load(self, folder: str, first: str = "", last: str = "") -> Mapping[str, tuple[str, str]]:
        """Path → (stamp, facts) of every known file in a folder, from a first path to a last; others do no harm."""

    def save(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Keep (path, stamp, facts) of some files."""


class MemoryFileFactsCache:
    """A cache that lasts as long as the process."""

    def __init__(self) -> None:
        self.facts: dict[str, tuple[str, str]] = {}

    def load(self, folder: str, first: str = "", last: str = "") -> Mapping[str, tuple[str, str]]:
        return self.facts

    def save(self, rows: Iterable[tuple[str, str, str]]) -> None:
        self.facts.update((path, (stamp, facts)) for path, stamp, facts in rows)


@dataclass(frozen=True, slots=True)
class _File:
    """A file to read. Its fields are plain values, because an engine sends it to other processes."""

    path: str
    address: str
    """Its absolute path, or its URL."""
    size: int | None
    stamp: str
    is_mask: bool

    @property
    def cache_stamp(self) -> str:
        """The stamp that its facts are kept with; empty if they are not kept."""
        return f"{VERSION}:{'mask:' if self.is_mask else ''}{self.stamp}" if self.stamp else ""

    @property
    def located(self) -> LocatedFile:
        return LocatedFile(self.address, self.size, self.stamp)


_Read = list[tuple[_File, FileFacts]]
"""Files that were read, and their facts."""


def _silent(_done: int, _total: int) -> None:
    """Reports progress to nobody."""


@dataclass(frozen=True, kw_only=True)
class FileHasher:
    """Finds the facts of many files."""

    cache: FileFactsCache = field(default_factory=MemoryFileFactsCache)
    progress: Progress = _silent
    threads: int | None = None
    """How many files this process reads at once, which bounds its memory; None for as many as suit the tree."""
    engine: Engine | None = None
    """An engine whose workers read the files; None for threads of this process."""

    def facts_of(
        self,
        tree: FileTree,
        paths: Sequence[str],
        masks: Collection[str] = frozenset(),
        *,
        before: int = 0,
        total: int | None = None,
    ) -> dict[str, FileFacts]:
        """Path → facts of every file. A file that cannot be read has a `problem`; none raises.

        `masks` are those of `paths` that are masks: their pixels are looked at. `before` of `total` files were read
        before these, for the progress.

        If it is interrupted, the facts of the files that were read until then are in the cache.
        """
        facts, unread = self._known(tree, paths, masks)
        total = len(paths) if total is None else total
        self.progress(before + len(facts), total)
        parts = self._here(tree, unread) if self.engine is None else self._by_workers(self.engine, tree, unread)
        with closing(parts):
            for part in parts:
                facts.update((file.path, file_facts) for file, file_facts in part)
                self.progress(before + len(facts), total)
        return facts

    def _known(
        self, tree: FileTree, paths: Iterable[str], masks: Collection[str]
    ) -> tuple[dict[str, FileFacts], list[_File]]:
        """The facts that need no reading, and the files to read."""
        facts: dict[str, FileFacts] = {}
        located: list[_File] = []
        unread: list[_File] = []
        for path in paths:
            try:
                address, size, stamp = tree.locate(path)
            except FileRefused as why:
                facts[path] = FileFacts(problem=why.message, hint=why.hint)
            else:
                located.append(_File(path, address, size, stamp, path in masks))
        for folder, together in groupby(located, lambda file: file.address.rpartition("/")[0]):
            files = list(together)
            addresses = [file.address for file in files]
            kept = self.cache.load(folder, min(addresses), max(addresses))
            for file in files:
                kept_stamp, kept_facts = kept.get(file.address, ("", ""))
                known = _parsed(kept_facts) if file.stamp and kept_stamp == file.cache_stamp else None
                if known is None:
                    unread.append(file)
                else:
                    facts[file.path] = known
        return facts, unread

    def _here(self, tree: FileTree, files: Sequence[_File]) -> Generator[_Read, None, None]:
        """Read files in this process."""
        with _Keeping(self.cache) as keeping:
            done = 0
            for part in () if self.threads else _in_turn(tree, files):
                done += len(part)
                keeping.add(part)
                yield part
            with closing(self._by_threads(tree, files[done:], keeping)) as parts:
                for part in parts:
                    keeping.add(part)
                    yield part

    def _by_threads(self, tree: FileTree, files: Sequence[_File], keeping: _Keeping) -> Generator[_Read, None, None]:
        """Read files in threads. What they have read when this is closed is kept too."""
        stop = Event()
        pool = ThreadPoolExecutor(self.threads or tree.readers, thread_name_prefix="ingest")
        running = {pool.submit(_read_all, tree, chunk, stop) for chunk in _by_size(files)}
        try:
            for future in as_they_end([*running]):
                running.discard(future)
                yield future.result()
        except BaseException:  # Ctrl-C, or an error of the caller
            stop.set()
            pool.shutdown(cancel_futures=True)
            for future in running:
                if not future.cancelled() and future.exception() is None:
                    keeping.rows += _cache_rows(future.result())
            raise
        pool.shutdown()

    def _by_workers(self, engine: Engine, tree: FileTree, files: Sequence[_File]) -> Generator[_Read, None, None]:
        """Read files by the workers of an engine; facts are in the cache before they are given."""
        part: _Read
        for part in engine.map(WorkerTask(start=partial(_worker, tree), kind=_File), chunks(files, _PART)):
            self.cache.save(_cache_rows(part))
            yield part


class _Keeping:
    """Keeps facts in a cache, every `_FLUSH` seconds and at the end, to be used as a context."""

    def __init__(self, cache: FileFactsCache) -> None:
        self.rows: list[tuple[str, str, str]] = []
        self._cache = cache
        self._saved = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        with suppress(Exception) if kind else nullcontext():  # why it ends is what counts
            self._cache.save(self.rows)

    def add(self, part: _Read) -> None:
        """Keep what was read."""
        self.rows += _cache_rows(part)
        if time.monotonic() - self._saved > _FLUSH:
            self._cache.save(self.rows)
            self.rows, self._saved = [], time.monotonic()


def _worker(tree: FileTree, _home: Home) -> Callable[[Sequence[_File]], _Read]:
    return lambda files: _read_all(tree, files, Event())


def _by_size(files: Sequence[_File]) -> Iterator[Sequence[_File]]:
    """Files in parts for threads."""
    begin = size = 0
    for number, file in enumerate(files):
        size += file.size or _CHUNK_BYTES
        if size >= _CHUNK_BYTES or number - begin >= _CHUNK - 1:
            yield files[begin : number + 1]
            begin, size = number + 1, 0
    yield files[begin:]


def _in_turn(tree: FileTree, files: Sequence[_File]) -> Iterator[_Read]:
    """Read the first of some files, as long as they are small and each takes but a moment: threads would only wait for
    each other."""
    begun, never = time.monotonic(), Event()
    done, size = 0, 1
    while done < len(files) and time.monotonic() - begun <= _QUICK * done + _SLACK:
        part = files[done : done + size]
        if any((file.size or _SMALL) >= _SMALL for file in part):
            return
        yield _read_all(tree, part, never)
        done, size = done + len(part), min(2 * size, _CHUNK)


def _read_all(tree: FileTree, files: Iterable[_File], stop: Event) -> _Read:
    """The facts of some files, or of those that were read until `stop` was set."""
    part: _Read = []
    for file in files:
        if stop.is_set():
            break
        part.append((file, _read(tree, file)))
    return part


def _read(tree: FileTree, file: _File) -> FileFacts:
    try:
        data = tree.fetch(file.path, file.located)
    except FileRefused as why:
        return FileFacts(problem=why.message, hint=why.hint)
    except MemoryError:
        return FileFacts(problem="there is not enough memory to read it", hint="close other programs and run again")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        return _looked_at(sha256, data, is_mask=file.is_mask)
    except ImageError as why:
        return FileFacts(sha256, problem=why.message, hint=why.hint)
    except MemoryError:
        return FileFacts(problem="there is not enough memory to decode it", hint="close other programs and run again")


def _looked_at(sha256: str, data: bytes, *, is_mask: bool) -> FileFacts:
    """The facts of a file that holds `data`. Raises ImageError."""
    if is_mask:
        header, mask = decode_probed(data)
        facts = FileFacts(sha256, header.width, header.height, header.mode, header.format, more=header.more)
        return facts if mask is None else facts._replace(mask=content(mask))
    header = probe(data)
    peak = brightest(decode(data)) if header.deep else None
    return FileFacts(sha256, header.width, header.height, header.mode, header.format, peak=peak, more=header.more)


def _cache_rows(part: _Read) -> list[tuple[str, str, str]]:
    """Rows for the cache, without files whose bytes could not be read: the next attempt may succeed."""
    return [(file.address, file.cache_stamp, json.dumps(facts)) for file, facts in part if facts.sha256 and file.stamp]


def _parsed(text: str) -> FileFacts | None:
    """Facts as they were kept; None if the text is anything else."""
    with suppress(ValueError, TypeError):
        match any_json(text):
            case [
                str(sha256),
                int(width),
                int(height),
                str(mode),
                str(kind),
                str(problem),
                str(hint),
                peak,
                mask,
                bool(more),
            ]:
                match peak, mask:
                    case int() | None, None:
                        known = None
                    case int() | None, [int(marked), float(border), int(noise), int(alpha)]:
                        known = MaskContent(marked, border, noise, alpha)
                    case _:
                        return None
                return FileFacts(sha256, width, height, mode, kind, problem, hint, peak, known, more)
    return None
