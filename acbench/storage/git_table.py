"""A table that is kept in git: one file while that is small, a file for each category once it is large.

`labels.jsonl` is the one file, and `labels/bottle.jsonl` that of a category. Both layouts can be there at once: after a
merge of two branches, or after a kill while one became the other. All rows count then, in whichever file they are, and
the next write puts them where they belong.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import re
import shlex
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from acbench.errors import StorageError
from acbench.records import MADE_ID, Label, Review
from acbench.storage import tables
from acbench.storage.atomic import write_if_other
from acbench.storage.digests import digest
from acbench.storage.parquet import in_groups

if TYPE_CHECKING:
    from acbench.storage.build import Build

MAX_BYTES = 5_000_000
"""Bytes of the one file, above which each category has a file of its own.

Git keeps every version of a file whole, and GitHub shows larger text files as raw downloads only; it advises 1 MB for
one object, and shows no more than 20,000 lines or 500 KB of the changes to one file. docs.github.com, "Repository
limits" and "Limits for viewing content and diffs in a repository".
"""
JOINED_BELOW = 0.5
"""Share of MAX_BYTES below which the files of all categories become one again. Between the two the layout stays as it
is: a table that grows and shrinks a little is not moved each time."""
MAX_NAME = 60
"""Characters of a category's name that its file has."""
ATTEMPTS = 20
"""How often a table is read again that is being moved from one layout to the other meanwhile."""

G = TypeVar("G", Label, Review)


class Moved(StorageError):
    """Rows are not where they belong, or were moved while they were read one file at a time."""


class GitTable(Generic[G]):
    """The labels or the reviews of one benchmark.

    `order`: what rows are sorted by. `of_item`: how many rows there may be of one item.
    """

    def __init__(self, file: Path, kind: type[G], order: Callable[[G], Any], of_item: Literal["one", "many"]) -> None:
        self.file = file
        """The one file, which need not be there."""
        self.folder = file.with_suffix("")
        """The folder of the files of categories, which need not be there."""
        self.kind: type[G] = kind
        self.order: Callable[[G], Any] = order
        """What rows are sorted by."""
        self._of_item = of_item
        self._rows: list[G] | None = None
        self._is_mixed = False

    @property
    def parts(self) -> list[Path]:
        """The files of categories that are there, by name."""
        try:
            files = sorted(self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):  # also where another process takes it away meanwhile
            return []
        return [path for path in files if path.suffix == ".jsonl" and not path.name.startswith(".")]

    @property
    def paths(self) -> list[Path]:
        """All files that are there: the one file first, then those of categories."""
        return [*([self.file] if os.path.lexists(self.file) else []), *self.parts]

    @property
    def place(self) -> Path:
        """Where people find it: the file, or the folder of the files of categories."""
        return self.folder if self.parts else self.file

    @property
    def is_mixed(self) -> bool:
        """Whether both layouts were there when it was read last, or rows in files of other categories."""
        return self._is_mixed

    def exists(self) -> bool:
        """Whether there is any file of it."""
        return bool(self.paths)

    def part(self, item_id: str) -> Path:
        """The file that the rows of an item are in if each category has its own."""
        return self.part_called(part_name(item_id))

    def part_called(self, name: str) -> Path:
        """The file of the category of that name, as `part_name` gives it."""
        return self.folder / f"{name}.jsonl"

    def holding(self, item_id: str) -> Path:
        """The file that the rows of an item are in now."""
        return self.part(item_id) if self.parts and not self.file.exists() else self.file

    @property
    def rows(self) -> list[G]:
        """As `read`, and kept in memory."""
        if self._rows is None:
            self._rows = self.read()
        return self._rows

    def read(self) -> list[G]:
        """All rows; none if there is no file. A row that is there twice, as in both layouts, counts once.

        Raises StorageError for a damaged file, and for two rows of an item that can have but one.
        """
        rows = self.read_all()
        return self.one_of_each(rows) if self._of_item == "one" else rows

    def read_all(self) -> list[G]:
        """All rows, also if they contradict each other. Raises StorageError for a damaged file."""
        for _ in range(ATTEMPTS):
            paths = self.paths
            try:
                tables_read = [self.read_file(path) for path in paths]
            except StorageError:
                if paths == self.paths:
                    raise
                continue  # another process is moving it from one layout to the other
            if paths == self.paths:
                break
        if paths in ([], [self.file]):
            return [row for rows in tables_read for row in rows]
        named = zip(paths, tables_read, strict=True)
        self._is_mixed = paths[0] == self.file or any(
            part_name(row.item_id) != path.stem for path, rows in named for row in rows
        )  # git takes the one file for one of a category that was renamed, and merges other rows into it
        every = [row for rows in tables_read for row in rows]
        return sorted(dict.fromkeys(every) if self._is_mixed else every, key=self.order)

    def each(self) -> Iterator[G]:
        """The rows that `read` gives, one after the other, of which a few are in memory.

        Raises Moved where only `read` can tell which rows count, and StorageError as `read`. Both may come after rows
        that were given already: then these do not count.
        """
        paths = self.paths
        if len(paths) > 1 and paths[0] == self.file:
            raise Moved(f"{self.file} holds rows that belong in other files", "run acbench relabel")
        for path in paths:
            try:
                yield from self._settled(path)
            except StorageError:
                self._check_unmoved(paths)
                raise
            self._check_unmoved(paths)

    def _settled(self, path: Path) -> Iterator[G]:
        """The rows of a file that holds nothing but what belongs there, in order. Raises Moved if it is none."""
        before: G | None = None
        for row in self.each_of(path):
            is_stray = path != self.file and part_name(row.item_id) != path.stem
            if is_stray or (before is not None and self.order(row) < self.order(before)):
                raise Moved(f"{path} holds rows that belong in other files, or elsewhere", "run acbench relabel")
            if before is not None and self._of_item == "one" and row.item_id == before.item_id:
                self.one_of_each([before, row])
                continue
            before = row
            yield row

    def _check_unmoved(self, paths: Sequence[Path]) -> None:
        if self.paths != paths:
            raise Moved(f"{self.place} is being moved by another process", "run it again")

    def read_file(self, path: Path) -> list[G]:
        """As `each_of`, all in memory."""
        return list(self.each_of(path))

    def each_of(self, path: Path) -> Iterator[G]:
        """The rows of one of its files as they stand there, one after the other, also if others contradict them.

        Which rows count, `read` and `each` tell. Raises StorageError if it is damaged, and at the end if it holds
        nothing that belongs there.
        """
        first, is_right = None, path == self.file
        for row in tables.each(path, self.kind):
            first = first or row
            is_right = is_right or part_name(row.item_id) == path.stem
            yield row
        if first is not None and not is_right:
            right = self.part(first.item_id)
            aside = f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.aside')}"
            raise StorageError(
                f"{path} is no file of acbench: the row of {first.item_id} belongs in {right.name}",
                f"if it is a copy, set it aside: {aside}; if not, move its lines there",
            )

    def one_of_each(self, rows: Iterable[G]) -> list[G]:
        """Rows of which each item can have but one, each once.

        Raises StorageError for two that differ, as a merge of two branches leaves them.
        """
        known: dict[str, G] = {}
        for row in rows:
            if (other := known.setdefault(row.item_id, row)) is not row and other != row:
                where = " and ".join(map(str, self._naming(row.item_id)))
                again = f"acbench relabel {shlex.quote(self.file.parent.name)}"
                raise StorageError(
                    f"{where}: there are two rows of {row.item_id}, which differ",
                    f"they are made anew: {again}; of an image that is not at hand, delete the wrong row",
                )
        return list(known.values())

    def _naming(self, item_id: str) -> list[Path]:
        """The files that hold a row of an item."""
        return [path for path in self.paths if any(row.item_id == item_id for row in self.read_file(path))]

    @property
    def content(self) -> bytes:
        """The bytes of all files, one after the other."""
        return b"".join(path.read_bytes() for path in self.paths)

    @property
    def mark(self) -> str:
        """The SHA-256 of all rows as they are kept, 64 hex digits; empty if there is no file."""
        hasher = hashlib.sha256()
        for path in self.paths:
            hasher.update(path.read_bytes())
        return hasher.hexdigest() if self.paths else ""

    def write(self, rows: Iterable[G]) -> list[Path]:
        """Replace all rows; gives the files that have other bytes now.

        Whenever it is killed, each row is in a file: new files are there before the layout of before goes.
        """
        ordered = sorted(rows, key=self.order)
        by_part: defaultdict[Path, list[G]] = defaultdict(list)
        for row in ordered:
            by_part[self.part(row.item_id)].append(row)
        changed = self.write_parts(by_part.items())
        self._rows = ordered
        return changed

    def write_parts(self, parts: Iterable[tuple[Path, Iterable[G]]], kept: Collection[Path] = ()) -> list[Path]:
        """As `write`, for the sorted rows of each category by its file, of which no more than MAX_BYTES are held.

        `kept`: files of categories that stay as they are, as far as `may_keep` them.
        """
        limit = MAX_BYTES * JOINED_BELOW if self.parts else MAX_BYTES
        held: dict[Path, list[G]] = {}
        size, changed = 0, list[Path]()
        written: set[Path] = {*kept}
        for path, rows in parts:
            waiting, own = in_groups(rows), held.setdefault(path, []) if not written else []
            while not written and (group := next(waiting, None)) is not None:
                own += group
                size += len(tables.encoded(path, group, self.kind))
                if size > limit:  # from here on each file is written as its rows come
                    written = set(held)
                    changed += [each for each in held if each != path and self._replaced(each, [held[each]])]
            if written:
                written.add(path)
                changed += [path] if self._replaced(path, itertools.chain([own], waiting)) else []
        if not written:
            written = {self.file}
            ordered = sorted(itertools.chain(*held.values()), key=self.order)
            changed += [self.file] if self._replaced(self.file, [ordered]) else []
        self._rows, self._is_mixed = None, False
        self._drop([path for path in self.paths if path not in written], written)
        return changed

    def may_keep(self, paths: Collection[Path]) -> bool:
        """Whether so many files of categories stay files of categories, whatever becomes of the others."""
        return not self.file.exists() and sum(path.stat().st_size for path in paths) > MAX_BYTES * JOINED_BELOW

    def _replaced(self, path: Path, groups: Iterable[list[G]]) -> bool:
        """Give a file these rows; whether it had other bytes."""
        return write_if_other(path, (tables.encoded(path, rows, self.kind) for rows in groups))

    def _drop(self, old: Sequence[Path], written: Iterable[Path]) -> None:
        """Remove files of the other layout, each if all that it says has been written anew."""
        for path in old:
            missing = {self._said(row) for row in self.each_of(path)}
            for other in written:
                missing.difference_update(map(self._said, tables.each(other, self.kind)))
            if not missing:
                path.unlink()
        if old and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _said(self, row: G) -> object:
        """What must not get lost of a row: all of it or, where there is one of each item, that there is one."""
        return row.item_id if self._of_item == "one" else row

    def ensure(self, build: Build, key: str, write: Callable[[], Iterable[Path]]) -> None:
        """Write it unless a run has written all its files from inputs that hash to `key`.

        `write` gives the files that have other bytes then, as `write` here does.
        """
        artifacts, relative = build.ledger.artifacts, build.project.relative
        known = {artifact.path for artifact in artifacts.below(f"{relative(self.folder)}/")}
        known |= {relative(self.file)} if artifacts.sha256(relative(self.file)) else set()
        paths = self.paths
        if paths and known == set(map(relative, paths)) and all(build.is_fresh(path, key) for path in paths):
            return
        started = time.monotonic()
        changed = set(write())
        seconds = time.monotonic() - started
        for path in self.paths:
            build.record(path, key, seconds, written=path in changed)
            known.discard(relative(path))
        for gone in known:
            artifacts.forget(gone)

    def made(self, build: Build) -> str:
        """A hash of all rows as `ensure` left them, 16 hex digits."""
        return digest([build.ledger.artifacts.sha256(build.project.relative(path)) for path in self.paths])


def part_name(item_id: str) -> str:
    """The name of the file, without `.jsonl`, of the category that an id names: see `acbench.records.item_id`.

    It is the category's name in lower case, as two file names that differ in nothing but case are one on some disks; a
    category whose name does not fit has a hash behind what fits of it. Ids that name no category share `_`.
    """
    made = MADE_ID.fullmatch(item_id)
    return _file_name(made[1].partition("-")[2].casefold()) if made else "_"


@functools.lru_cache(maxsize=10_000)
def _file_name(category: str) -> str:
    name = re.sub(r"[^a-z0-9_.-]+", "_", category).lstrip(".")[:MAX_NAME]
    return (name if name == category else f"{name}_{digest(ascii(category), length=8)}") or "_"
