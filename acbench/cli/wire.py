"""Options that commands share, and the one place that puts a pipeline together."""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from acbench.errors import AcbenchError
from acbench.project import Project

if TYPE_CHECKING:
    from acbench.caller.log import Log
    from acbench.models import Calls
    from acbench.settings import Settings
    from acbench.shard import Shard

F = TypeVar("F", bound=Callable[..., Any])


SECTIONS = ("Dataset", "Proposers", "Multimodal LLM", "Queue", "Many machines", "Options")
"""Of the help of commands with many options, in order."""


class _Option(click.Option):
    """Can also be set by a variable that is named after its flag: `--json` of `relabel` by ACBENCH_RELABEL_JSON."""

    def __init__(self, *names: Any, section: str = SECTIONS[-1], **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.section = section

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        flag = max(self.opts, key=len).strip("-").replace("-", "_").upper()
        return super().resolve_envvar_value(ctx) or os.environ.get(f"{ctx.auto_envvar_prefix}_{flag}")


class Command(click.Command):
    """Its help tells options by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in SECTIONS}
        for each in self.get_params(ctx):
            if isinstance(each, click.Option) and (record := each.get_help_record(ctx)):
                sections[getattr(each, "section", SECTIONS[-1])].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


option = partial(click.option, cls=_Option)
project_option = option(
    "--project",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar="ACBENCH_PROJECT",
    help="Folder of `.acbench/` and `annotations/`.  [default: here]",
)
json_option = option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
benchmark_argument = click.argument("benchmark")


of_dataset = partial(option, section="Dataset")
of_proposers = partial(option, section="Proposers")
of_queue = partial(option, section="Queue")
of_llm = partial(option, section="Multimodal LLM")
of_machines = partial(option, section="Many machines")


def place(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A folder or URL; one that holds a password is refused here, so that it is never recorded."""
    if value:
        from acbench.roots import root_at

        root_at(value)
    return value


def root_option(text: str) -> Callable[[F], F]:
    """Where the dataset lies."""
    return of_dataset("--root", metavar="FOLDER_OR_URL", callback=place, help=text)


def dataset_options(command: F) -> F:
    """Which dataset, and how much of it. Each is remembered for the next command."""
    options = (
        root_option("Its folder, or its URL of any fsspec file system, such as s3://bucket/mvtec_ad."),
        of_dataset(
            "--category", "categories", multiple=True, help="Only this category; can be repeated; `all` for all."
        ),
        of_dataset("--limit", type=click.IntRange(min=0), help="At most N images of each category; 0 for all."),
    )
    for each in reversed(options):
        command = each(command)
    return command


def proposer_options(command: F) -> F:
    """Who is asked."""
    options = (
        of_proposers("--with", "with_", multiple=True, metavar="PROPOSER", help="Ask this one too; can be repeated."),
        of_proposers("--without", multiple=True, metavar="PROPOSER", help="Do not ask this one; can be repeated."),
        of_proposers(
            "--backbone",
            metavar="MODEL",
            help="Image model of `neighbours`: efficientnet-lite0, timm:MODEL[@FILE],"
            " open_clip:MODEL@TAG.  [default: efficientnet-lite0, bundled]",
        ),
        of_proposers(
            "--clip-model",
            metavar="MODEL",
            help="Model of `clip`: a name of open_clip, hf-hub:ORG/NAME, or local-dir:FOLDER.",
        ),
        of_proposers("--clip-weights", metavar="TAG_OR_FILE", help="Its weights, if MODEL is a name of open_clip."),
    )
    for each in reversed(options):
        command = each(command)
    return llm_options(command)


class _Price(click.ParamType[tuple[float, ...]]):
    """`IN/OUT`, dollars per million tokens."""

    name = "IN/OUT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        try:
            price = tuple(float(part) for part in value.split("/"))
        except ValueError:
            price = ()
        if len(price) != 2 or not all(0 <= each < 1e6 for each in price):
            self.fail("dollars per million tokens in and out, such as 2.50/10", param, ctx)
        return price


def _url(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refused here, so that a password in it is never recorded."""
    if value:
        from acbench.adapters._openai_door import Endpoint

        Endpoint.at(value)
    return value


def llm_options(command: F) -> F:
    """Which multimodal LLM, and what it may cost. Model, URL and price are remembered for the next command."""
    options = (
        of_llm(
            "--llm",
            metavar="MODEL",
            help="Its model, as the endpoint calls it, or local:FOLDER_OR_HUB_ID.",
        ),
        of_llm(
            "--llm-url",
            metavar="URL",
            callback=_url,
            help="OpenAI-compatible endpoint, such as http://localhost:11434/v1; its key comes from OPENAI_API_KEY."
            "  [default: OpenAI's]",
        ),
        of_llm("--llm-price", type=_Price(), help="Dollars per million tokens, such as 2.50/10."),
        of_llm("--budget", type=click.FloatRange(min=0), metavar="DOLLARS", help="Spend no more in this run."),
        of_llm(
            "--concurrency", type=click.IntRange(1, 256), default=8, show_default=True, help="Calls at once, at most."
        ),
        of_llm(
            "--timeout", type=click.FloatRange(min=1), default=120, show_default=True, help="Seconds for one attempt."
        ),
        of_llm("--batch", is_flag=True, help="Ask through the endpoint's batches: half the price, within a day."),
        of_llm("--retry-errors", is_flag=True, help="Ask again what ended in an error."),
        of_llm("--no-canary", is_flag=True, help="Do not see first that the endpoint looks at pictures."),
    )
    for each in reversed(options):
        command = each(command)
    return command


def engine_options(command: F) -> F:
    """Who does what is dear."""
    options = (
        of_machines(
            "--engine",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help="Who reads, looks and asks: this process, or workers of a Ray cluster (RAY_ADDRESS, or one on this"
            " machine; pip install 'acbench[ray]').",
        ),
        of_machines(
            "--workers",
            type=click.IntRange(1, 10_000),
            metavar="N",
            help="Of ray.  [default: one a GPU, or as many as the cores allow]",
        ),
    )
    for each in reversed(options):
        command = each(command)
    return command


def _shard(ctx: click.Context, param: click.Parameter, value: str | None) -> Shard | None:
    from acbench.shard import Shard

    return None if value is None else Shard.parse(value)


shard_option = of_machines(
    "--shard",
    metavar="I/N",
    callback=_shard,
    help="Do the I-th of N parts only, for `acbench merge` to bring together; it may spend one N-th of --budget.",
)


dry_run_option = of_llm(
    "--dry-run", is_flag=True, help="Print what `llm` would cost, with an example question, and ask nobody."
)


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
    categories = "" if given.get("categories") else " ".join(f"--category {each}" for each in settings.categories)
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
