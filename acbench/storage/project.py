"""Names every file and folder of a project, and locks the project while a command changes it."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from acbench.errors import AcbenchError, ProjectBusy
from acbench.records import Label, Review
from acbench.storage.digests import digest
from acbench.storage.git_table import GitTable
from acbench.storage.shard import Shard
from acbench.storage.typed_json import any_json


@dataclass(frozen=True, slots=True)
class Project:
    """A folder that holds `.acbench/`, which machines can make again, and `annotations/`, which people decided."""

    folder: Path

    @property
    def workspace(self) -> Path:
        """`.acbench/`."""
        return self.folder / ".acbench"

    @property
    def ledger(self) -> Path:
        """The SQLite file of runs, artifacts and kept results."""
        return self.workspace / "ledger.sqlite"

    @property
    def llm_table(self) -> Path:
        """`.acbench/llm.json`: the multimodal LLMs that have names."""
        return self.workspace / "llm.json"

    @property
    def copies(self) -> Path:
        """`.acbench/copies/`: images that another program holds, and folders with masks that were drawn."""
        return self.workspace / "copies"

    @property
    def annotation_tool(self) -> Path:
        """`.acbench/desk/`: the annotation tool that this project runs, and the pictures that it shows."""
        return self.workspace / "desk"

    @property
    def annotations(self) -> Path:
        """`annotations/`, meant for git."""
        return self.folder / "annotations"

    def benchmark(self, benchmark: str) -> BenchmarkFiles:
        """The files of one benchmark."""
        return BenchmarkFiles(self, benchmark)

    def relative(self, path: Path) -> str:
        """A path relative to the project, with forward slashes: its name in messages and in the ledger."""
        return path.relative_to(self.folder).as_posix()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the project alone. Raises ProjectBusy, naming the process, if another command or a shard holds it."""
        with _locked(self.workspace / "lock", f"another acbench is at work in {self.folder}"):
            yield

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the project together with other shards. Raises ProjectBusy if a command holds it alone."""
        with _locked(self.workspace / "lock", f"another acbench is at work in {self.folder}", fcntl.LOCK_SH):
            yield


def existing_project(folder: Path) -> Project:
    """The project in a folder. Raises AcbenchError if there is no such folder."""
    project = Project(folder.resolve())
    if not project.folder.is_dir():
        raise AcbenchError(
            f"the project folder {project.folder} does not exist", f"mkdir -p {shlex.quote(str(project.folder))}"
        )
    return project


def known_schemas(project: Project) -> dict[str, Path]:
    """Benchmark → the file of its schema, of the benchmarks at work in a project whose schema is not a bundled one."""
    known: dict[str, Path] = {}
    for kept in sorted(project.workspace.glob("*/settings.json")):
        with suppress(OSError):  # the command that uses the settings says what is wrong with them
            settings = any_json(kept.read_bytes())
        schema = settings.get("schema") if isinstance(settings, dict) else None
        if isinstance(schema, str) and schema.endswith((".yaml", ".yml")):
            inside, here = project.folder / schema, Path(schema)  # older versions kept the path as it was typed
            known[kept.parent.name] = inside if inside.exists() or not here.exists() else here.resolve()
    return known


@dataclass(frozen=True, slots=True)
class BenchmarkFiles:
    """The files of one benchmark in a project."""

    project: Project
    benchmark: str

    @property
    def workspace(self) -> Path:
        """`.acbench/<benchmark>/`."""
        return self.project.workspace / self.benchmark

    @property
    def annotations(self) -> Path:
        """`annotations/<benchmark>/`."""
        return self.project.annotations / self.benchmark

    @property
    def settings(self) -> Path:
        return self.workspace / "settings.json"

    @property
    def report(self) -> Path:
        return self.workspace / "report.json"

    @property
    def items(self) -> Path:
        return self.workspace / "items.parquet"

    @property
    def findings(self) -> Path:
        return self.workspace / "findings.parquet"

    @property
    def lost_classes(self) -> Path:
        """What is told of decisions that name classes which are gone."""
        return self.workspace / "lost_classes.txt"

    def proposals(self, proposer: str) -> Path:
        """The table of one proposer, by the name under which it was asked for, such as `file:PATH`.

        What another model answered under the same name is kept under the full name, `NAME@HASH`.
        """
        name = re.sub(r"[^A-Za-z0-9_]", "_", proposer)
        mark = "" if name == proposer.replace(":", "_") else f"_{digest(proposer, length=8)}"
        return self.workspace / "proposals" / f"{name[-60:]}{mark}.parquet"

    @property
    def all_proposals(self) -> list[Path]:
        """The tables of all proposers that were ever asked."""
        return sorted((self.workspace / "proposals").glob("*.parquet"))

    @property
    def proposal_tallies(self) -> Path:
        """How often each proposer answered, abstained or failed in the last run that asked it."""
        return self.workspace / "proposals" / "tallies.json"

    def predictions(self, system: str) -> Path:
        """The table of one system; its provenance lies beside it, as `.json`."""
        return self.workspace / "predictions" / f"{system}.parquet"

    def score(self, system: str) -> Path:
        """Folder of one system's score: values and pictures."""
        return self.workspace / "scores" / (re.sub(r"[^A-Za-z0-9_.@-]", "_", system).lstrip(".") or "unnamed")

    @property
    def ranking(self) -> Path:
        """Folder of the last comparison of several systems: tables and a picture."""
        return self.workspace / "ranking"

    @property
    def ranked_items(self) -> Path:
        """The table of the ranked items; the file keeps the name it had at first."""
        return self.workspace / "triage.parquet"

    @property
    def label_files(self) -> Path:
        """What each file of labels was made from, and comes to."""
        return self.workspace / "label_files.json"

    @property
    def likely_classes(self) -> Path:
        """The table of what is likeliest by people's decisions, of a large benchmark."""
        return self.workspace / "likely.parquet"

    @property
    def weighed_items(self) -> Path:
        """The table of what witnesses leave to people."""
        return self.workspace / "weighed.parquet"

    @property
    def queue(self) -> Path:
        return self.workspace / "queue.csv"

    @property
    def evidence(self) -> Path:
        """Folder of evidence pictures, one for each item of the queue."""
        return self.workspace / "evidence"

    @property
    def shards(self) -> Path:
        """Folder of what shards have done until it is merged: a folder with a ledger for each shard."""
        return self.workspace / "shards"

    @contextmanager
    def locked_shard(self, shard: Shard) -> Iterator[Path]:
        """Hold one shard; gives the path of its ledger. Raises AcbenchError if another command holds it."""
        folder = self.shards / shard.folder
        with _locked(folder / "lock", f"shard {shard} of {self.benchmark} is being worked at"):
            yield folder / "ledger.sqlite"

    @property
    def annotation_tool(self) -> Path:
        """Folder of notes on what is under way to the annotation tool."""
        return self.workspace / "desk"

    @property
    def undecided_tasks(self) -> Path:
        """Tasks that people have worked on without deciding, as of the last pull from the annotation tool."""
        return self.annotation_tool / "undecided.json"

    @property
    def refused_answers(self) -> Path:
        """Answers in the annotation tool that the last pull did not take, since others should have been asked."""
        return self.workspace / "refused_answers.json"

    @property
    def unread_decisions(self) -> Path:
        """How many annotations the last pull from the annotation tool could not read, by the kind of fault."""
        return self.annotation_tool / "unread.json"

    @property
    def task_pictures(self) -> Path:
        """Folder of the pictures that the annotation tool shows, one folder for each category."""
        return self.project.annotation_tool / "pictures" / self.benchmark

    @property
    def reviews(self) -> GitTable[Review]:
        """What people decided."""
        return reviews_in(self.annotations)

    def reviews_copy(self, mark: str) -> Path:
        """The workspace's copy of the reviews in one file; `mark`: the first 12 hex digits of their SHA-256."""
        return self.workspace / f"reviews-{mark}.jsonl"

    @property
    def reviews_copies(self) -> list[Path]:
        """The copies that are there: one, or two if a run was killed before it removed the first."""
        return sorted(self.workspace.glob(f"reviews-{'[0-9a-f]' * 12}.jsonl"))

    @property
    def labels(self) -> GitTable[Label]:
        """One label for each image."""
        return labels_in(self.annotations)

    @property
    def plan(self) -> Path:
        """What the review plan has fixed: see `acbench.review.plan.Commitment`."""
        return self.annotations / "plan.json"

    @property
    def labels_meta(self) -> Path:
        """The facts about the labels: sources, licences, policy, counts."""
        return self.annotations / "labels.meta.json"


def labels_in(annotations: Path) -> GitTable[Label]:
    """The labels in the folder of a benchmark, of a project or of an edition."""
    return GitTable(annotations / "labels.jsonl", Label, attrgetter("image"), "one")


def reviews_in(annotations: Path) -> GitTable[Review]:
    """The reviews in the folder of a benchmark, of a project or of an edition."""
    order = attrgetter("item_id", "reviewer", "round")
    return GitTable(annotations / "reviews.jsonl", Review, order, "many")


@contextmanager
def _locked(lock: Path, refusal: str, mode: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a lock file. Raises AcbenchError that begins with `refusal` if another process holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            process = file.read(20).strip()  # only a process that holds the lock alone writes its id
            name = f" (process {process})" if process else ""
            raise ProjectBusy(f"{refusal}{name}", "wait for it to end, or give another --project") from None
        except OSError as error:
            raise AcbenchError(
                f"{lock.parent} lies on a file system that knows no locks: {error.strerror}",
                "give a --project on another disk",
            ) from None
        file.truncate(0)
        if mode == fcntl.LOCK_EX:
            file.write(str(os.getpid()))
            file.flush()
        yield
