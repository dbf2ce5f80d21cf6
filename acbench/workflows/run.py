"""Opens a run: one command at work on one benchmark, with everything that its steps share."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from acbench import schema as schemas
from acbench._util.console import Console
from acbench.data import sources
from acbench.errors import AcbenchError
from acbench.records import Review
from acbench.schema import Schema
from acbench.storage.atomic import sweep
from acbench.storage.build import Build
from acbench.storage.digests import digest
from acbench.storage.git_table import GitTable
from acbench.storage.ledger import Ledger
from acbench.storage.project import BenchmarkFiles, Project, existing_project
from acbench.workflows import settings as kept_settings
from acbench.workflows.llm_models import read_table
from acbench.workflows.models import CallOptions, Models
from acbench.workflows.origin import origin
from acbench.workflows.settings import SettingChanges, Settings

if TYPE_CHECKING:
    from acbench.predictors.llm.cache import BatchLog
    from acbench.storage.shard import Shard
    from acbench.workflows.distributed import Distributed

RECORDED = (
    "acbench",
    "torch",
    "timm",
    "open-clip-torch",
    "scikit-learn",
    "cleanlab",
    "numpy",
    "pillow",
    "pyarrow",
)
"""The packages whose versions the ledger keeps with each run, since they decide results."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the options of one command ask for."""

    changes: SettingChanges = field(default_factory=SettingChanges)
    """Settings that the command changes. The benchmark keeps them."""
    calls: CallOptions = field(default_factory=CallOptions)
    """How the command calls the LLM. Not kept."""
    engine: Literal["local", "ray"] = "local"
    """Who does the expensive work: this process, or the workers of a Ray cluster."""
    workers: int | None = None
    """How many workers Ray starts; None for as many as fit."""
    shard: Shard | None = None
    """The part of the work to do; None for all of it."""
    asks: bool = True
    """Whether models that cost money may be asked. A command without `--budget` asks none."""
    command: str = ""
    """What the ledger calls the run, in place of the command line: another program's may hold secrets."""
    keeps: bool = True
    """Whether the benchmark keeps the changes; else only where its images are, if that was not known."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One command at work on one benchmark."""

    files: BenchmarkFiles
    schema: Schema
    settings: Settings
    build: Build
    models: Models
    console: Console
    distributed: Distributed | None = None
    """Gives expensive work to other processes; None to do it here."""
    shard: Shard | None = None
    """The part of the work to do; None for all of it. A shard writes no tables, only its ledger."""
    retry_errors: bool = False
    """Ask again about images for which a proposer or a system failed."""
    asks: bool = True
    """Whether models that cost money may be asked; else their kept answers count."""

    @property
    def ledger(self) -> Ledger:
        """What is known of files, vectors and calls."""
        return self.build.ledger

    @cached_property
    def reviews(self) -> GitTable[Review]:
        """What people decided."""
        return self.files.reviews

    @cached_property
    def source(self) -> sources.Source:
        """The reader of the dataset."""
        return sources.get(self.schema.source, {**self.schema.reading, **self.settings.reading})

    @cached_property
    def origin(self) -> sources.Source:
        """The reader of the dataset, with all that is known of whose the dataset is."""
        return origin(self.source, self.schema)

    @property
    def origin_key(self) -> str:
        """A hash of what is known of whose the dataset is, besides what the schema's digest holds."""
        return digest(*map(str, dataclasses.astuple(self.schema.publisher))) if self.schema.publisher.given else ""


@contextmanager
def open_run(folder: Path, benchmark: str, *, console: Console, options: Options | None = None) -> Iterator[Run]:
    """Open a run on the project in `folder`, which no other command can change meanwhile.

    The ledger records the run. When the run ends well, the benchmark's settings are kept with the changes of this
    command.

    `benchmark`: the name of a bundled benchmark, or the path of a schema file. Raises AcbenchError.
    """
    options = options or Options()
    calls = options.calls if options.shard is None else _calls_of_shard(options, options.shard)
    schema = schemas.load(benchmark, folder)
    files = existing_project(folder).benchmark(schema.benchmark)
    with ExitStack() as stack:
        ledger_files = stack.enter_context(_hold(files, options.shard))
        kept_as = _kept_as(files.project, schema)
        before = kept_settings.read(files.settings) or Settings(schema=kept_as)
        settings = dataclasses.replace(options.changes.absolute().applied_to(before), schema=kept_as)
        settings = dataclasses.replace(settings, categories=tuple(map(schema.key_of, settings.categories)))
        for told in (_kept_restriction(settings, options.changes, schema), options.changes.dropped(before)):
            if told:
                console.note(told)
        ledger = stack.enter_context(Ledger(ledger_files.path, ledger_files.base))
        command = options.command or shlex.join(["acbench", *sys.argv[1:]])
        run_id = stack.enter_context(ledger.runs.record(command, versions()))
        open_log = ledger_files.open_log
        run = Run(
            files=files,
            schema=schema,
            settings=settings,
            build=Build(project=files.project, ledger=ledger, run_id=run_id),
            models=Models(
                settings=settings,
                llms=read_table(files.project.llm_table),
                calls=calls,
                open_log=open_log,
                open_batch_log=open_log,
                note=console.note,
            ),
            console=console,
            shard=options.shard,
            retry_errors=calls.retry_errors,
            asks=options.asks,
        )
        if options.engine == "ray":
            run = stack.enter_context(_on_ray(run, ledger_files.path, options.workers))
        yield run
        if options.shard is None or settings != before:
            filled = dataclasses.replace(before, root=before.root or settings.root, schema=kept_as)
            kept_settings.write(files.settings, settings if options.keeps else filled)
        written = len(run.build.written)
        ledger.runs.summarise(run_id, f"{written} files written" if written else "nothing to do")


@dataclass(frozen=True, slots=True)
class _LedgerFiles:
    """The ledger that a run writes, and the one that it only reads."""

    path: Path
    base: Path | None = None
    """The project's ledger, where `path` is that of a shard."""

    def open_log(self) -> AbstractContextManager[BatchLog]:
        """Open the ledger's calls, in a thread that makes calls."""
        from acbench.predictors.llm.cache import LedgerCallLog

        return LedgerCallLog(self.path, self.base)


@contextmanager
def _hold(files: BenchmarkFiles, shard: Shard | None) -> Iterator[_LedgerFiles]:
    """Lock the whole project, or one shard of it. Raises AcbenchError if another command has the lock."""
    project = files.project
    if shard is not None:
        with project.shared(), files.locked_shard(shard) as ledger:
            yield _LedgerFiles(ledger, base=project.ledger)
        return
    with project.locked():
        for folder in (files.workspace, files.annotations):
            sweep(folder)
        yield _LedgerFiles(project.ledger)


@contextmanager
def _on_ray(run: Run, ledger: Path, workers: int | None) -> Iterator[Run]:
    """The same run, with Ray's workers for the expensive work."""
    from acbench.integrations.ray.engine import RayEngine
    from acbench.workflows.distributed import Distributed

    with RayEngine(ledger=ledger, workers=workers) as engine:
        distributed = Distributed(
            engine=engine,
            schema=run.schema,
            settings=run.settings,
            calls=run.models.calls,
            models=run.models,
            note=run.console.note,
        )
        yield dataclasses.replace(run, distributed=distributed)


def _calls_of_shard(options: Options, shard: Shard) -> CallOptions:
    """How a shard calls the LLM: with its share of the budget. Raises AcbenchError for options that do not fit."""
    if options.engine == "ray":
        raise AcbenchError("--shard and --engine ray both divide the work", "take one of them")
    if options.calls.batch:
        raise AcbenchError("--batch hands in questions from one machine", "leave --batch or --shard out")
    budget = options.calls.budget
    return options.calls if budget is None else dataclasses.replace(options.calls, budget=budget / shard.of)


def _kept_as(project: Project, schema: Schema) -> str:
    """How the settings name the schema: the bundled benchmark, or a path, relative to the project if it lies in it.

    So a later command finds it by the benchmark's name, wherever it runs, also after the project was moved.
    """
    if not schema.file:
        return schema.benchmark
    file = Path(schema.file).resolve()
    return file.relative_to(project.folder).as_posix() if file.is_relative_to(project.folder) else str(file)


def _kept_restriction(settings: Settings, changes: SettingChanges, schema: Schema) -> str:
    """What an earlier command restricted and this one does not mention, and how to lift it; empty if nothing."""
    restriction, lift = [], []
    if settings.categories and not changes.categories:
        restriction += [f"--category {shlex.quote(category)}" for category in settings.categories]
        lift.append("--category all")
    if settings.limit and changes.limit is None:
        restriction.append(f"--limit {settings.limit}")
        lift.append("--limit 0")
    if not restriction:
        return ""
    command = f"acbench relabel {schema.argument} {' '.join(lift)}"
    return f"only a part, as an earlier command asked: {' '.join(restriction)}; for all: {command}"


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide results."""
    known = {"python": sys.version.split()[0]}
    for name in RECORDED:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            known[name] = "not installed"
    return known
