"""The one place that puts a pipeline together for a command."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acbench.errors import AcbenchError
from acbench.project import Project

if TYPE_CHECKING:
    from acbench.caller.log import Log
    from acbench.models import Calls
    from acbench.settings import Settings
    from acbench.shard import Shard


def existing(folder: Path) -> Project:
    """The project in a folder. Raises AcbenchError if there is no such folder."""
    found = Project(folder.resolve())
    if not found.folder.is_dir():
        raise AcbenchError(
            f"the project folder {found.folder} does not exist", f"mkdir -p {shlex.quote(str(found.folder))}"
        )
    return found


@contextmanager
def pipeline(project: Path, benchmark: str, **given: Any) -> Iterator[Any]:
    """A pipeline that holds the project and is recorded as a run. Options not given are those of the last time."""
    from acbench import models
    from acbench import schema as schemas
    from acbench import settings as kept
    from acbench.cli.screen import Screen
    from acbench.ledger import Ledger
    from acbench.maker import Maker
    from acbench.pipeline import Pipeline
    from acbench.roots import remembered
    from acbench.store import sweep

    schema = schemas.load(benchmark)
    place = existing(project)
    bench = place.bench(schema.benchmark)
    shard: Shard | None = given.pop("shard", None)
    engine, workers = given.pop("engine", None), given.pop("workers", None)
    calls = models.Calls(**{name: value for name in CALL_OPTIONS if (value := given.pop(name, None)) is not None})
    with ExitStack() as stack:
        if shard is None:
            stack.enter_context(place.locked())
            file, base = place.ledger, None
            for folder in (bench.work, bench.kept):
                sweep(folder)
        else:
            stack.enter_context(place.shared())
            file, base = stack.enter_context(bench.shard(shard)), place.ledger
            calls = _shard_calls(calls, shard, engine)
        root = given.pop("root", None)
        for name in ("with_", "without"):
            given[name] = tuple(_absolute(each, "file:") for each in given.get(name, ()))
        for name, mark in (("clip_model", "local-dir:"), ("clip_weights", ""), ("llm", "local:"), ("backbone", "@")):
            given[name] = given.get(name) and _absolute(given[name], mark)
        before = kept.read(bench.settings) or kept.Settings(schema=benchmark)
        settings = before.updated(
            schema=benchmark,
            root=None if root is None else remembered(root),
            **{name: value or None if isinstance(value, tuple) else value for name, value in given.items()},
        )
        image_model = models.image_model(settings.backbone)
        screen = Screen()
        if narrowed := _narrowed(settings, given):
            screen.note(f"only a part, as told before: {narrowed}")
        command = shlex.join(["acbench", *sys.argv[1:]])
        ledger = stack.enter_context(Ledger(file, base))
        run_id = stack.enter_context(ledger.run(command, versions()))
        made = Pipeline(
            bench=bench,
            schema=schema,
            settings=settings,
            maker=Maker(project=place, ledger=ledger, run_id=run_id),
            embedder=image_model,
            clip=models.clip(settings, tell=screen.note),
            caller=models.caller(settings, calls, file if base is None else partial(_log, file, base)),
            retry_errors=calls.retry_errors,
            shard=shard,
            console=screen,
        )
        if engine == "ray":
            from acbench.adapters.ray_engine import RayEngine
            from acbench.spread import Spread

            workforce = stack.enter_context(RayEngine(ledger=file, workers=workers))
            made.spread = Spread(engine=workforce, schema=schema, settings=settings, calls=calls, note=screen.note)
        yield made
        if shard is None or settings != before:
            kept.write(bench.settings, settings)
        written = len(made.maker.made)
        ledger.summarise(run_id, f"{written} files written" if written else "nothing to do")


def _narrowed(settings: Settings, given: Mapping[str, Any]) -> str:
    """What an earlier command left out that this one does not name, and how to take it back."""
    categories = (
        "" if given.get("categories") else " ".join(f"--category {shlex.quote(each)}" for each in settings.categories)
    )
    limit = f"--limit {settings.limit}" if settings.limit and given.get("limit") is None else ""
    if not (categories or limit):
        return ""
    told = " ".join(filter(None, (categories, limit)))
    back = " ".join(filter(None, ("--category all" if categories else "", "--limit 0" if limit else "")))
    return f"{told}; for all: acbench relabel {shlex.quote(settings.schema)} {back}"


CALL_OPTIONS = ("budget", "concurrency", "timeout", "batch", "retry_errors", "no_canary")


def _shard_calls(calls: Calls, shard: Shard, engine: str | None) -> Calls:
    """How one of several shards makes calls: with its part of the budget. Raises AcbenchError for what it cannot do."""
    if engine == "ray":
        raise AcbenchError("--shard and --engine ray both divide the work", "take one of them")
    if calls.batch:
        raise AcbenchError("--batch hands in questions from one machine", "leave --batch or --shard out")
    return calls if calls.budget is None else dataclasses.replace(calls, budget=calls.budget / shard.of)


def _log(file: Path, base: Path) -> AbstractContextManager[Log]:
    from acbench.caller.log import CallLog

    return CallLog(file, base)


def _absolute(given: str, mark: str) -> str:
    """The same, but the file or folder after the mark, if there is one, so that it can be remembered."""
    head, _, path = given.partition(mark) if mark else ("", "", given)
    # Without a mark it may be a name as well, and a folder of that name says nothing.
    there = bool(path) and (Path(path).exists() if mark else Path(path).is_file())
    return f"{head}{mark}{Path(path).resolve()}" if there else given


def versions() -> dict[str, str]:
    """Of what decides results: acbench, Python and the libraries that compute."""
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
