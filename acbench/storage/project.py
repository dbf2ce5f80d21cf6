"""Where a project keeps things, and the lock that lets one command at a time change them."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from acbench.errors import AcbenchError
from acbench.storage.digests import digest
from acbench.storage.shard import Shard


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with `.acbench/` (what machines can remake) and `annotations/` (what people decided)."""

    folder: Path

    @property
    def workspace(self) -> Path:
        """`.acbench/`."""
        return self.folder / ".acbench"

    @property
    def ledger(self) -> Path:
        """The SQLite file of runs, artifacts and cached results."""
        return self.workspace / "ledger.sqlite"

    @property
    def desk(self) -> Path:
        """`.acbench/desk/`: the review desk of this project, and the pictures that it shows."""
        return self.workspace / "desk"

    @property
    def annotations(self) -> Path:
        """`annotations/`, meant for git."""
        return self.folder / "annotations"

    def benchmark(self, benchmark: str) -> BenchmarkFiles:
        """The places of one benchmark."""
        return BenchmarkFiles(self, benchmark)

    def relative(self, path: Path) -> str:
        """A path as messages and the ledger name it: relative to the project, forward slashes."""
        return path.relative_to(self.folder).as_posix()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the project. Raises AcbenchError, naming the process, if another command or a shard does."""
        with _held(self.workspace / "lock", f"another acbench is at work in {self.folder}"):
            yield

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Keep others from changing the project, as each shard does. Raises AcbenchError if somebody is at it."""
        with _held(self.workspace / "lock", f"another acbench is at work in {self.folder}", fcntl.LOCK_SH):
            yield


def existing_project(folder: Path) -> Project:
    """The project in a folder. Raises AcbenchError if there is no such folder."""
    project = Project(folder.resolve())
    if not project.folder.is_dir():
        raise AcbenchError(
            f"the project folder {project.folder} does not exist", f"mkdir -p {shlex.quote(str(project.folder))}"
        )
    return project


@dataclass(frozen=True, slots=True)
class BenchmarkFiles:
    """The files of one benchmark in a project."""

    project: Project
    benchmark: str

    @property
    def work(self) -> Path:
        """`.acbench/<benchmark>/`."""
        return self.project.workspace / self.benchmark

    @property
    def kept(self) -> Path:
        """`annotations/<benchmark>/`."""
        return self.project.annotations / self.benchmark

    @property
    def settings(self) -> Path:
        return self.work / "settings.json"

    @property
    def report(self) -> Path:
        return self.work / "report.json"

    @property
    def items(self) -> Path:
        return self.work / "items.parquet"

    @property
    def findings(self) -> Path:
        return self.work / "findings.parquet"

    def proposals(self, proposer: str) -> Path:
        """The table of one proposer, as it was asked for; `file:PATH` must not lead anywhere."""
        name = re.sub(r"[^A-Za-z0-9_]", "_", proposer)
        mark = "" if name == proposer.replace(":", "_") else f"_{digest(proposer, length=8)}"
        return self.work / "proposals" / f"{name[-60:]}{mark}.parquet"

    @property
    def tallies(self) -> Path:
        """How the proposers asked last answered."""
        return self.work / "proposals" / "tallies.json"

    def predictions(self, system: str) -> Path:
        """The table of one scored system; what it was made with lies beside it, as `.json`."""
        return self.work / "predictions" / f"{system}.parquet"

    def score(self, system: str) -> Path:
        """Folder of one system's score: figures and pictures."""
        return self.work / "scores" / (re.sub(r"[^A-Za-z0-9_.@-]", "_", system).lstrip(".") or "unnamed")

    @property
    def triage(self) -> Path:
        return self.work / "triage.parquet"

    @property
    def queue(self) -> Path:
        return self.work / "queue.csv"

    @property
    def evidence(self) -> Path:
        """Folder of evidence pictures, one an item."""
        return self.work / "evidence"

    @property
    def shards(self) -> Path:
        """Folder of what shards have done, until it is merged: one folder each, of a ledger of its own."""
        return self.work / "shards"

    @contextmanager
    def shard(self, shard: Shard) -> Iterator[Path]:
        """Hold one shard; gives the path of its ledger. Raises AcbenchError if another command does."""
        folder = self.shards / shard.folder
        with _held(folder / "lock", f"shard {shard} of {self.benchmark} is being worked at"):
            yield folder / "ledger.sqlite"

    @property
    def desk(self) -> Path:
        """Folder of notes on what is under way to the review desk."""
        return self.work / "desk"

    @property
    def undecided(self) -> Path:
        """Tasks of the review desk that people have worked on without deciding, as of the last pull."""
        return self.desk / "undecided.json"

    @property
    def pictures(self) -> Path:
        """Folder of pictures that the review desk shows, one folder a category."""
        return self.project.desk / "pictures" / self.benchmark

    @property
    def reviews(self) -> Path:
        return self.kept / "reviews.jsonl"

    @property
    def labels(self) -> Path:
        return self.kept / "labels.jsonl"

    @property
    def meta(self) -> Path:
        return self.kept / "labels.meta.json"


@contextmanager
def _held(lock: Path, refusal: str, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            told = file.read(20).strip()  # by who holds it alone; several who share it leave no name
            who = f" (process {told})" if told else ""
            raise AcbenchError(f"{refusal}{who}", "wait for it to end, or give another --project") from None
        except OSError as error:
            raise AcbenchError(
                f"{lock.parent} lies on a file system that knows no locks: {error.strerror}",
                "give a --project on another disk",
            ) from None
        file.truncate(0)
        if how == fcntl.LOCK_EX:
            file.write(str(os.getpid()))
            file.flush()
        yield
