"""What every step of one command works with, put together in one place.

A run holds the project's lock, records itself in the ledger and remembers the settings that it was given.
"""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from acbench import schema as schemas
from acbench._util.console import Console
from acbench.data import sources
from acbench.errors import AcbenchError
from acbench.schema import Schema
from acbench.storage.atomic import sweep
from acbench.storage.build import Build
from acbench.storage.ledger import Ledger
from acbench.storage.project import BenchmarkFiles, existing_project
from acbench.workflows import settings as kept
from acbench.workflows.models import CallOptions, Models
from acbench.workflows.settings import Changes, Settings

if TYPE_CHECKING:
    from acbench.predictors.llm.cache import BatchLog
    from acbench.storage.shard import Shard
    from acbench.workflows.distributed import Distributed


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one command was told."""

    changes: Changes = field(default_factory=Changes)
    """Of the settings; remembered."""
    calls: CallOptions = field(default_factory=CallOptions)
    engine: Literal["local", "ray"] = "local"
    workers: int | None = None
    """Of the engine; None for as many as fit."""
    shard: Shard | None = None
    """The part of the work to do; None for all of it."""


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
    """Gives expensive work to other machines; None to do it here."""
    shard: Shard | None = None
    """The part of the work that this run does. It keeps nothing but what the ledger takes."""
    retry_errors: bool = False
    """Ask again the proposers that failed on some images."""

    @property
    def ledger(self) -> Ledger:
        """What is known of files, vectors and calls."""
        return self.build.ledger

    @property
    def source(self) -> sources.Source:
        """The reader of the dataset."""
        return sources.get(self.schema.source)


@contextmanager
def open_run(folder: Path, benchmark: str, *, console: Console, options: Options | None = None) -> Iterator[Run]:
    """A run that holds the project in `folder`. Settings that are not given are those of the last time.

    `benchmark`: a bundled benchmark's name, or the path of a schema file. Raises AcbenchError.
    """
    options = options or Options()
    schema = schemas.load(benchmark)
    project = existing_project(folder)
    files = project.benchmark(schema.benchmark)
    with ExitStack() as stack:
        calls = options.calls
        ledger_file, base = project.ledger, None
        if options.shard is None:
            stack.enter_context(project.locked())
            for written in (files.workspace, files.annotations):
                sweep(written)
        else:
            stack.enter_context(project.shared())
            ledger_file, base = stack.enter_context(files.locked_shard(options.shard)), project.ledger
            calls = _calls_of_shard(options, options.shard)
        before = kept.read(files.settings) or Settings(schema=benchmark)
        settings = dataclasses.replace(options.changes.absolute().applied_to(before), schema=benchmark)
        if narrowed := _narrowed(settings, options.changes):
            console.note(f"only a part, as told before: {narrowed}")
        ledger = stack.enter_context(Ledger(ledger_file, base))
        run_id = stack.enter_context(ledger.runs.record(shlex.join(["acbench", *sys.argv[1:]]), versions()))
        open_log = partial(_open_log, ledger_file, base)
        models = Models(settings=settings, calls=calls, open_log=open_log, open_batch_log=open_log, note=console.note)
        distributed = None
        if options.engine == "ray":
            from acbench.integrations.ray.engine import RayEngine
            from acbench.workflows.distributed import Distributed

            engine = stack.enter_context(RayEngine(ledger=ledger_file, workers=options.workers))
            distributed = Distributed(
                engine=engine, schema=schema, settings=settings, calls=calls, models=models, note=console.note
            )
        run = Run(
            files=files,
            schema=schema,
            settings=settings,
            build=Build(project=project, ledger=ledger, run_id=run_id),
            models=models,
            console=console,
            distributed=distributed,
            shard=options.shard,
            retry_errors=calls.retry_errors,
        )
        yield run
        if options.shard is None or settings != before:
            kept.write(files.settings, settings)
        written_files = len(run.build.written)
        ledger.runs.summarise(run_id, f"{written_files} files written" if written_files else "nothing to do")


def _narrowed(settings: Settings, changes: Changes) -> str:
    """The restriction of an earlier command that this one does not repeat, and how to take it back; or empty."""
    categories = (
        "" if changes.categories else " ".join(f"--category {shlex.quote(each)}" for each in settings.categories)
    )
    limit = f"--limit {settings.limit}" if settings.limit and changes.limit is None else ""
    if not (categories or limit):
        return ""
    told = " ".join(filter(None, (categories, limit)))
    back = " ".join(filter(None, ("--category all" if categories else "", "--limit 0" if limit else "")))
    return f"{told}; for all: acbench relabel {shlex.quote(settings.schema)} {back}"


def _calls_of_shard(options: Options, shard: Shard) -> CallOptions:
    """How one of several shards makes calls: with its part of the budget. Raises AcbenchError for what it cannot do."""
    if options.engine == "ray":
        raise AcbenchError("--shard and --engine ray both divide the work", "take one of them")
    if options.calls.batch:
        raise AcbenchError("--batch hands in questions from one machine", "leave --batch or --shard out")
    budget = options.calls.budget
    return options.calls if budget is None else dataclasses.replace(options.calls, budget=budget / shard.of)


def _open_log(ledger_file: Path, base: Path | None) -> AbstractContextManager[BatchLog]:
    from acbench.predictors.llm.cache import LedgerCallLog

    return LedgerCallLog(ledger_file, base)


def versions() -> dict[str, str]:
    """Versions of what decides results: acbench, Python and the libraries that compute."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": sys.version.split()[0]}
    for name in (
        "acbench",
        "torch",
        "timm",
        "open-clip-torch",
        "scikit-learn",
        "cleanlab",
        "numpy",
        "pillow",
        "pyarrow",
    ):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
