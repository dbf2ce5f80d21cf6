"""Options that several commands share, and the sections of their help."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import click
from click.core import ParameterSource

from acbench.errors import AcbenchError

if TYPE_CHECKING:
    from acbench.storage.shard import Shard
    from acbench.workflows.run import Options, Run

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Record = TypeVar("Record")

LLM = "llm_"
"""How the names begin under which click passes what was said of an LLM."""

Section = Literal["Dataset", "Proposers", "Multimodal LLM", "Queue", "Many machines", "Options"]
"""The sections of the help of commands with many options, in this order."""


class Option(click.Option):
    """An option that belongs to a section of the help.

    A variable that is named after its flag sets it too: ACBENCH_RELABEL_JSON sets `--json` of `relabel`. An option that
    takes one value refuses a second one that differs: click itself would drop the first without a word.

    `several`: what to do with several values, for that refusal.
    """

    def __init__(self, *names: Any, section: Section = "Options", several: str = "", **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.section = section
        self.several = several

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        repeatable, self.multiple = self.multiple, True  # so that the parser gives all values
        try:
            super().add_to_parser(parser, ctx)
        finally:
            self.multiple = repeatable

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        given = opts.get(str(self.name))
        if isinstance(given, list) and not self.multiple:
            if any(value != given[0] for value in given):  # they are not repeated, as a URL may hold a password
                flag = max(self.opts, key=len)
                why = f"{flag} takes one value, and {len(given)} that differ were given"
                raise click.UsageError(f"{why}; {self.several}" if self.several else why, ctx)
            opts = {**opts, str(self.name): given[0]}
        return super().consume_value(ctx, opts)

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        flag = max(self.opts, key=len).strip("-").replace("-", "_").upper()
        return super().resolve_envvar_value(ctx) or os.environ.get(f"{ctx.auto_envvar_prefix}_{flag}")


class Command(click.Command):
    """A command whose help lists options by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[Section, list[tuple[str, str]]] = {section: [] for section in get_args(Section)}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                section = parameter.section if isinstance(parameter, Option) else "Options"
                sections[section].append(record)
        for section, records in sections.items():
            if records:
                with formatter.section(section):
                    formatter.write_dl(records)


option = partial(click.option, cls=Option)


def together(*options: Callable[[Decorated], Decorated]) -> Callable[[Decorated], Decorated]:
    """Combine options into one decorator. The help lists them in the given order."""

    def add(command: Decorated) -> Decorated:
        for decorate in reversed(options):
            command = decorate(command)
        return command

    return add


project_option = option(
    "--project",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar="ACBENCH_PROJECT",
    help="Work in this folder, which holds `.acbench/` and `annotations/`.  [default: the current folder]",
)


def named(benchmark: str) -> str:
    """How the next command names a benchmark, and the project if this command named one; quoted for a shell."""
    from acbench.schema import argument

    context = click.get_current_context(silent=True)
    return argument(benchmark, context.params.get("project") if context else None)


json_option = option("--json", "as_json", is_flag=True, help="Print JSON.")
benchmark_argument = click.argument("benchmark")


def _location(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse a URL that holds a password before anything records it."""
    if value:
        from acbench.storage.roots import parse_root

        parse_root(value)
    return value


def root_option(text: str) -> Callable[[Decorated], Decorated]:
    """The option `--root`, with this help."""
    return option("--root", section="Dataset", metavar="FOLDER_OR_URL", callback=_location, help=text)


def _reading(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str | tuple[str, ...]] | None:
    """Options of a source; one that is given several times is a list. None if there are none."""
    given: dict[str, tuple[str, ...]] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter(f"{text!r} is not KEY=VALUE, such as normal=ok", ctx, param)
        given[key.strip()] = (*given.get(key.strip(), ()), value.strip())
    return {key: each[0] if len(each) == 1 else each for key, each in given.items()} or None


reading_option = option(
    "--reading",
    section="Dataset",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_reading,
    help="Say how the dataset lies on disk, where its source has options for that; can be repeated. `KEY=` drops"
    " what an earlier command said.",
)


dataset_options = together(
    root_option(
        "Read the dataset in this folder, or at this URL of any fsspec file system (s3://bucket/mvtec_ad);"
        " hf://datasets/ORG/NAME and fiftyone://NAME are datasets of the Hub and of FiftyOne."
    ),
    reading_option,
    option(
        "--category",
        "categories",
        section="Dataset",
        multiple=True,
        metavar="CATEGORY",
        help="Read only this category; can be repeated; `all` lifts the restriction.",
    ),
    option(
        "--limit",
        section="Dataset",
        type=click.IntRange(min=0),
        metavar="N",
        help="Read at most N images of each category; 0 lifts the restriction.",
    ),
)
"""Which dataset, and how much of it. Kept for the next command."""


machine_option = partial(option, section="Many machines")
engine_options = together(
    machine_option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Do the expensive work in this process, or on a Ray cluster: the one that RAY_ADDRESS names, or one on"
        " this machine (pip install 'acbench[ray]').",
    ),
    machine_option(
        "--workers",
        type=click.IntRange(1, 10_000),
        metavar="N",
        help="Start N workers on Ray.  [default: one per GPU, or as many as the cores allow]",
    ),
)
"""Where the expensive work is done."""


def _shard(ctx: click.Context, param: click.Parameter, value: str | None) -> Shard | None:
    from acbench.storage.shard import Shard

    return None if value is None else Shard.parse(value)


shard_option = machine_option(
    "--shard",
    metavar="I/N",
    callback=_shard,
    help="Do only the I-th of N parts, which may spend one N-th of --budget; then run `acbench merge`.",
)


out_option = option(
    "--out",
    metavar="FOLDER_OR_URL",
    callback=_location,
    help="Also copy the records to this place, with a manifest, records.json. Later commands do not repeat it.",
)


def with_run_options(command: Callable[..., int]) -> Callable[..., int]:
    """Have click pass the shared options to a command as one argument, `options: Options`."""

    @functools.wraps(command)
    def call(**values: Any) -> int:
        if values.get("shard") and values.get("out"):
            raise AcbenchError(
                "--out copies whole tables, and a shard makes only a part", "give --out to a command after the merge"
            )
        return command(options=_run_options(values), **values)

    return call


def _run_options(values: dict[str, Any]) -> Options:
    """Move the shared options out of what click parsed into one record."""
    from acbench.workflows.models import CallOptions
    from acbench.workflows.run import Options
    from acbench.workflows.settings import SettingChanges

    if values.get("dry_run"):  # nothing expensive is done, so no cluster is started
        values["engine"] = "local"
    changes = _moved(values, SettingChanges, llm=llm_changes(values))
    calls = _moved(values, CallOptions)
    return _moved(values, Options, changes=changes, calls=calls)


def llm_changes(values: dict[str, Any]) -> dict[str, object]:
    """Move what was said of an LLM (field → value) out of what click parsed: see `model_options`."""
    given = {name: values.pop(name) for name in list(values) if name.startswith(LLM)}
    return {name.removeprefix(LLM): value for name, value in given.items() if value is not None}


def _moved(values: dict[str, Any], record: type[Record], **more: Any) -> Record:
    """Build a record from those values that are named as its fields, and remove them."""
    assert dataclasses.is_dataclass(record)
    names = [field.name for field in dataclasses.fields(record) if field.name in values]
    own = {name: values.pop(name) for name in names}
    # click gives () for a repeatable option that the command line does not have.
    return record(**{name: None if value == () else value for name, value in own.items()}, **more)


def opened(project: Path, benchmark: str, options: Options | None = None) -> AbstractContextManager[Run]:
    """Open the run of a command, which tells the person at the screen about its progress.

    Without `options` the command takes neither a budget nor a model, and so asks none that costs money.
    """
    from acbench.cli.screen import Screen
    from acbench.workflows.run import Options, open_run

    return open_run(project, benchmark, console=Screen(), options=options or Options(asks=False))
